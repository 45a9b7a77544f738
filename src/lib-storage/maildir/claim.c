/* SPDX-License-Identifier: MIT */
/*
 * Claiming UIDs before files are named with them (lib-index/claim.c), and putting right what a process left that died with
 * a claim: the scan of that mailbox finds its files, which keep their UIDs, and raises UIDNEXT above what was claimed.
 */
#include "lib-storage/maildir/maildir.h"

#include "lib/log.h"

#define SETTLE_DEPTH 2	/* scans within a scan: more processes than that do not die in one moment */

/* Without a scan: no number of it is given again, and its files get others when they are found. */
static int
raise_only(struct maildir_store *s, struct err *e)
{
	struct idx_claim left;
	struct index_txn *t;
	struct idx_state st;
	int rc;

	if (index_write(s->ix, &t, e) == -1)
		return -1;
	rc = index_claim_get(t, &left, e);
	if (rc == 1)
		rc = index_state_get(t, left.id, &st, e);
	if (rc != 1) {
		index_abort(t);
		return rc;
	}
	st.uidnext = left.next;
	if (index_state_put(t, &st, e) == 0)
		return index_commit(t, e);
	index_abort(t);
	return -1;
}

static enum drv_rc
settle(struct maildir_store *s, const struct idx_claim *left, struct err *e)
{
	struct err scan = ERR_INIT;
	struct index_txn *t;
	struct idx_state st;
	void *box;
	uint32_t id;
	int rc = index_read(s->ix, &t, e) == -1 ? -1 : index_state_get(t, left->id, &st, e);
	enum drv_rc drc = DRV_ERROR;

	index_read_end(s->ix);
	if (rc == -1)
		return drv_of(e);
	if (rc == 1 && s->settling < SETTLE_DEPTH) {
		s->settling++;
		drc = maildir_box_open(s, idx_state_name(&st), &box, &id, &scan);
		if (drc == DRV_OK) {
			drc = maildir_sync(box, true, &scan);
			maildir_box_close(box);
		}
		s->settling--;
		if (drc != DRV_OK)
			log_warning("%.*s: a process died while it named files, and the mailbox can not be scanned: %s",
			    SPAN_ARG(idx_state_name(&st)), scan.log);
	}
	/* Also when the name is another mailbox's by now. */
	return raise_only(s, e) == 0 ? DRV_CONFLICT : drv_of(e);
}

/* upto: UIDs below it. */
static enum drv_rc
claim(struct maildir_box *box, struct index_txn *t, uint32_t upto, bool own_too, struct err *e)
{
	struct idx_claim left;
	int rc = index_claim_get(t, &left, e);

	if (rc == 1 && own_too && left.id == box->id)
		rc = 0;
	if (rc == 0)
		rc = index_claim_put(t, box->id, upto, e);
	if (rc == 0)
		return DRV_OK;
	index_abort(t);
	return rc == 1 ? settle(box->store, &left, e) : drv_of(e);
}

enum drv_rc
maildir_claim(struct maildir_box *box, struct index_txn *t, const struct idx_state *st, uint32_t uids, struct err *e)
{
	return claim(box, t, st->uidnext + uids, false, e);
}

int
maildir_claim_left(struct maildir_box *box, struct index_txn *t, struct maildir_claim *out, struct err *e)
{
	struct idx_claim left;
	int rc = index_claim_get(t, &left, e);

	*out = (struct maildir_claim){ .left = rc == 1 && left.id == box->id ? left.next : 0 };
	return rc == -1 ? -1 : 0;
}

enum drv_rc
maildir_claim_more(struct maildir_box *box, struct index_txn *t, const struct idx_state *st, uint32_t uids,
    struct maildir_claim *c, struct err *e)
{
	/* Those of the dead process stay claimed as well until all is committed. */
	c->upto = c->left > st->uidnext + uids ? c->left : st->uidnext + uids;
	return claim(box, t, c->upto, true, e);
}

int
maildir_claim_meet(struct index_txn *t, struct idx_state *st, const struct maildir_claim *c, struct err *e)
{
	if (st->uidnext < c->left) {
		st->uidnext = c->left;
		if (index_state_put(t, st, e) == -1)
			return -1;
	}
	/* Some were gone, or kept the UIDs that they had. */
	return st->uidnext < c->upto ? index_claim_put(t, st->id, st->uidnext, e) : 0;
}

enum drv_rc
maildir_begin_naming(struct maildir_box *box, uint32_t uids, struct index_txn **t, struct idx_state *st, struct err *e)
{
	enum drv_rc drc = DRV_CONFLICT;

	for (int try = 0; try < 8 && drc == DRV_CONFLICT; try++) {
		drc = maildir_begin(box, uids, t, st, e);
		if (drc == DRV_OK)
			drc = maildir_claim(box, *t, st, uids, e);
	}
	if (drc == DRV_CONFLICT)
		err_set(e, ERR_TEMP, "mailbox %s is too busy", box->name);
	return drc == DRV_CONFLICT ? DRV_UNAVAILABLE : drc;
}
