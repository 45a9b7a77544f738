/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_SEARCH_H
#define CULVER_IMAP_SEARCH_H
/*
 * Does a message match a tree of search keys?  Cheap keys are asked first: what the record has (sets, flags, dates, sizes),
 * then what the summary has (fields, sent date), then the mail's text.
 */
#include "imap/session.h"
#include "lib-mail/match.h"
#include "lib-mail/summary.h"
#include "lib-protocol/imap-search.h"

struct search {
	struct imap_session *s;
	struct search_key *root;
	struct charset_cache *charsets;
	struct mail_limits limits;

	/* The message at hand. */
	uint32_t seq;
	struct msg_rec rec;
	struct summary_view sum;
	bool has_rec, has_sum;
};

/* Prepares the keys of q: orders them, converts their strings, looks up keywords.  search_end() also after -1. */
int search_begin(struct search *se, struct imap_session *s, const struct search_query *q, struct err *e);
void search_end(struct search *se);
/* The sequence numbers that can match at all: what the sets at the top leave. */
struct imap_set search_domain(struct search *se);
/* 1 it matches: *modseq_out is its mod-sequence; 0; -1 the search can not go on.  A message that is gone does not match. */
int search_matches(struct search *se, uint32_t seq, uint64_t *modseq_out, struct err *e);
#endif
