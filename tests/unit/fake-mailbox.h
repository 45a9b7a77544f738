/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_FAKE_MAILBOX_H
#define CULVER_TESTS_FAKE_MAILBOX_H
/*
 * A mailbox in memory, in place of lib-storage: for engines that are tested alone.  Only what POP3 asks of a mailbox is
 * there.
 */
#include "lib-storage/mailbox.h"

#define FAKE_MSGS 64

struct fake_msg {
	struct span text;	/* owned */
	unsigned flags;
	uint64_t keywords;
	bool expunged, size_unknown;
	const char *uidl;	/* NULL: none of its own */
};

struct mailbox {
	struct fake_msg msgs[FAKE_MSGS];	/* UID = index + 1 */
	uint32_t count;
	bool expunge_fails;
	uint32_t gone;				/* a UID that another session deletes, */
	unsigned gone_after_reads;		/* when so many reads have ended: the login, the first listing */
	size_t saved_uidls;
	struct span keyword;			/* the only one, bit 0; none when empty */
};

void fake_mailbox_add(struct mailbox *box, struct span text);
void fake_mailbox_clear(struct mailbox *box);
#endif
