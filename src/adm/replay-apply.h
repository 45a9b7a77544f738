/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_REPLAY_APPLY_H
#define CULVER_ADM_REPLAY_APPLY_H
/* Makes plans true, as far as they are about mailboxes and flags: what would leave, or go, is only shown. */
#include "adm/replay.h"
#include "lib-storage/mailbox.h"

struct replay_todo {
	struct replay_todo *next;
	struct span mailbox;		/* where the message is */
	uint32_t uid;
	const struct replay_plan *plan;
};

/*
 * todo: in the order of mailboxes.  on_error is told of a mailbox or message that could not be changed; the others are.  False:
 * there was such.
 */
bool replay_apply(struct storage *st, const struct replay_todo *todo, struct arena *a,
    void (*on_error)(void *ctx, struct span mailbox, uint32_t uid, const struct err *e), void *ctx);
#endif
