/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_QUOTA_H
#define CULVER_LIB_STORAGE_QUOTA_H
/*
 * How much mail a user may have.  What there is, the index sums up in the transaction of each change (lib-index/total.h); so
 * a limit is compared within the transaction that would cross it, and two deliveries at once can not both have the last
 * place.  Saving and copying look by themselves (mailbox.h): ERR_OVERQUOTA.
 *
 * A quota root counts the stores of the user's own namespaces, or that of one of them; mailboxes with an `ignore' rule do
 * not count.  Between two stores of one root the sum is made of two transactions.
 */
#include "lib-storage/storage.h"

struct quota_status {
	struct span root;
	bool bytes_limited, messages_limited, hidden;
	uint64_t bytes, bytes_limit, messages, messages_limit;
};

bool storage_has_quota(const struct storage *st);
/* The roots that the mailbox counts to (SPAN_NONE: all of them), with the limits of the default rule; in arena. */
int storage_quota(struct storage *st, struct span mailbox, struct arena *a, struct quota_status **out, size_t *count_out,
    struct err *e);
/*
 * Whether a message of size octets could be saved to the mailbox, which need not exist: before it is read from a client, or
 * for an answer about the future.  ERR_OVERQUOTA, ERR_TOOBIG (quota_max_mail_size).
 */
int storage_quota_fits(struct storage *st, struct span mailbox, uint64_t size, struct err *e);
/* Looks at all mail, finds out all sizes, and counts anew. */
int storage_quota_recalc(struct storage *st, struct err *e);
/* quota_exceeded_message, or the usual words. */
struct span storage_quota_words(const struct storage *st);
#endif
