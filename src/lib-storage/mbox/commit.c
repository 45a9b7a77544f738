/* SPDX-License-Identifier: MIT */
/*
 * Making a change set true.  Messages that are added or go: the file first, under its lock, then the index (append.c,
 * rewrite.c).  Flags: the index alone, marked as waiting; the file follows behind.  A move is a copy and then an expunge: a
 * crash between the two leaves the message in both places, never in none.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"

#define BEGIN_TRIES 4

static enum drv_rc
commit_flags(struct mbox_box *box, struct change_set *cs, struct err *e)
{
	struct box_change *c = cs->box[0];
	struct index_txn *t;
	struct idx_state st;
	enum drv_rc drc = DRV_OK;
	int rc;

	/* An index that was just made knows no message yet, and would pass over all that are named. */
	for (int i = 0; i < BEGIN_TRIES; i++) {
		drc = mbox_begin(box, 0, &t, &st, e);
		if (drc != DRV_OK || !(st.bits & IDX_STATE_UNSCANNED))
			break;
		index_abort(t);
		drc = mbox_sync(box, true, e);
		if (drc != DRV_OK)
			return drc;
	}
	if (drc != DRV_OK)
		return drc;
	c->flags->dirty = true;
	rc = index_apply(t, c, &st, e);
	if (rc == 0 && c->modseq == 0) {
		index_abort(t);		/* nothing changed: nothing to write */
		return DRV_OK;
	}
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	if (rc == -1)
		return mbox_rc(e);
	box->due = !box->readonly;
	if (!box->readonly && (cs->durable || !box->store->p.mbox.lazy_writes))
		return mbox_write_behind(box, -1, e);
	return DRV_OK;
}

static enum drv_rc
commit_expunge(struct mbox_box *box, struct box_change *c, struct err *e)
{
	struct idx_state st;
	enum drv_rc drc;

	c->expunged = 0;
	c->modseq = 0;
	if (mbox_lock(box, MBOX_WRITE, -1, e) == -1)
		return mbox_rc(e);
	drc = mbox_sync_locked(box, false, &st, e);
	if (drc == DRV_OK)
		drc = mbox_rewrite(box, c, e);
	mbox_unlock(box);
	return drc;
}

/* ---- copies ---- */

