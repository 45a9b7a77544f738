/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SEARCH_H
#define CULVER_LIB_STORAGE_SEARCH_H
/*
 * Finding messages: a tree of keys (RFC 3501 section 6.4.4, RFC 7162 MODSEQ, and more), made by IMAP's parser or by
 * culveradm's, and its evaluation over one mailbox's view, cheapest keys first: sets, flags, sizes and dates from the
 * records, header keys from the summaries, text last.
 */
#include "lib-storage/mailbox.h"

enum search_type {
	SEARCH_ALL,
	SEARCH_AND, SEARCH_OR,		/* children */
	SEARCH_UIDS, SEARCH_SEQS,	/* ranges */
	SEARCH_FLAGS,			/* all of flags are set (with `not': any is not) */
	SEARCH_KEYWORD,			/* text: its name */
	SEARCH_RECENT,
	SEARCH_LARGER, SEARCH_SMALLER,	/* number: octets */
	SEARCH_BEFORE, SEARCH_ON, SEARCH_SINCE,		/* internal date; number: day as seconds since 1970, local */
	SEARCH_SENTBEFORE, SEARCH_SENTON, SEARCH_SENTSINCE,	/* Date field, its own zone ignored (RFC 3501) */
	SEARCH_SAVEDBEFORE, SEARCH_SAVEDON, SEARCH_SAVEDSINCE,
	SEARCH_BEFORE_TIME, SEARCH_SINCE_TIME,	/* internal date; number: an exact second (culveradm) */
	SEARCH_SAVEDBEFORE_TIME, SEARCH_SAVEDSINCE_TIME,
	SEARCH_MODSEQ,			/* number: that or above */
	SEARCH_HEADER,			/* header: its name, text: to find in it (may be empty) */
	SEARCH_BODY, SEARCH_TEXT,	/* text: UTF-8 */
};

struct search_range {
	uint32_t first, last;
};

struct search_key {
	enum search_type type;
	bool not;
	struct search_key *children, *next;
	const struct search_range *ranges;	/* ascending, not overlapping */
	size_t range_count;
	unsigned flags;
	uint64_t number;
	struct span header, text;
};

/*
 * The UIDs of the view that match, ascending, in arena.  Messages expunged meanwhile are passed over.  before_wait is called
 * now and then (ctx), to send what keeps a client patient or to look for cancellation: -1 ends the search (ERR_EOF).
 * max_modseq_out: the highest MODSEQ among the matches.
 */
int search_run(struct mailbox *box, struct search_key *key, struct arena *a, int (*breathe)(void *ctx), void *ctx,
    struct uid_list *out, uint64_t *max_modseq_out, struct err *e);
#endif
