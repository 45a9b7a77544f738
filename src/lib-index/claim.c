/* SPDX-License-Identifier: MIT */
/*
 * A Maildir's file is named with its UID before the transaction that takes the UID is committed.  A process that is killed
 * between the two leaves a file whose UID the index takes to be free: it would be given again, and be another message's
 * when the index is made anew and the names are believed.
 *
 * So the UIDs are claimed first, in a place that a kill leaves as it is: the file of sessions, read and written in memory
 * like the index itself, never synced.  A claim is met when the mailbox's UIDNEXT is not below it; that is how a commit
 * lifts it, without being told.  One that is not met is of a process that died, or of one that could not undo what it had
 * done: the mailbox is scanned before anybody claims again.  After a reboot the marks in the control files take care.
 *
 * One claim is enough: it is made and met with the write lock in hand.
 */
#include "lib-index/index-priv.h"

#include "lib-index/claim.h"
#include "lib-index/session.h"

int
index_claim_get(struct index_txn *t, struct idx_claim *out, struct err *e)
{
	char claim[SESSION_CLAIM_LEN];
	struct idx_state st;
	int rc;

	*out = (struct idx_claim){ 0 };
	if (t->ix->env->session_fd == -1)
		return 0;
	if (session_claim_get(t->ix->env->session_fd, claim) == -1)
		return err_errno(e, "read the index's file of sessions");
	*out = (struct idx_claim){ .id = be32_get(claim), .next = be32_get(claim + 4) };
	if (out->id == 0)
		return 0;
	rc = index_state_get(t, out->id, &st, e);
	/* No UID is given above the mark: the file of sessions holds something else. */
	return rc != 1 ? rc : st.uidnext < out->next && out->next <= st.uid_reserved;
}

int
index_claim_put(struct index_txn *t, uint32_t id, uint32_t next, struct err *e)
{
	char claim[SESSION_CLAIM_LEN];

	if (t->ix->env->session_fd == -1)
		return 0;
	be32_put(claim, id);
	be32_put(claim + 4, next);
	return session_claim_put(t->ix->env->session_fd, claim) == 0 ? 0 : err_errno(e, "write the index's file of sessions");
}
