/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_TOTAL_H
#define CULVER_LIB_INDEX_TOTAL_H
/*
 * What all mailboxes of an index hold together: one record, which changes in the transaction that changes a mailbox's
 * state, and nowhere else; so it is the sum of the states at every moment that anybody can see.  Where it is not there (an
 * index that was made anew from parts of a damaged one) it is that sum.
 */
#include "lib-index/index.h"

#define INDEX_TOTAL_KEY "total"		/* in `meta': three u64 */

struct idx_total {
	uint64_t messages;
	uint64_t bytes;		/* with CRLF line ends; physical where nobody has looked yet */
	uint64_t physical;
};

static inline struct idx_total
idx_state_total(const struct idx_state *st)
{
	return (struct idx_total){ .messages = st->messages, .bytes = st->bytes + st->unsized_bytes, .physical = st->physical };
}

int index_total_get(struct index_txn *t, struct idx_total *out, struct err *e);
/* The sum itself, whatever the record says: for verifying. */
int index_total_sum(struct index_txn *t, struct idx_total *out, struct err *e);
/* Writes the sum: `culveradm quota recalc'. */
int index_total_recount(struct index_txn *t, struct err *e);

/* For index_state_put and index_mailbox_remove alone, before the record changes. */
int index_total_change(struct index_txn *t, const struct idx_state *st, struct err *e);
int index_total_forget(struct index_txn *t, uint32_t id, struct err *e);
#endif
