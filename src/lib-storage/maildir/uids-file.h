/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_UIDS_FILE_H
#define CULVER_LIB_STORAGE_MAILDIR_UIDS_FILE_H
/* culver-uids of a mailbox: see uids-file.c; shared by the files of the Maildir driver alone. */
#include "lib-storage/maildir/adopt.h"
#include "lib-storage/maildir/uids.h"

#define UIDS_NAME "culver-uids"

struct maildir_uids {
	struct buf text;
	struct uids list;	/* of text */
};

/* 1, 0 there is none (of this UIDVALIDITY; 0: whichever), -1. */
int maildir_uids_read(struct maildir_box *box, uint32_t uidvalidity, struct maildir_uids *out, struct err *e);
void maildir_uids_clear(struct maildir_uids *u);
/* Whether the name tells that it is this UID. */
bool maildir_is_tagged(struct span base, uint32_t uidvalidity, uint32_t uid);

/* Writes down the UIDs from the state's dev on.  No transaction is open, and the box is not locked. */
enum drv_rc maildir_uids_tell(struct maildir_box *box, struct err *e);
/* Within a write transaction: lines that uids_put_keywords made. */
int maildir_uids_keywords(struct maildir_box *box, uint32_t uidvalidity, struct span lines, struct err *e);
/* Writes the file anew from what the index says. */
int maildir_uids_mend(struct maildir_box *box, struct err *e);
int maildir_uids_sync(struct maildir_box *box, struct err *e);
/* After keywords were appended, when no transaction is open. */
int maildir_uids_shrink(struct maildir_box *box, const struct idx_state *st, struct err *e);
#endif
