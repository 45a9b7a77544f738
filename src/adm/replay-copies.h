/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_REPLAY_COPIES_H
#define CULVER_ADM_REPLAY_COPIES_H
/*
 * Which mailboxes have which messages already, by EMAILID: so that a run that is made again, or goes on after an interrupted one,
 * copies nothing twice.  A mailbox is read when it is asked about first.
 */
#include "lib/hash.h"
#include "lib-storage/mailbox.h"

struct replay_copies {
	struct storage *storage;
	struct hash *known;
};

bool replay_copies_init(struct replay_copies *c, struct storage *st);	/* false: no memory */
void replay_copies_clear(struct replay_copies *c);
/* Whether it is there.  What can not be read, or is more than can be remembered, is not: rather a copy too many. */
bool replay_copies_has(struct replay_copies *c, struct span mailbox, struct span email_id);
#endif
