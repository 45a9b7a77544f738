/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_SEARCH_H
#define CULVER_LIB_PROTOCOL_IMAP_SEARCH_H
/* The keys of SEARCH (RFC 3501 section 6.4.4; MODSEQ of RFC 7162; RETURN of RFC 4731) as a tree. */
#include "lib-protocol/imap-seqset.h"
#include "lib-protocol/imap-token.h"

enum search_type {
	SEARCH_ALL,
	SEARCH_SEQ,		/* set, of sequence numbers */
	SEARCH_UID,		/* set */
	SEARCH_FLAG,		/* has the system flag `flag' */
	SEARCH_KEYWORD,		/* has the keyword `text' */
	SEARCH_RECENT,
	SEARCH_BEFORE, SEARCH_ON, SEARCH_SINCE,			/* `number': days since 1970-01-01 */
	SEARCH_SENTBEFORE, SEARCH_SENTON, SEARCH_SENTSINCE,
	SEARCH_LARGER, SEARCH_SMALLER,				/* `number': octets */
	SEARCH_MODSEQ,						/* `number' or above */
	SEARCH_HEADER,		/* field `name' contains `text' */
	SEARCH_BODY, SEARCH_TEXT,
	SEARCH_AND,		/* of child, child->next ... */
	SEARCH_OR,		/* of two children */
};

enum search_flag {
	SEARCH_ANSWERED, SEARCH_DELETED, SEARCH_DRAFT, SEARCH_FLAGGED, SEARCH_SEEN,
};

struct search_key {
	enum search_type type;
	bool negated;
	struct search_key *next, *child;
	struct imap_set set;
	enum search_flag flag;
	int64_t number;
	struct span name, text;	/* as sent: text is of the command's charset */
	void *data;		/* the evaluator's */
};

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
#endif
