/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_QUERY_H
#define CULVER_ADM_QUERY_H
/*
 * Search queries on a command line: IMAP's keys as words, and "mailbox MASK".  Parentheses are words of their own.
 */
#include "lib/arena.h"
#include "lib-storage/search.h"

struct query {
	struct search_key *root;	/* what a message must fulfil */
	char *mailboxes[64];		/* masks: the message is in a mailbox that matches one; none: in any */
	size_t mailbox_count;
	bool has_keys;			/* there is more than "mailbox" */
};

/* argv[0..argc) in the arena's memory.  ERR_SYNTAX with a text that a person understands. */
int query_parse(struct arena *a, int argc, char **argv, struct query *out, struct err *e);
/* "1-Jan-2026" and "2026-01-01" are a day: days since 1970-01-01.  "1767225600" and "2w" (ago) are a moment, *exact_out:
 * seconds since 1970. */
bool query_date(struct span text, int64_t now, int64_t *out, bool *exact_out);
/* "\Seen \Flagged $Label": system flags by bits, keywords as names.  ERR_SYNTAX. */
int query_flags(struct arena *a, struct span text, unsigned *flags_out, struct span **keywords_out, size_t *count_out,
    struct err *e);
#endif
