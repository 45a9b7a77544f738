/* SPDX-License-Identifier: MIT */
/*
 * INDEXPVT: in a mailbox of several users \Seen is each one's own; all other flags are everybody's.
 *
 * A user's \Seen of one mailbox are UIDs in a small file in his directory, named after UIDVALIDITY and id of the mailbox: the
 * same whatever it is called, and whatever becomes of the index.  It is replaced by rename and synced.  Messages whose \Seen
 * changes get a new MODSEQ in the common index, so that the user's other sessions, and CONDSTORE, learn of it as of any other
 * change.  (Other users' sessions look at the message too, and find its flags as they were.)
 *
 * The file first, then the index: who sees the new MODSEQ sees the new state.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-storage/seen-set.h"
#include "lib-storage/storage-priv.h"

struct private {
	int dir;
	char name[64];
	struct seen_set seen;
	struct stat stamp;	/* of the file as it was read; st_ino 0: there was none */
};

static int
reload(struct private *p, struct err *e)
{
	struct buf text = BUF_INIT(SEEN_FILE_MAX + 1);
	struct stat sb;
	int fd, rc;

	if (fstatat(p->dir, p->name, &sb, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT)
			return err_errno(e, "stat %s", p->name);
		p->seen.ranges.n = 0;
		p->stamp.st_ino = 0;
		return 0;
	}
	if (sb.st_ino == p->stamp.st_ino && sb.st_size == p->stamp.st_size &&
	    sb.st_mtim.tv_sec == p->stamp.st_mtim.tv_sec && sb.st_mtim.tv_nsec == p->stamp.st_mtim.tv_nsec)
		return 0;
	fd = openat(p->dir, p->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return err_errno(e, "open %s", p->name);
	rc = fstat(fd, &sb) == -1 ? err_errno(e, "stat %s", p->name) : fd_read_all(fd, SEEN_FILE_MAX, &text, e);
	close(fd);
	if (rc == 0) {
		p->seen.ranges.n = 0;
		if (text.n == 0 || !seen_parse(&p->seen, buf_span(&text)))
			log_warning("%s: not understood; all messages count as unseen", p->name);
		p->stamp = sb;
	}
	buf_clear(&text);
	return rc;
}

int
private_open(struct mailbox *box, struct err *e)
{
	struct private *p = calloc(1, sizeof(*p));
	struct index_txn *t;
	struct idx_state st;
	int rc;

	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	box->private = p;
	p->dir = -1;
	p->seen = SEEN_SET_INIT;
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	index_read_end(box->store->ix);
	if (rc != 1)
		return rc == -1 ? -1 : err_set(e, ERR_NOTFOUND, "mailbox was deleted");
	snprintf(p->name, sizeof(p->name), "culver-seen.%u.%u", st.uidvalidity, box->id);
	if (dir_make(box->ns->pvt, 0700, e) == -1)
		return -1;
	p->dir = open(box->ns->pvt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir == -1)
		return err_errno(e, "open %s", box->ns->pvt);
	return reload(p, e) == 0 ? 0 : err_wrap(e, "%s", box->ns->pvt);
}

void
private_close(struct mailbox *box)
{
	struct private *p = box->private;

	if (p == NULL)
		return;
	if (p->dir != -1)
		close(p->dir);
	seen_clear(&p->seen);
	free(p);
	box->private = NULL;
}

int
private_refresh(struct mailbox *box, struct err *e)
{
	return reload(box->private, e);
}

bool
private_seen(const struct mailbox *box, uint32_t uid)
{
	return seen_has(&box->private->seen, uid);
}

int
private_change(struct mailbox *box, const uint32_t *uids, size_t count, bool on, struct err *e)
{
	struct private *p = box->private;
	struct buf text = BUF_INIT(SEEN_FILE_MAX);
	int rc;

	if (count == 0)
		return 0;
	/* The directory's lock: two sessions of the user do not lose each other's changes. */
	if (fd_flock(p->dir, LOCK_EX) == -1)
		return err_errno(e, "lock %s", box->ns->pvt);
	rc = reload(p, e);
	if (rc == 0 && !seen_change(&p->seen, uids, count, on))
		rc = err_set(e, ERR_LIMIT, "too many gaps between seen messages");
	if (rc == 0) {
		seen_write(&text, &p->seen);
		rc = text.failed ? err_set(e, ERR_LIMIT, "too many gaps between seen messages") :
		    file_replace(p->dir, p->name, buf_span(&text), 0600, box->st->conf.fsync != FSYNC_NEVER, e);
		if (rc == 0 && fstatat(p->dir, p->name, &p->stamp, AT_SYMLINK_NOFOLLOW) == -1)
			p->stamp.st_ino = 0;
	}
	/* What could not be written is not so. */
	if (rc == -1)
		memset(&p->stamp, 0xff, sizeof(p->stamp));
	fd_flock(p->dir, LOCK_UN);
	buf_clear(&text);
	return rc == 0 ? 0 : err_wrap(e, "%s", box->ns->pvt);
}

/* Those of uids whose \Seen is not as it is to be; in arena. */
static int
find_changing(struct mailbox *box, const uint32_t *uids, size_t count, bool on, struct arena *a, struct uid_list *out, struct err *e)
{
	if (private_refresh(box, e) == -1)
		return -1;
	out->count = 0;
	out->uids = arena_alloc(a, count + 1, sizeof(uint32_t));
	if (out->uids == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	for (size_t i = 0; i < count; i++)
		if (private_seen(box, uids[i]) != on)
			out->uids[out->count++] = uids[i];
	return 0;
}

/* touched without those of failed. */
static void
subtract(struct uid_list *touched, const struct change_flags *f)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < touched->count; i++) {
		while (k < f->failed_count && f->failed[k] < touched->uids[i])
			k++;
		if (k == f->failed_count || f->failed[k] != touched->uids[i])
			touched->uids[n++] = touched->uids[i];
	}
	touched->count = n;
}

