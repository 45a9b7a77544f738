/* SPDX-License-Identifier: MIT */
/*
 * The hub's side of a mailbox.  Its key is the index directory's device and inode, and the mailbox id: the same for every
 * process that has it open, and for no other mailbox.  All of this is a hint: a frame lost costs a delay, never mail.
 */
#include <errno.h>
#include "lib/ipc-types.h"
#include "lib/ipc.h"
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

int
mailbox_watch(struct mailbox *box, bool on, struct err *e)
{
	struct ipc_out o;
	char key[32];
	int dirs[2];
	size_t n;

	if (box->st->notify_fd == -1)
		return on ? err_set(e, ERR_TEMP, "there is no hub to tell of changes") : 0;
	if (box->watch_id == 0)
		box->watch_id = ++box->st->watch_id;
	mailbox_watch_key(box, key, &n, dirs);
	ipc_begin(&o, on ? MSG_WATCH : MSG_UNWATCH);
	ipc_put_u32(&o, F_ID, box->watch_id);
	if (on) {
		ipc_put_bytes(&o, F_KEY, span_of(key, n));
		for (int i = 0; i < 2; i++)
			if (dirs[i] != -1)
				ipc_put_fd(&o, dirs[i]);
	} else {
		box->watch_id = 0;
	}
	if (ipc_send(box->st->notify_fd, &o, e) == -1) {
		ipc_out_clear(&o);
		return -1;
	}
	return 0;
}

bool
mailbox_watch_read(struct mailbox *box, bool *gone_out, bool *kicked_out)
{
	struct ipc_msg m;
	struct err e = ERR_INIT;
	bool due = false;
	int rc;

	*gone_out = false;
	*kicked_out = false;
	if (box->st->notify_fd == -1 || ipc_msg_init(&m, &e) == -1) {
		*gone_out = true;
		return false;
	}
	while ((rc = ipc_recv_wait(box->st->notify_fd, &m, 0, &e)) == 1) {
		if (m.type == MSG_CHANGED)
			due = true;
		else if (m.type == MSG_KICK)
			*kicked_out = true;
	}
	if (rc == 0 || (e.code != ERR_TIMEOUT && e.code != ERR_INUSE))
		*gone_out = true;
	ipc_msg_clear(&m);
	return due || *gone_out;
}
