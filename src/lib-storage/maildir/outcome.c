/* SPDX-License-Identifier: MIT */
/*
 * Whether a change set has been made true, when the answer to its commit was lost.  A commit that failed leaves no UID and
 * no MODSEQ in the change set, so those that are there tell, and the index must agree.
 */
#include "lib-storage/maildir/maildir.h"

/* 1 all of adds are there, 0 not, -1. */
static int
adds_are_there(struct index_txn *t, const struct box_change *c, struct err *e)
{
	struct idx_message m;
	int rc = c->add_count == 0 ? 0 : 1;

	for (size_t i = 0; i < c->add_count && rc == 1; i++)
		rc = c->adds[i].uid == 0 ? 0 : index_message_get(t, c->id, c->adds[i].uid, &m, e);
	return rc;
}

static int
expunges_are_gone(struct index_txn *t, const struct box_change *c, struct err *e)
{
	struct idx_message m;

	for (size_t i = 0; i < c->expunge_count; i++) {
		int rc = index_message_get(t, c->id, c->expunges[i], &m, e);

		if (rc != 0)
			return rc == 1 ? 0 : -1;
	}
	return 1;
}

static bool
name_is_as_wanted(struct maildir_store *s, const struct change_set *cs)
{
	int there = maildir_exists(s, cs->name);

	switch (cs->op) {
	case MAILBOX_MAKE:
		return cs->only_parent ? there != 0 : there == 1;
	case MAILBOX_RENAME:
		return there == 0 && maildir_exists(s, cs->new_name) != 0;
	case MAILBOX_DELETE:
		return there != 1;
	case MAILBOX_NONE:
		break;
	}
	return false;
}

enum drv_rc
maildir_outcome(void *store, struct change_set *cs, bool *happened_out, struct err *e)
{
	struct maildir_store *s = store;
	const struct box_change *c = cs->box[0];
	struct index_txn *t;
	int rc;

	if (cs->op != MAILBOX_NONE) {
		*happened_out = name_is_as_wanted(s, cs);
		return DRV_OK;
	}
	if (c->flags != NULL) {
		/* Nothing to change is not told from nothing done, and does no harm a second time. */
		*happened_out = c->modseq != 0;
		return DRV_OK;
	}
	if (index_read(s->ix, &t, e) == -1)
		return drv_of(e);
	rc = cs->copy || cs->move || c->add_count > 0 ? adds_are_there(t, c, e) : expunges_are_gone(t, c, e);
	index_read_end(s->ix);
	*happened_out = rc == 1;
	return rc == -1 ? drv_of(e) : DRV_OK;
}
