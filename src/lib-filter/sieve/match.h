/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_MATCH_H
#define CULVER_LIB_FILTER_SIEVE_MATCH_H
/* Match types and comparators (RFC 5228 section 2.7, RFC 5231, RFC 4790, RFC 5051).  Pure. */
#include "lib/buf.h"

enum sieve_match_type { SIEVE_IS, SIEVE_CONTAINS, SIEVE_MATCHES, SIEVE_COUNT, SIEVE_VALUE, SIEVE_REGEX, SIEVE_LIST };
enum sieve_comparator { SIEVE_OCTET, SIEVE_CASEMAP, SIEVE_NUMERIC, SIEVE_UNICODE };
enum sieve_relation { SIEVE_GT, SIEVE_GE, SIEVE_LT, SIEVE_LE, SIEVE_EQ, SIEVE_NE };
enum sieve_part { SIEVE_ALL, SIEVE_LOCALPART, SIEVE_DOMAIN, SIEVE_USER, SIEVE_DETAIL };

struct sieve_regex;

struct sieve_match {
	enum sieve_match_type type;
	enum sieve_comparator comparator;
	enum sieve_relation relation;		/* of COUNT and VALUE */
	enum sieve_part part;
	const struct sieve_regex **regexes;	/* of a REGEX: a key each, NULL where it has variables */
};

/* False: no such comparator (relation). */
bool sieve_comparator_find(struct span name, enum sieve_comparator *out);
bool sieve_relation_find(struct span name, enum sieve_relation *out);

#define SIEVE_CAPTURES 33		/* the whole value, and wildcards of a pattern that are remembered */

struct sieve_captures {			/* what wildcards stood for: spans into the value; [0] is the whole */
	struct span part[SIEVE_CAPTURES];
	size_t count;
};

/* -1, 0, 1.  SIEVE_NUMERIC: what does not begin with a digit is larger than any number (RFC 4790 section 9.1.1). */
int sieve_compare(enum sieve_comparator cmp, struct span a, struct span b);
bool sieve_relation_holds(enum sieve_relation rel, int compared);
/*
 * SIEVE_IS, CONTAINS, MATCHES, VALUE of one value against one key.  captures: NULL, or set when MATCHES holds.  *work is how many
 * octets may be compared, and loses what were; at 0 it was too little, and the answer false means nothing.  A value and a key that
 * are made for it cost the product of their sizes.
 */
bool sieve_match_one(const struct sieve_match *m, struct span value, struct span key, struct sieve_captures *captures,
    uint64_t *work);
#endif
