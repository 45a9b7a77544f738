/* SPDX-License-Identifier: MIT */
/*
 * `culveradm force-resync': what the index says of one mailbox is compared with the mail itself, whatever the time stamps
 * promise; the counts are made anew from the records; summaries are forgotten, to be made anew when somebody asks.
 */
#include "lib-storage/storage-priv.h"

static int
recount(struct index_txn *t, uint32_t id, struct err *e)
{
	struct index_walk w;
	struct idx_state st;
	int more = index_state_get(t, id, &st, e);

	if (more != 1)
		return more == 0 ? err_set(e, ERR_NOTFOUND, "mailbox was deleted") : -1;
	st.messages = st.unseen = st.deleted = st.unsized = st.dirty = 0;
	st.bytes = 0;
	more = index_walk_begin(&w, t, id, 0, e);
	while (more != -1 && (more = index_walk_next(&w, e)) == 1) {
		st.messages++;
		st.unseen += (w.m.flags & IDX_SEEN) == 0;
		st.deleted += (w.m.flags & IDX_DELETED) != 0;
		st.dirty += (w.m.bits & IDX_DIRTY) != 0;
		if (w.m.size == IDX_SIZE_UNKNOWN)
			st.unsized++;
		else
			st.bytes += w.m.size;
	}
	index_walk_end(&w);
	return more == -1 ? -1 : index_state_put(t, &st, e);
}

static int
forget_summaries(struct index_txn *t, uint32_t id, struct err *e)
{
	struct index_cursor *c = index_cursor_open(t, DB_SUMMARY, e);
	char from[IDX_KEY_MESSAGE];
	struct span key, value;
	int more;

	if (c == NULL)
		return -1;
	idx_key_message(from, id, 0);
	more = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
	while (more == 1 && key.n >= IDX_KEY_ID && be32_get(key.p) == id) {
		if (index_cursor_del(c, e) == -1) {
			more = -1;
			break;
		}
		more = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
	}
	index_cursor_close(c);
	return more == -1 ? -1 : 0;
}

int
storage_resync(struct storage *st, struct span name, struct err *e)
{
	struct index_txn *t;
	struct mailbox *box;
	int rc;

	if (mailbox_open_needing(st, name, MAILBOX_SAVE, 0, &box, e) == -1)
		return -1;
	rc = box->drv->sync(box->handle, true, e) == DRV_OK ? 0 : -1;
	if (rc == 0)
		rc = index_write(box->store->ix, &t, e);
	if (rc == 0) {
		if (recount(t, box->id, e) == 0 && forget_summaries(t, box->id, e) == 0) {
			rc = index_commit(t, e);
		} else {
			index_abort(t);
			rc = -1;
		}
	}
	mailbox_close(box);
	return rc;
}