static int
store_seen(struct mailbox *box, struct change_flags *f, struct change_set *cs, struct arena *a, struct err *e)
{
	bool on = (f->flags & IDX_SEEN) != 0 && f->op != CHANGE_REMOVE;
	bool asked = (f->keep & IDX_SEEN) == 0 && (f->op == CHANGE_SET || (f->flags & IDX_SEEN) != 0);
	struct uid_list touched = { NULL, 0 };

	f->flags &= (uint8_t)~IDX_SEEN;
	f->keep |= IDX_SEEN;
	if (!asked)
		return store_commit(box->store, cs, e);
	if (find_changing(box, f->uids, f->count, on, a, &touched, e) == -1)
		return -1;
	f->touch = touched.uids;
	f->touch_count = touched.count;
	if (!f->conditional)
		return private_change(box, touched.uids, touched.count, on, e) == -1 ? -1 : store_commit(box->store, cs, e);
	/* Which of them it is for, the index decides.  Once more then, behind the file: see above. */
	if (f->failed == NULL && (f->failed = arena_alloc(a, f->count + 1, sizeof(uint32_t))) == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	if (store_commit(box->store, cs, e) == -1)
		return -1;
	subtract(&touched, f);
	if (touched.count == 0)
		return 0;
	if (private_change(box, touched.uids, touched.count, on, e) == -1)
		return -1;
	return private_touch(box, touched.uids, touched.count, e);
}

int
private_store(struct mailbox *box, struct change_flags *f, struct change_set *cs, struct err *e)
{
	uint32_t *failed = f->failed;
	struct arena *a = arena_new((size_t)64 << 20);
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : store_seen(box, f, cs, a, e);

	f->failed = failed;
	arena_free(a);
	return rc;
}

int
private_touch(struct mailbox *box, const uint32_t *uids, size_t count, struct err *e)
{
	struct change_flags f = { .uids = uids, .count = count, .op = CHANGE_ADD, .touch = uids, .touch_count = count };
	struct box_change c = { .id = box->id, .flags = &f };
	struct change_set cs = { .box = { &c, NULL }, .driver_box = { box->handle, NULL } };

	if (count == 0)
		return 0;
	index_read_end(box->store->ix);
	if (store_commit(box->store, &cs, e) == -1)
		return -1;
	if (c.modseq > 0)
		mailbox_announce(box, c.modseq);
	return 0;
}

int
private_unseen(struct mailbox *box, uint32_t *out, struct err *e)
{
	struct index_txn *t;
	struct index_walk w;
	int rc;

	*out = 0;
	if (private_refresh(box, e) == -1 || index_read(box->store->ix, &t, e) == -1 ||
	    index_walk_begin(&w, t, box->id, 1, e) == -1)
		return -1;
	w.brief = true;
	while ((rc = index_walk_next(&w, e)) == 1)
		*out += !private_seen(box, w.uid);
	index_walk_end(&w);
	return rc;
}
