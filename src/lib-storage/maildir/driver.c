/* SPDX-License-Identifier: MIT */
#include "lib-storage/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"

#define BODY_TRIES 3

static void
maildir_close(void *store)
{
	struct maildir_store *s = store;

	if (s == NULL)
		return;
	free(s->root);
	free(s->inbox);
	free(s->control);
	free(s->dirname);
	free(s->subscriptions);
	packer_free(s->packer);
	packer_free(s->guard);
	free(s);
}

static int
copy_path(char **out, const char *path)
{
	*out = path == NULL ? NULL : strdup(path);
	return path != NULL && *out == NULL ? -1 : 0;
}

static enum drv_rc
maildir_open(const struct store_params *p, struct index *ix, void **store_out, struct err *e)
{
	struct maildir_store *s = calloc(1, sizeof(*s));
	struct stat sb;

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	s->p = *p;
	s->ix = ix;
	/* A DIRNAME makes INBOX a folder like the others. */
	if (copy_path(&s->root, p->root) == -1 || copy_path(&s->control, p->control) == -1 ||
	    copy_path(&s->inbox, p->inbox != NULL || p->dirname != NULL ? p->inbox : p->root) == -1 ||
	    copy_path(&s->dirname, p->dirname) == -1 || copy_path(&s->subscriptions, p->subscriptions) == -1) {
		maildir_close(s);
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	}
	s->p.root = s->p.inbox = s->p.control = s->p.dirname = s->p.subscriptions = NULL;
	if (stat(s->root, &sb) == -1) {
		err_errno(e, "%s", s->root);
		maildir_close(s);
		return drv_of(e);
	}
	s->perm = maildir_perm_of(&sb);
	*store_out = s;
	return DRV_OK;
}