/* The body of one message into a stage.  1, 0 it has gone, -1. */
static int
stage_from(struct mbox_box *from, struct mbox_box *to, uint32_t uid, int64_t date, void **out, struct err *e)
{
	struct stage_result result;
	struct extent x;
	char *room;
	uint64_t at = 0;
	int rc = 1;
	enum drv_rc drc = mbox_body_open(from, uid, &x, e);

	if (drc != DRV_OK)
		return drc == DRV_GONE ? 0 : -1;
	room = malloc(65536);
	if (room == NULL || mbox_stage_open(to, out, e) != DRV_OK)
		rc = err_set(e, ERR_TEMP, "out of memory");
	while (rc == 1 && at < x.length) {
		ssize_t n = pread(x.fd, room, 65536, (off_t)(x.offset + at));

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			rc = err_errno(e, "read a copy of a message");
		else if (mbox_stage_write(*out, span_of(room, (size_t)n), e) != DRV_OK)
			rc = -1;
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (rc == 1 && (mbox_stage_finish(*out, date, &result, e) != DRV_OK || mbox_stage_rest(*out, e) != DRV_OK))
		rc = -1;
	free(room);
	close(x.fd);
	return rc;
}

/* Fills in add from the source's record. */
static int
prepare(struct mbox_box *from, struct mbox_box *to, const struct change_set *cs, struct change_add *add, struct arena *a,
    struct err *e)
{
	struct index_txn *t;
	struct span summary = SPAN_NONE;
	struct idx_message *m = &add->rec;
	uint64_t keywords = 0;
	int rc = index_read(from->store->ix, &t, e) == -1 ? -1 : index_message_get(t, from->id, add->source_uid, m, e);

	if (rc == 1 && index_summary_get(t, from->id, add->source_uid, &summary, e) == -1)
		rc = -1;
	if (rc == 1)
		add->summary = summary.n == 0 ? SPAN_NONE : arena_dup(a, summary);
	index_read_end(from->store->ix);
	if (rc != 1)
		return rc;
	for (int i = 0; i < INDEX_KEYWORDS && m->keywords >> i != 0; i++)
		if (m->keywords >> i & 1 && cs->keyword_map[i] < INDEX_KEYWORDS)
			keywords |= (uint64_t)1 << cs->keyword_map[i];
	m->keywords = keywords;
	m->bits &= IDX_DIGEST;
	m->uidl = m->name = SPAN_NONE;
	m->save_date = time(NULL);
	return stage_from(from, to, add->source_uid, m->internal_date, &add->stage, e);
}

static enum drv_rc
copy_expunge(struct mbox_box *from, struct change_set *cs, struct arena *a, struct err *e)
{
	struct box_change *add = cs->box[0], *gone = cs->box[1];
	uint32_t *uids = arena_alloc(a, add->add_count + 1, sizeof(*uids));
	enum drv_rc drc;

	if (uids == NULL)
		return err_set(e, ERR_LIMIT, "too many messages to move at once"), DRV_ERROR;
	for (size_t i = 0; i < add->add_count; i++)
		uids[i] = add->adds[i].source_uid;
	gone->expunges = uids;
	gone->expunge_count = add->add_count;
	drc = commit_expunge(from, gone, e);
	gone->expunges = NULL;
	return drc;
}

static enum drv_rc
commit_copy(struct change_set *cs, struct err *e)
{
	struct mbox_box *to = cs->driver_box[0], *from = cs->driver_box[1];
	struct box_change *c = cs->box[0];
	struct arena *a = arena_new(SIZE_MAX / 2);
	enum drv_rc drc = a == NULL ? (err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR) : mbox_sync(from, false, e);
	size_t count = c->add_count, kept = 0;

	for (size_t i = 0; i < count; i++)
		c->adds[i].stage = NULL;
	for (size_t i = 0; i < count && drc == DRV_OK; i++) {
		struct change_add add = c->adds[i];
		int rc = prepare(from, to, cs, &add, a, e);

		if (rc != 1) {
			mbox_stage_abort(add.stage);
			add.stage = NULL;
			drc = rc == -1 ? mbox_rc(e) : DRV_OK;
			continue;
		}
		c->adds[kept++] = add;
	}
	c->add_count = kept;
	if (drc == DRV_OK && kept > 0)
		drc = mbox_append(to, cs, e);
	for (size_t i = 0; i < kept; i++) {
		mbox_stage_abort(c->adds[i].stage);
		c->adds[i].stage = NULL;
	}
	if (drc == DRV_OK && cs->move && kept > 0)
		drc = copy_expunge(from, cs, a, e);
	for (size_t i = 0; i < kept; i++)
		c->adds[i].summary = SPAN_NONE;
	if (drc != DRV_OK)
		c->add_count = count;
	arena_free(a);
	return drc;
}

/* ---- mailboxes ---- */

static enum drv_rc
commit_mailbox(struct mbox_store *s, struct change_set *cs, struct err *e)
{
	struct index_txn *t;
	uint32_t id = 0;
	bool gone = false;
	enum drv_rc drc;
	int rc;

	if (cs->op == MAILBOX_MAKE)
		return mbox_make(s, cs->name, cs->only_parent, e);
	if (index_write(s->ix, &t, e) == -1)
		return mbox_rc(e);
	rc = index_mailbox_find(t, cs->name, &id, e);
	if (rc == -1)
		drc = mbox_rc(e);
	else if (cs->op == MAILBOX_RENAME)
		drc = mbox_rename(s, cs->name, cs->new_name, e);
	else
		drc = mbox_delete(s, cs->name, e);
	if (drc == DRV_OK && rc == 1 && (cs->op == MAILBOX_RENAME ? index_mailbox_rename(t, id, cs->new_name, e) :
	    index_mailbox_remove(t, cs->name, e)) == -1)
		drc = mbox_rc(e);
	/* The file has changed already: an index that does not know is put right when the name is opened. */
	if (drc != DRV_OK)
		index_abort(t);
	else if (index_commit(t, e) == -1)
		drc = mbox_rc(e);
	else
		gone = cs->op == MAILBOX_DELETE && rc == 1;
	if (drc == DRV_OK)
		drc = mbox_sync_moved(s, cs->name, e);
	if (drc == DRV_OK && cs->op == MAILBOX_RENAME)
		drc = mbox_sync_moved(s, cs->new_name, e);
	if (gone)
		index_mailbox_sweep(s->ix, id);
	return drc;
}

enum drv_rc
mbox_commit(void *store, struct change_set *cs, struct err *e)
{
	struct mbox_box *box = cs->driver_box[0];

	if (cs->op != MAILBOX_NONE)
		return commit_mailbox(store, cs, e);
	if (cs->copy || cs->move)
		return commit_copy(cs, e);
	if (cs->box[0]->add_count > 0)
		return mbox_append(box, cs, e);
	if (cs->box[0]->flags != NULL)
		return commit_flags(box, cs, e);
	return commit_expunge(box, cs->box[0], e);
}
