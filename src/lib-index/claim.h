/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_CLAIM_H
#define CULVER_LIB_INDEX_CLAIM_H
/* UIDs that may be in names of files already, while no commit has taken them: see claim.c. */
#include "lib-index/index.h"

struct idx_claim {
	uint32_t id;		/* of the mailbox */
	uint32_t next;		/* UIDs below this one */
};

/* Within a write transaction.  1: one was left, and is not met; 0: none; -1. */
int index_claim_get(struct index_txn *t, struct idx_claim *out, struct err *e);
/* Takes the place of the one before; id 0: nothing was named, or all of it was undone. */
int index_claim_put(struct index_txn *t, uint32_t id, uint32_t next, struct err *e);
#endif
