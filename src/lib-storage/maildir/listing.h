/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_LISTING_H
#define CULVER_LIB_STORAGE_MAILDIR_LISTING_H
/* What lies in the directories of a mailbox; shared by the files of the Maildir driver alone. */
#include "lib-storage/maildir/maildir.h"

struct maildir_seal {
	struct idx_stamp stamp[2];	/* of new/ and cur/ */
	bool coarse;			/* their times can not be relied on */
};

/*
 * Sets the directory's time to now, and says what it then is.  Where that can not be done (coarse times, a directory of
 * somebody else) the time counts once it has been the same for a while.  False: it can not be relied on.
 */
bool maildir_seal(struct maildir_box *box, int sub, bool coarse, struct idx_stamp *out);
void maildir_seal_both(struct maildir_box *box, bool coarse, struct maildir_seal *out);
/* Whether nothing has changed since. */
bool maildir_seal_holds(struct maildir_box *box, const struct maildir_seal *s);

/* fn for each name that can be a message's: regular, or of no type that the directory tells.  It returns false to stop. */
typedef bool maildir_listed_fn(void *ctx, int sub, struct span name, bool regular);
/* 1 when fn has stopped it; -1. */
int maildir_list_dir(struct maildir_box *box, int sub, maildir_listed_fn *fn, void *ctx, struct err *e);

/*
 * A list that was read before the index knew the mailbox, to see what the names tell of it; the first scan begins with it.
 * False: the directories can not be read.
 */
bool maildir_early_list(struct maildir_box *box);
/* Each of its names; false at the end.  *at is 0 at first. */
bool maildir_early_next(const struct maildir_box *box, size_t *at, int *sub_out, bool *regular_out, struct span *name_out);
uint32_t maildir_early_count(const struct maildir_box *box);	/* 0: there is no list */
bool maildir_early_seal(const struct maildir_box *box, struct maildir_seal *out);	/* false: there is no list */
void maildir_early_forget(struct maildir_box *box);
#endif
