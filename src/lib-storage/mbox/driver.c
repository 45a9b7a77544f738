/* SPDX-License-Identifier: MIT */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/sys.h"

#define CONTROL_DIR ".culver.control"

static void
mbox_close(void *store)
{
	struct mbox_store *s = store;

	if (s == NULL)
		return;
	free(s->root);
	free(s->inbox);
	free(s->control);
	free(s->dirname);
	free(s->subscriptions);
	free(s);
}

static int
set_paths(struct mbox_store *s, const struct store_params *p, struct err *e)
{
	int rc = 0;

	s->root = strdup(p->root);
	if (p->inbox != NULL)
		s->inbox = strdup(p->inbox);
	else if (asprintf(&s->inbox, "%s/inbox", p->root) == -1)
		s->inbox = NULL;
	s->control_given = p->control != NULL;
	if (p->control != NULL)
		s->control = strdup(p->control);
	else if (asprintf(&s->control, "%s/" CONTROL_DIR, p->index != NULL ? p->index : p->root) == -1)
		s->control = NULL;
	s->dirname = p->dirname == NULL ? NULL : strdup(p->dirname);
	s->subscriptions = strdup(p->subscriptions);
	if (s->root == NULL || s->inbox == NULL || s->control == NULL || s->subscriptions == NULL ||
	    (p->dirname != NULL && s->dirname == NULL))
		rc = err_set(e, ERR_TEMP, "out of memory");
	s->p.root = s->p.inbox = s->p.control = s->p.index = s->p.dirname = s->p.subscriptions = NULL;
	return rc;
}

static enum drv_rc
mbox_open(const struct store_params *p, struct index *ix, void **store_out, struct err *e)
{
	struct mbox_store *s = calloc(1, sizeof(*s));
	struct stat sb;

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	s->p = *p;
	s->ix = ix;
	s->privileged = mbox_privileged_group();
	if (set_paths(s, p, e) == -1 || (stat(s->root, &sb) == -1 && err_errno(e, "%s", s->root) == -1)) {
		mbox_close(s);
		return mbox_rc(e);
	}
	s->dir_mode = (sb.st_mode & 02777) | 0700;
	*store_out = s;
	return DRV_OK;
}

static int
blob_dir(struct mbox_store *s, const char *name, bool make, char file[300], struct err *e)
{
	const char *dir = s->control_given ? s->control : s->root;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* What has no dot before it would be a mailbox. */
	snprintf(file, 300, "%s%s", strcmp(name, s->subscriptions) == 0 || name[0] == '.' ? "" : ".", name);
	if (fd == -1 && errno == ENOENT && make && dir_make(dir, s->dir_mode, e) == 0)
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

static enum drv_rc
mbox_blob_get(void *store, const char *name, size_t max, struct buf *out, struct err *e)
{
	char file[300];
	int dir = blob_dir(store, name, false, file, e), fd = dir == -1 ? -1 : openat(dir, file, O_RDONLY | O_CLOEXEC), rc;

	if (dir != -1)
		close(dir);
	if (fd == -1)
		return errno == ENOENT ? DRV_OK : (err_errno(e, "open %s", name), mbox_rc(e));
	rc = fd_read_all(fd, max, out, e);
	close(fd);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

static enum drv_rc
mbox_blob_put(void *store, const char *name, struct span content, struct err *e)
{
	struct mbox_store *s = store;
	char file[300];
	int dir = blob_dir(s, name, true, file, e), rc;

	if (dir == -1)
		return err_errno(e, "open the directory of %s", name), mbox_rc(e);
	rc = file_replace(dir, file, content, s->dir_mode & 0666, s->p.fsync != FSYNC_NEVER, e);
	close(dir);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

static enum drv_rc
mbox_box_dir(void *store, struct span name, int *fd_out, struct err *e)
{
	struct mbox_store *s = store;
	char *path = name.n == 0 ? strdup(s->control) : mbox_control_path(s, name, e);

	if (path == NULL)
		return e->code == ERR_NONE ? (err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR) : mbox_rc(e);
	*fd_out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* It comes with the first use of the mailbox, and this is one. */
	if (*fd_out == -1 && errno == ENOENT && (name.n == 0 || mbox_exists(s, name) == 1) &&
	    dir_make(path, s->dir_mode, e) == 0)
		*fd_out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_out == -1)
		err_errno(e, "open %s", path);
	free(path);
	return *fd_out != -1 ? DRV_OK : mbox_rc(e);
}

/*
 * The file itself: the directory of a spool would tell of everybody's mail.  A descriptor that can only be looked at: its
 * holder must not be able to write mail, and closing it does not give up locks.
 */
static void
mbox_watch_dirs(void *b, int dirs_out[2])
{
	struct mbox_box *box = b;

	if (box->watch_fd == -1)
		box->watch_fd = open(box->path, O_PATH | O_CLOEXEC);
	dirs_out[0] = box->watch_fd;
	dirs_out[1] = -1;
}

/* The file tells, and no answer of ours leaves it open. */
static enum drv_rc
mbox_outcome(void *store, struct change_set *cs, bool *happened_out, struct err *e)
{
	(void)store;
	(void)cs;
	(void)e;
	*happened_out = false;
	return DRV_OK;
}

const struct driver mbox_driver = {
	.name = "mbox",
	.caps = DRV_OUTSIDE_CHANGES,
	.open = mbox_open,
	.close = mbox_close,
	.list = mbox_list,
	.exists = mbox_exists,
	.box_open = mbox_box_open,
	.box_close = mbox_box_close,
	.sync = mbox_sync,
	.commit = mbox_commit,
	.outcome = mbox_outcome,
	.stage_open = mbox_stage_open,
	.stage_write = mbox_stage_write,
	.stage_finish = mbox_stage_finish,
	.stage_rest = mbox_stage_rest,
	.stage_abort = mbox_stage_abort,
	.body_open = mbox_body_open,
	.blob_get = mbox_blob_get,
	.blob_put = mbox_blob_put,
	.box_dir = mbox_box_dir,
	.metadata = MBOX_METADATA,
	.keywords_add = mbox_keywords_add,
	.keywords_max = mbox_keywords_max,
	.maintain = mbox_maintain,
	.check = mbox_check,
	.is_due = mbox_is_due,
	.watch_dirs = mbox_watch_dirs,
};