/* 1: x is filled in; 0: the file is not there, -1. */
static int
open_as(struct maildir_box *box, const struct idx_message *m, const char *path, struct extent *x, struct err *e)
{
	struct maildir_name n;
	struct stat sb;

	x->fd = openat(box->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (x->fd == -1)
		return errno == ENOENT ? 0 : err_errno(e, "open %s/%s", box->path, path);
	/* Where directories tell no types, a FIFO was counted as a message. */
	if (fstat(x->fd, &sb) == -1 || !S_ISREG(sb.st_mode)) {
		close(x->fd);
		x->fd = -1;
		return err_set(e, ERR_DENIED, "%s/%s is no plain file", box->path, path);
	}
	x->offset = 0;
	x->length = (uint64_t)sb.st_size;
	x->plain_length = maildir_name_parse(m->name, &n) && n.size != IDX_SIZE_UNKNOWN ? n.size : 0;
	x->facts_wanted = (m->bits & IDX_BY_NAME) != 0;
	x->facts = (struct file_facts){ .internal_date = sb.st_mtim.tv_sec, .octets = (uint64_t)sb.st_size };
	return 1;
}

static int
look_as(struct maildir_box *box, const char *path, struct file_facts *out, struct err *e)
{
	struct stat sb;

	if (fstatat(box->fd, path, &sb, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_errno(e, "stat %s/%s", box->path, path);
	*out = (struct file_facts){ .internal_date = sb.st_mtim.tv_sec, .octets = (uint64_t)sb.st_size };
	return 1;
}

/* The record's name, a few times over: another process of ours may just be renaming.  Into one of the two. */
static enum drv_rc
find_file(struct maildir_box *box, uint32_t uid, struct extent *x, struct file_facts *facts, struct err *e)
{
	char path[MAILDIR_NAME_MAX + 8];

	for (int try = 0; try < BODY_TRIES; try++) {
		struct idx_message m;
		struct index_txn *t;
		enum drv_rc drc;
		int rc;

		if (index_read(box->store->ix, &t, e) == -1)
			return drv_of(e);
		rc = index_message_get(t, box->id, uid, &m, e);
		if (rc == 0)
			err_set(e, ERR_GONE, "message %u of %s was expunged", uid, box->name);
		if (rc != 1)
			return drv_of(e);
		snprintf(path, sizeof(path), "%s/%.*s", maildir_subdirs[m.bits & IDX_NEW ? SUB_NEW : SUB_CUR], SPAN_ARG(m.name));
		rc = x != NULL ? open_as(box, &m, path, x, e) : look_as(box, path, facts, e);
		if (rc != 0)
			return rc == 1 ? DRV_OK : drv_of(e);
		/* First the newest record, then what other programs did. */
		index_read_end(box->store->ix);
		if (try > 0 && (drc = maildir_sync(box, true, e)) != DRV_OK)
			return drc;
	}
	return err_set(e, ERR_GONE, "the file of message %u in %s is missing: %s", uid, box->path, path), DRV_GONE;
}

enum drv_rc
maildir_body_open(void *b, uint32_t uid, struct extent *out, struct err *e)
{
	return find_file(b, uid, out, NULL, e);
}

static enum drv_rc
maildir_look(void *b, uint32_t uid, struct file_facts *out, struct err *e)
{
	return find_file(b, uid, NULL, out, e);
}

static int
blob_dir(struct maildir_store *s)
{
	return open(s->control == NULL ? s->root : s->control, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum drv_rc
maildir_blob_get(void *store, const char *name, size_t max, struct buf *out, struct err *e)
{
	int dir = blob_dir(store), fd = dir == -1 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC), rc;

	if (dir != -1)
		close(dir);
	if (fd == -1)
		return errno == ENOENT ? DRV_OK : (err_errno(e, "open %s", name), drv_of(e));
	rc = fd_read_all(fd, max, out, e);
	close(fd);
	return rc == 0 ? DRV_OK : drv_of(e);
}

static enum drv_rc
maildir_blob_put(void *store, const char *name, struct span content, struct err *e)
{
	struct maildir_store *s = store;
	int dir = blob_dir(s), rc;

	if (dir == -1 && s->control != NULL && errno == ENOENT && dir_make(s->control, s->perm.dir & 0777, e) == 0)
		dir = blob_dir(s);
	if (dir == -1)
		return err_errno(e, "open the directory of %s", name), drv_of(e);
	rc = file_replace(dir, name, content, s->perm.file, s->p.fsync != FSYNC_NEVER, e);
	close(dir);
	return rc == 0 ? DRV_OK : drv_of(e);
}

static enum drv_rc
maildir_box_dir(void *store, struct span name, int *fd_out, struct err *e)
{
	struct maildir_store *s = store;
	char *path = name.n == 0 ? strdup(s->root) : maildir_path(s, name, e);

	if (path == NULL)
		return err_set(e, ERR_NOTFOUND, "no directory for %.*s", SPAN_ARG(name)), DRV_GONE;
	*fd_out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_out == -1)
		err_errno(e, "open %s", path);
	free(path);
	return *fd_out == -1 ? drv_of(e) : DRV_OK;
}

static void
maildir_watch_dirs(void *b, int dirs_out[2])
{
	struct maildir_box *box = b;

	for (int i = 0; i < 2; i++)
		dirs_out[i] = maildir_sub_fd(box, i);
}

const struct driver maildir_driver = {
	.name = "maildir",
	.caps = DRV_OUTSIDE_CHANGES | DRV_SHARED_BODIES | DRV_PACKED_BODIES,
	.open = maildir_open,
	.close = maildir_close,
	.list = maildir_list,
	.exists = maildir_exists,
	.box_open = maildir_box_open,
	.box_close = maildir_box_close,
	.sync = maildir_sync,
	.commit = maildir_commit,
	.outcome = maildir_outcome,
	.stage_open = maildir_stage_open,
	.stage_write = maildir_stage_write,
	.stage_finish = maildir_stage_finish,
	.stage_rest = maildir_stage_rest,
	.stage_abort = maildir_stage_abort,
	.names = maildir_names,
	.uidls_save = maildir_uidls_save,
	.release = maildir_release,
	.held_by = maildir_held_by,
	.take_back = maildir_take_back,
	.body_open = maildir_body_open,
	.look = maildir_look,
	.blob_get = maildir_blob_get,
	.blob_put = maildir_blob_put,
	.box_dir = maildir_box_dir,
	.metadata = MAILDIR_METADATA,
	.foreign_guid = maildir_foreign_guid,
	.keywords_add = maildir_keywords_add,
	.keywords_max = maildir_keywords_max,
	.maintain = maildir_maintain,
	.check = maildir_check,
	.is_due = maildir_is_due,
	.watch_dirs = maildir_watch_dirs,
};
