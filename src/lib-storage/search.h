/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SEARCH_H
#define CULVER_LIB_STORAGE_SEARCH_H
/*
 * Does a message match a tree of search keys (RFC 3501 section 6.4.4; MODSEQ of RFC 7162)?  IMAP's parser makes the tree,
 * or culveradm's.  Cheap keys are asked first: what the record has (sets, flags, dates, sizes), then what the summary has
 * (fields, sent date), then the mail's text.
 */
#include "lib-mail/charset.h"
#include "lib-mail/match.h"
#include "lib-storage/imap-set.h"
#include "lib-storage/mailbox.h"

enum search_type {
	SEARCH_ALL,
	SEARCH_SEQ,		/* set, of sequence numbers */
	SEARCH_UID,		/* set */
	SEARCH_FLAG,		/* has the system flag `flag' */
	SEARCH_KEYWORD,		/* has the keyword `text' */
	SEARCH_RECENT,
	SEARCH_BEFORE, SEARCH_ON, SEARCH_SINCE,			/* INTERNALDATE; `number': days since 1970-01-01 */
	SEARCH_SAVEDBEFORE, SEARCH_SAVEDON, SEARCH_SAVEDSINCE,	/* the same of the date of saving */
	SEARCH_SENTBEFORE, SEARCH_SENTON, SEARCH_SENTSINCE,	/* the Date field, in its own zone */
	SEARCH_LARGER, SEARCH_SMALLER,				/* `number': octets */
	SEARCH_MODSEQ,						/* `number' or above */
	SEARCH_HEADER,		/* field `name' contains `text' */
	SEARCH_BODY, SEARCH_TEXT,
	SEARCH_EMAILID,		/* has the id `text', whatever the charset is */
	SEARCH_AND,		/* of child, child->next ... */
	SEARCH_OR,		/* of two children */
};

enum search_flag {
	SEARCH_ANSWERED, SEARCH_DELETED, SEARCH_DRAFT, SEARCH_FLAGGED, SEARCH_SEEN,
};

struct search_key {
	enum search_type type;
	bool negated;
	bool exact;		/* of BEFORE, SINCE, SAVEDBEFORE, SAVEDSINCE: `number' is seconds since 1970, not days */
	struct search_key *next, *child;
	struct imap_set set;
	enum search_flag flag;
	int64_t number;
	struct span name, text;	/* as sent: text is of the query's charset */
	void *data;		/* the evaluator's */
};

struct search {
	struct mailbox *box;
	struct arena *arena;
	struct search_key *root;
	struct charset_cache *charsets;
	struct mail_limits limits;
	size_t text_max;

	/* The message at hand. */
	uint32_t seq;
	struct msg_rec rec;
	struct summary_view sum;
	bool has_rec, has_sum;
};

/*
 * Prepares the keys below root (a SEARCH_AND): orders them, converts their strings from charset (empty: UTF-8), looks up
 * keywords.  No string has more than text_max octets.  search_end() also after -1.
 */
int search_begin(struct search *se, struct mailbox *box, struct search_key *root, struct span charset, size_t text_max,
    struct arena *a, struct err *e);
void search_end(struct search *se);
/* The sequence numbers that can match at all: what the sets at the top leave. */
struct imap_set search_domain(struct search *se);
/* Whether all of the domain matches, so that nobody needs to be asked. */
bool search_is_domain(const struct search *se);
/* 1 it matches: *modseq_out is its mod-sequence; 0; -1 the search can not go on.  A message that is gone does not match. */
int search_matches(struct search *se, uint32_t seq, uint64_t *modseq_out, struct err *e);
#endif
