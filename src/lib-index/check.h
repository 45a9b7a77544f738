/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_CHECK_H
#define CULVER_LIB_INDEX_CHECK_H
/*
 * What must hold between the entries of an index, looked at as a whole, and putting right what does not, mailbox by mailbox.
 *	- every entry can be read, stands in order, has its checksum and its form;
 *	- a mailbox's name leads to its state, and the state back to its name; nothing belongs to a mailbox that is not there;
 *	- the counts in the state are those of the records; UIDs lie below uidnext, modseqs are not above highestmodseq;
 *	- the log of changes has exactly one entry for each record that says so, at its modseq; an expunged UID has no record;
 *	  as many expunges as the state says; nothing at or below pruned_to;
 *	- a summary belongs to a message.
 * The cost is one walk over all: some ten milliseconds for 100,000 messages.
 */
#include "lib-index/index.h"

/* name: of the mailbox, empty when there is none.  text tells what is wrong. */
typedef void index_finding_fn(void *ctx, struct span name, const char *text);

struct index_verdict {
	size_t mailboxes, messages, summaries;
	size_t findings;
	bool pages;		/* the file itself is damaged, not only what it says */
};

/* Of one mailbox, or with id 0 of all.  Whatever the file holds: never crashes.  on_finding may be NULL. */
int index_verify(struct index *ix, uint32_t id, index_finding_fn *on_finding, void *ctx, struct index_verdict *out,
    struct err *e);

/*
 * Puts right what index_verify finds, in one write: what can be trusted stays, with its UIDs and flags waiting to be written;
 * where a message's record was lost the state says IDX_STATE_UNSCANNED, so that the driver's next sync takes it from the
 * mail; a log that is wrong is dropped, which clients are told truly (pruned_to).  A line in the log for each mailbox.
 * Pages that are damaged make the whole index anew (index_recover), again with what is sound.  e says why this is asked for.
 */
int index_mend(struct index *ix, uint32_t id, struct err *e);

/* Throws all away that is known of the mailbox's messages, but for the numbers that must go on: the next sync takes them from
 * the mail.  What is not yet written to the mail (flags) is lost: the driver's maintain comes first. */
int index_forget(struct index *ix, uint32_t id, struct err *e);

/* Copies the index into a file without free pages and puts that in its place; other processes notice. */
int index_compact(struct index *ix, uint64_t *before_out, uint64_t *after_out, struct err *e);

struct index_stats {
	uint64_t file_size, map_size, map_max;	/* octets */
	uint64_t pages, free_pages, page_size;
	unsigned readers;		/* slots in use */
	struct {
		const char *name;
		uint64_t entries, size;	/* octets of the pages in use */
	} db[DB_COUNT];
};
int index_stats(struct index *ix, struct index_stats *out, struct err *e);
#endif
