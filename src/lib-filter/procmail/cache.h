/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_CACHE_H
#define CULVER_LIB_FILTER_PROCMAIL_CACHE_H
/*
 * rcfiles as they were parsed and expressions as they were compiled, with their automata: kept from one message to the next by
 * who has many (procmail_request.cache).  What is kept is found by its content: no file is asked whether it has changed.  One
 * run uses it at a time.
 */
#include "lib-filter/procmail/rc.h"
#include "lib-filter/procmail/regex.h"

#define PROCMAIL_CACHE_OCTETS ((size_t)16 << 20)	/* a good octets_max */

struct procmail_cache;

/* NULL when memory is out.  Between runs about octets_max of files and as much of expressions are kept. */
struct procmail_cache *procmail_cache_new(size_t octets_max);
void procmail_cache_free(struct procmail_cache *c);	/* NULL is fine */

/* The rest is for the interpreter. */

/* text, parsed; lives until procmail_cache_trim().  NULL: out of memory, or over octets_max of files that live. */
const struct procmail_rc *procmail_cache_rc(struct procmail_cache *c, struct span text, size_t octets_max);

/* As procmail_regex_new(), but the cache's: valid until the next call. */
struct procmail_regex *procmail_cache_regex(struct procmail_cache *c, struct span expression, bool distinguish_case,
    const char **why_out);

/* A run is over: what is too much is given up. */
void procmail_cache_trim(struct procmail_cache *c);
#endif
