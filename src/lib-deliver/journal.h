/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_JOURNAL_H
#define CULVER_LIB_DELIVER_JOURNAL_H
/*
 * What filters decided, for who asks later why a message is where it is (`culveradm filter why').  A line a delivery in a
 * small file beside the mail; when it has grown to its limit, the older half goes.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#define JOURNAL_FILE "culver-filter.journal"
#define JOURNAL_STEPS 64	/* of one delivery */
#define JOURNAL_LINE 16384
#define JOURNAL_VALUE 1000	/* octets of a value; the rest is not kept */
#define JOURNAL_MAX ((size_t)16 << 20)	/* of the file, whatever the setting says */

struct journal_entry {
	int64_t time;
	struct span message_id, sender, recipient, session;
	struct span steps[JOURNAL_STEPS];	/* "/home/bob/.dovecot.sieve line 3: stored in mailbox Lists" */
	size_t step_count;
};

/* The entry as a line; what is too long of it is cut. */
void journal_write(struct buf *out, const struct journal_entry *entry);
/* One line, without its LF; strings in a.  False: it is no entry. */
bool journal_parse(struct span line, struct arena *a, struct journal_entry *out);

/* Appends to the journal in the directory; max: octets of the file. */
int journal_add(int dir_fd, size_t max, const struct journal_entry *entry, struct err *e);
/* The whole of it; empty where there is none. */
int journal_read(int dir_fd, struct buf *out, struct err *e);
#endif
