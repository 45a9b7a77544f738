/* SPDX-License-Identifier: MIT */
/*
 * The index made right by hand.  `culveradm force-resync': what it says of one mailbox is compared with the mail itself,
 * whatever the time stamps promise, and summaries are forgotten, to be made anew when somebody asks.  `culveradm index
 * rebuild': all that is known of the messages is forgotten.  And what is said of the index as a whole.
 */
#include "lib-storage/resync.h"
#include "lib-storage/storage-priv.h"

static int
forget_summaries(struct index_txn *t, uint32_t id, struct err *e)
{
	struct index_cursor *c = index_cursor_open(t, DB_SUMMARY, e);
	char from[IDX_KEY_MESSAGE];
	struct span key, value;
	int more;

	if (c == NULL)
		return -1;
	index_cursor_unchecked(c);
	idx_key_message(from, id, 0);
	more = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
	while (more == 1 && key.n >= IDX_KEY_ID && be32_get(key.p) == id) {
		if (index_cursor_del(c, e) == -1) {
			more = -1;
			break;
		}
		more = index_cursor_next(c, &key, &value, e);
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
	err_set(e, ERR_NONE, "asked for by force-resync");
	rc = index_mend(box->store->ix, box->id, e);
	if (rc == 0)
		rc = mailbox_driver_sync(box, true, e) == DRV_OK ? 0 : -1;
	if (rc == 0)
		rc = index_write(box->store->ix, &t, e);
	if (rc == 0) {
		if (forget_summaries(t, box->id, e) == 0) {
			rc = index_commit(t, e);
		} else {
			index_abort(t);
			rc = -1;
		}
	}
	mailbox_close(box);
	return rc;
}

int
storage_rebuild(struct storage *st, struct span name, struct err *e)
{
	struct mailbox *box;
	int rc;

	if (mailbox_open(st, name, MAILBOX_SAVE, &box, e) == -1)
		return -1;
	/* Flags that are in the index alone go into the mail first. */
	rc = box->drv->maintain(box->handle, e) == DRV_OK ? 0 : -1;
	if (rc == 0)
		rc = index_forget(box->store->ix, box->id, e);
	if (rc == 0)
		rc = mailbox_driver_sync(box, true, e) == DRV_OK ? 0 : -1;
	mailbox_close(box);
	return rc;
}

int
storage_verify(struct storage *st, struct span name, index_finding_fn *on_finding, void *ctx, struct index_verdict *out,
    struct err *e)
{
	struct mailbox *box;
	int rc = 0;

	*out = (struct index_verdict){ 0 };
	if (name.n > 0) {
		if (mailbox_open(st, name, MAILBOX_SAVE, &box, e) == -1)
			return -1;
		rc = index_verify(box->store->ix, box->id, on_finding, ctx, out, e);
		mailbox_close(box);
		return rc;
	}
	for (size_t i = 0; i < st->stores.n && rc == 0; i++) {
		struct index_verdict one;

		rc = index_verify((*(struct store **)array_at(&st->stores, i))->ix, 0, on_finding, ctx, &one, e);
		if (rc == -1)
			break;
		out->mailboxes += one.mailboxes;
		out->messages += one.messages;
		out->summaries += one.summaries;
		out->findings += one.findings;
		out->pages |= one.pages;
	}
	return rc;
}

size_t
storage_index_count(const struct storage *st)
{
	return st->stores.n;
}

const char *
storage_index_path(const struct storage *st, size_t i)
{
	return (*(struct store **)array_at(&st->stores, i))->index_path;
}

int
storage_index_compact(struct storage *st, size_t i, uint64_t *before_out, uint64_t *after_out, struct err *e)
{
	return index_compact((*(struct store **)array_at(&st->stores, i))->ix, before_out, after_out, e);
}

int
storage_index_stats(struct storage *st, size_t i, struct index_stats *out, struct err *e)
{
	return index_stats((*(struct store **)array_at(&st->stores, i))->ix, out, e);
}
