/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_SEARCH_H
#define CULVER_LIB_PROTOCOL_IMAP_SEARCH_H
/* The keys of SEARCH (RFC 3501 section 6.4.4; MODSEQ of RFC 7162; RETURN of RFC 4731; EMAILID, THREADID of RFC 8474) as a tree. */
#include "lib-protocol/imap-seqset.h"
#include "lib-protocol/imap-token.h"
#include "lib-storage/search.h"

enum {
	SEARCH_RETURN_MIN = 1 << 0,
	SEARCH_RETURN_MAX = 1 << 1,
	SEARCH_RETURN_ALL = 1 << 2,
	SEARCH_RETURN_COUNT = 1 << 3,
};

struct search_query {
	bool esearch;		/* there was a RETURN */
	unsigned returns;
	struct span charset;	/* empty: none was named */
	struct search_key *root;	/* a SEARCH_AND */
	bool modseq;		/* there is a MODSEQ key */
};

struct search_limits {
	size_t keys, depth, ranges;
	uint32_t last_seq, last_uid;	/* what "*" means; 0: no messages */
};

/*
 * All arguments of SEARCH.  False: in->why says what is wrong.  Sets are parsed, sequence numbers above last_seq are
 * refused; the rest is left to the evaluator.
 */
bool imap_search_parse(struct imap_in *in, const struct search_limits *lim, struct search_query *out);
/* The keys alone, up to the end: what SORT and THREAD have behind their charset (RFC 5256 section 5). */
bool imap_search_parse_keys(struct imap_in *in, const struct search_limits *lim, struct search_query *out);
#endif
