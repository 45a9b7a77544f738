/* SPDX-License-Identifier: MIT */
/*
 * The hub's side of a mailbox.  Its key is the index directory's device and inode, and the mailbox id: the same for every
 * process that has it open, and for no other mailbox.  All of this is a hint: a frame lost costs a delay, never mail.
 */
#include <errno.h>
#include "lib/ipc-types.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib-storage/storage-priv.h"

void
mailbox_watch_key(const struct mailbox *box, char key_out[32], size_t *n_out, int dirs_out[2])
{
	index_identity(box->store->ix, key_out);
	be32_put(key_out + 16, box->id);
	*n_out = 20;
	if (dirs_out != NULL)
		box->drv->watch_dirs(box->handle, dirs_out);
}

void
mailbox_announce(struct mailbox *box, uint64_t modseq)
{
	struct ipc_out o;
	struct err e = ERR_INIT;
	char key[32];
	size_t n;

	if (box->st->notify_fd == -1)
		return;
	mailbox_watch_key(box, key, &n, NULL);
	ipc_begin(&o, MSG_CHANGED);
	ipc_put_bytes(&o, F_KEY, span_of(key, n));
	ipc_put_u64(&o, F_MODSEQ, modseq);
	if (ipc_send(box->st->notify_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

/* The list of a store's mailboxes: no mailbox has this id. */
#define LIST_ID UINT32_MAX
#define LIST_KEY_MAX 20
#define LIST_WATCHES 200	/* stores; more than that are not told of */

static void
list_key(const struct store *store, char out[LIST_KEY_MAX])
{
	index_identity(store->ix, out);
	be32_put(out + 16, LIST_ID);
}

static void
send_changed(struct storage *st, struct span key)
{
	struct ipc_out o;
	struct err e = ERR_INIT;

	ipc_begin(&o, MSG_CHANGED);
	ipc_put_bytes(&o, F_KEY, key);
	if (ipc_send(st->notify_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

void
store_announce_list(struct storage *st, const struct store *store)
{
	char key[LIST_KEY_MAX];

	if (st->notify_fd == -1)
		return;
	list_key(store, key);
	send_changed(st, span_of(key, sizeof(key)));
}

static int
send_watch(struct storage *st, uint32_t id, struct span key, const int dirs[2], struct err *e)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_WATCH);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_bytes(&o, F_KEY, key);
	for (int i = 0; i < 2; i++)
		if (dirs[i] != -1)
			ipc_put_fd(&o, dirs[i]);
	if (ipc_send(st->notify_fd, &o, e) == 0)
		return 0;
	ipc_out_clear(&o);
	return -1;
}

static int
send_unwatch(struct storage *st, uint32_t id, struct err *e)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_UNWATCH);
	ipc_put_u32(&o, F_ID, id);
	if (ipc_send(st->notify_fd, &o, e) == 0)
		return 0;
	ipc_out_clear(&o);
	return -1;
}

int
mailbox_watch(struct mailbox *box, bool on, struct err *e)
{
	uint32_t id = box->watch_id;
	char key[32];
	int dirs[2];
	size_t n;

	if (box->st->notify_fd == -1)
		return on ? err_set(e, ERR_TEMP, "there is no hub to tell of changes") : 0;
	if (!on) {
		box->watch_id = 0;
		return id == 0 ? 0 : send_unwatch(box->st, id, e);
	}
	if (box->watch_id == 0)
		box->watch_id = ++box->st->watch_id;
	mailbox_watch_key(box, key, &n, dirs);
	return send_watch(box->st, box->watch_id, span_of(key, n), dirs, e);
}

uint32_t
mailbox_watch_id(const struct mailbox *box)
{
	return box->watch_id;
}

int
storage_watch(struct storage *st, struct span name, unsigned items, uint32_t *id_out, struct mailbox_status *out, struct err *e)
{
	uint32_t id = *id_out == 0 ? ++st->watch_id : *id_out;
	const int no_dirs[2] = { -1, -1 };
	struct err watch_e = ERR_INIT;
	struct mailbox *box;
	char key[32];
	int dirs[2], rc;
	size_t n;

	if (mailbox_open_needing(st, name, MAILBOX_SAVE, ACL_READ, &box, e) == -1)
		return -1;
	mailbox_watch_key(box, key, &n, dirs);
	/* Descriptors on their way are limited: without them only programs outside go unnoticed.  And whoever reads notices sees
	 * that hub has gone. */
	if (st->notify_fd != -1 && send_watch(st, id, span_of(key, n), dirs, &watch_e) == -1 && watch_e.code != ERR_EOF &&
	    send_watch(st, id, span_of(key, n), no_dirs, &watch_e) == -1)
		log_debug("watch: %s", watch_e.log);
	rc = mailbox_status_get(box, items, out, e);
	mailbox_close(box);
	if (rc == 0)
		*id_out = id;
	else
		storage_unwatch(st, id);
	return rc;
}

/* Annotations have a key of their own: mail that comes is none of their business. */
#define METADATA_KEY_MAX (LIST_KEY_MAX + 1)

/* False: nobody can watch that.  made: a mailbox that the index does not know yet gets its number. */
static bool
metadata_key(struct storage *st, struct span mailbox, bool made, char out[METADATA_KEY_MAX])
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	struct mailbox *box;
	struct index_txn *t;
	struct err e = ERR_INIT;
	uint32_t id = LIST_ID;
	bool known = false;

	if (made && mailbox.n > 0 && storage_mailbox_number(st, mailbox) == 0 &&
	    mailbox_open_needing(st, mailbox, MAILBOX_SAVE, ACL_LOOKUP, &box, &e) == 0)
		mailbox_close(box);
	if (storage_resolve(st, mailbox.n == 0 ? SPAN("INBOX") : mailbox, &ns, &inner, &e) == 0) {
		known = mailbox.n == 0;
		if (!known && index_read(ns->store->ix, &t, &e) == 0) {
			known = index_mailbox_find(t, buf_span(&inner), &id, &e) == 1;
			index_read_end(ns->store->ix);
		}
		index_identity(ns->store->ix, out);
		be32_put(out + 16, id);
		out[LIST_KEY_MAX] = 'm';
	}
	buf_clear(&inner);
	return known;
}

void
storage_announce_metadata(struct storage *st, struct span mailbox)
{
	char key[METADATA_KEY_MAX];

	if (st->notify_fd != -1 && metadata_key(st, mailbox, false, key))
		send_changed(st, span_of(key, sizeof(key)));
}

int
storage_watch_metadata(struct storage *st, struct span name, uint32_t *id_out, struct err *e)
{
	uint32_t id = *id_out == 0 ? ++st->watch_id : *id_out;
	const int no_dirs[2] = { -1, -1 };
	struct err watch_e = ERR_INIT;
	char key[METADATA_KEY_MAX];

	if (!metadata_key(st, name, true, key))
		return err_set(e, ERR_NOTFOUND, "there is no such mailbox");
	if (st->notify_fd != -1 && send_watch(st, id, span_of(key, sizeof(key)), no_dirs, &watch_e) == -1)
		log_debug("watch: %s", watch_e.log);
	*id_out = id;
	return 0;
}

void
storage_unwatch(struct storage *st, uint32_t id)
{
	struct err e = ERR_INIT;

	if (id != 0 && st->notify_fd != -1 && send_unwatch(st, id, &e) == -1)
		log_debug("unwatch: %s", e.log);
}

/* Those of stores count down from the top, those of mailboxes up from 1: they do not meet. */
void
storage_watch_lists(struct storage *st, bool on)
{
	const int no_dirs[2] = { -1, -1 };
	char key[LIST_KEY_MAX];
	struct err e = ERR_INIT;
	int rc = 0;

	for (uint32_t i = 0; i < st->stores.n && i < LIST_WATCHES && st->notify_fd != -1 && rc == 0; i++) {
		list_key(*(struct store **)array_at(&st->stores, i), key);
		rc = on ? send_watch(st, LIST_ID - i, span_of(key, sizeof(key)), no_dirs, &e) : send_unwatch(st, LIST_ID - i, &e);
	}
	if (rc == -1)
		log_debug("watch: %s", e.log);
}

void
storage_read_notices(struct storage *st, struct storage_notices *n)
{
	struct ipc_msg m;
	struct err e = ERR_INIT;
	int rc;

	n->any = n->gone = n->kicked = false;
	if (st->notify_fd == -1 || ipc_msg_init(&m, &e) == -1) {
		n->gone = true;
		return;
	}
	while ((rc = ipc_recv_wait(st->notify_fd, &m, 0, &e)) == 1) {
		uint32_t id = m.type == MSG_CHANGED ? ipc_u32(&m, F_ID) : 0;

		if (m.type == MSG_KICK)
			n->kicked = true;
		n->any = n->any || m.type == MSG_CHANGED;
		if (m.type == MSG_CHANGED && n->changed != NULL)
			n->changed(n->ctx, id > LIST_ID - LIST_WATCHES ? STORAGE_LIST_CHANGED : id);
	}
	n->gone = rc == 0 || (e.code != ERR_TIMEOUT && e.code != ERR_INUSE);
	ipc_msg_clear(&m);
}

bool
mailbox_watch_read(struct mailbox *box, bool *gone_out, bool *kicked_out)
{
	struct storage_notices n = { .changed = NULL };

	storage_read_notices(box->st, &n);
	*gone_out = n.gone;
	*kicked_out = n.kicked;
	return n.any || n.gone;
}
