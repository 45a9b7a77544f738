/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SCRUB_H
#define CULVER_LIB_STORAGE_SCRUB_H
/*
 * Whether all that is stored agrees: the index with itself (lib-index/check.h), with the files and the marks of the driver
 * (driver.h, `check'), and what it says of each message (sizes, digest, summary) with the message's octets.  Reads all mail;
 * others may use it meanwhile: what changed under the hand is looked at again before it is told.
 */
#include "lib-storage/storage.h"

/* mailbox: its name, or empty: of all.  repaired: it is right now. */
typedef void scrub_fn(void *ctx, struct span mailbox, const char *text, bool repaired);

struct scrub_result {
	size_t mailboxes, messages, problems, repaired;
};

/*
 * One mailbox; adds to *out.  repair: what can be made anew from the mail is; the mail itself is never touched.
 * -1: it could not be looked at.  0 also with problems.
 */
int storage_scrub(struct storage *st, struct span name, bool repair, scrub_fn *on_problem, void *ctx,
    struct scrub_result *out, struct err *e);
/* The indexes as a whole: names, what belongs to no mailbox, the file's pages.  Before the mailboxes. */
int storage_scrub_index(struct storage *st, bool repair, scrub_fn *on_problem, void *ctx, struct scrub_result *out,
    struct err *e);
#endif
