/* SPDX-License-Identifier: MIT */
#include "lib-deliver/procmail-host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib-deliver/procmail-folder.h"
#include "lib/sys.h"

#define LOCK_OCTETS 255		/* in a lock file, at most */

/* dir and name as a path; an absolute name is one already. */
int
procmail_path(struct span dir, struct span name, char out[PROCMAIL_PATH], struct err *e)
{
	int n;

	if (name.n == 0 || span_chr(name, '\0') < name.n || span_chr(dir, '\0') < dir.n)
		return err_set(e, ERR_SYNTAX, "not a file name");
	if (name.p[0] == '/' || dir.n == 0)
		n = snprintf(out, PROCMAIL_PATH, "%.*s", SPAN_ARG(name));
	else
		n = snprintf(out, PROCMAIL_PATH, "%.*s/%.*s", SPAN_ARG(dir), SPAN_ARG(name));
	return n < 0 || n >= PROCMAIL_PATH ? err_set(e, ERR_LIMIT, "the file name is too long") : 0;
}

static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	char path[PROCMAIL_PATH];
	struct stat st;
	int fd, rc = -1;

	(void)ctx;
	if (procmail_path(dir, name, path, e) == -1)
		return -1;
	/* Not to wait for who might write into a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return err_errno(e, "%s", path);
	if (fstat(fd, &st) == -1)
		err_errno(e, "%s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_DENIED, "%s is not a plain file", path);
	else if (st.st_mode & S_IWOTH)
		err_set(e, ERR_DENIED, "%s can be written by everyone", path);
	else
		rc = fd_read_all(fd, out->max, out, e);
	close(fd);
	return rc;
}

static int
on_enter(void *ctx, struct span dir, struct err *e)
{
	char path[PROCMAIL_PATH];
	struct stat st;

	(void)ctx;
	if (procmail_path(SPAN_NONE, dir, path, e) == -1)
		return -1;
	if (stat(path, &st) == -1 || access(path, X_OK) == -1)
		return err_errno(e, "%s", path);
	return S_ISDIR(st.st_mode) ? 0 : err_set(e, ERR_NOTFOUND, "%s is not a directory", path);
}

static bool
on_is_file(void *ctx, struct span dir, struct span name)
{
	char path[PROCMAIL_PATH];
	struct stat st;
	struct err e = ERR_INIT;

	(void)ctx;
	return procmail_path(dir, name, path, &e) == 0 && stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static bool
on_is_dir(void *ctx, struct span dir, struct span name)
{
	char path[PROCMAIL_PATH];
	struct stat st;
	struct err e = ERR_INIT;

	(void)ctx;
	return procmail_path(dir, name, path, &e) == 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	struct procmail_files *f = ctx;
	mode_t before;
	int rc;

	if (d->place == PROCMAIL_PLACE_MAILBOX) {
		struct span name = span_from(d->names[0], strlen(PROCMAIL_MAILBOX_PREFIX));

		if (f->save == NULL)
			return err_set(e, ERR_NOTFOUND, "there are no mailboxes here");
		buf_add(out, d->names[0]);
		return f->save(f->ctx, name, d->text, e);
	}
	before = umask((mode_t)(d->umask & 0777));
	rc = procmail_folder_save(f, d, out, e);
	(void)umask(before);
	return rc;
}

static int
on_forward(void *ctx, const struct span *addresses, size_t count, struct span text, struct err *e)
{
	struct procmail_files *f = ctx;

	return f->forward(f->ctx, addresses, count, text, e);
}

static int
on_run(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e)
{
	struct procmail_files *f = ctx;
	struct program_request r = { .argv = p->argv, .argc = p->argc, .env = p->env, .env_count = p->env_count, .dir = p->dir,
		.input = p->input, .output_max = p->output_max, .timeout = p->timeout, .umask = p->umask,
		.ignore_write_errors = p->ignore_write_errors, .or_shell = true };

	if (!f->programs)
		return err_set(e, ERR_DENIED, "programs are switched off");
	if (f->deadline_ms != 0) {
		int64_t left = (f->deadline_ms - clock_ms() + 999) / 1000;

		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "the time for this message is used up");
		if (r.timeout == 0 || r.timeout > left)
			r.timeout = (unsigned)left;
	}
	if (f->helper != NULL)
		return program_helper_run(f->helper, &r, out, said, status, e);
	return program_run(&r, &f->limits, out, said, status, e);
}

/*
 * Whether it may be one: programs write nothing into theirs, a digit, or who has it.  A folder of the name that a recipe gives to the
 * lock is none, however old it is.
 */
static bool
may_be_lock(const char *path)
{
	struct stat st;
	char head[5];
	ssize_t n;
	int fd;

	if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode))
		return true;			/* not there any more, or a link, as some programs make them */
	if (st.st_size > LOCK_OCTETS)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return true;
	n = read(fd, head, sizeof(head));
	close(fd);
	return n < (ssize_t)sizeof(head) || memcmp(head, "From ", sizeof(head)) != 0;
}

/* Takes away a lock that nobody has touched for longer than timeout; whether it did. */
static bool
break_lock(const char *path, unsigned timeout)
{
	struct stat st;

	if (timeout == 0 || lstat(path, &st) == -1 || time(NULL) - st.st_mtime <= (time_t)timeout)
		return false;
	return unlink(path) == 0;
}

static int
on_lock(void *ctx, const struct procmail_lock *l, struct err *e)
{
	const struct procmail_files *f = ctx;
	char path[PROCMAIL_PATH];
	int64_t deadline = clock_ms() + (int64_t)(f->lock_wait == 0 ? PROCMAIL_LOCK_WAIT : f->lock_wait) * 1000;
	unsigned wait_ms = 20;

	if (procmail_path(l->dir, l->name, path, e) == -1)
		return -1;
	if (f->deadline_ms != 0 && f->deadline_ms < deadline)
		deadline = f->deadline_ms;
	for (;;) {
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

		if (fd != -1) {
			(void)!write(fd, "0", 1);	/* as lockfile(1) does */
			close(fd);
			return 0;
		}
		if (errno != EEXIST)
			return err_errno(e, "%s", path);
		if (!may_be_lock(path))
			return err_set(e, ERR_EXISTS, "%s is no lock file", path);
		if (break_lock(path, l->timeout))
			continue;
		if (clock_ms() >= deadline)
			return err_set(e, ERR_INUSE, "%s is held by another program", path);
		/* Others may hold it for moments only: LOCKSLEEP is the longest pause. */
		usleep(wait_ms * 1000);
		wait_ms = wait_ms < 500 ? wait_ms * 2 : wait_ms;
		if (l->sleep > 0 && wait_ms > l->sleep * 1000)
			wait_ms = l->sleep * 1000;
	}
}

static void
on_unlock(void *ctx, struct span dir, struct span name)
{
	char path[PROCMAIL_PATH];
	struct err e = ERR_INIT;
	struct stat st;

	(void)ctx;
	/* Another size: somebody else's by now, or a program has written mail to it. */
	if (procmail_path(dir, name, path, &e) == 0 && lstat(path, &st) == 0 && st.st_size <= 1)
		(void)unlink(path);
}

static int
open_log(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
}

static int
on_open_log(void *ctx, struct span dir, struct span name, unsigned mask, struct err *e)
{
	char path[PROCMAIL_PATH];
	mode_t before;
	int fd;

	(void)ctx;
	if (procmail_path(dir, name, path, e) == -1)
		return -1;
	before = umask((mode_t)(mask & 0777));
	fd = open_log(path, 0667);	/* as procmail's */
	(void)umask(before);
	if (fd == -1)
		return err_errno(e, "%s", path);
	close(fd);
	return 0;
}

static void
on_log(void *ctx, struct span dir, struct span name, struct span text)
{
	struct procmail_files *f = ctx;
	char path[PROCMAIL_PATH];
	struct err e = ERR_INIT;
	struct stat st;
	int fd = -1;

	if (name.n > 0 && procmail_path(dir, name, path, &e) == 0)
		fd = open_log(path, 0600);
	if (fd == -1) {
		if (f->log != NULL)
			f->log(f->ctx, text);
		return;
	}
	f->logged += text.n;
	if (fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || f->log_max == 0 || (uint64_t)st.st_size + text.n <= f->log_max) &&
	    (f->log_limit == 0 || f->logged <= f->log_limit))
		(void)fd_write_all(fd, text, &e);
	close(fd);
}

static int64_t
on_now(void *ctx)
{
	(void)ctx;
	return (int64_t)time(NULL);
}

static void
on_pause(void *ctx, unsigned seconds)
{
	const struct procmail_files *f = ctx;
	int64_t left_ms = f->deadline_ms - clock_ms();

	if (f->deadline_ms == 0 || left_ms > (int64_t)seconds * 1000)
		sleep(seconds);
	else if (left_ms > 0)
		usleep((useconds_t)left_ms * 1000);
}

void
procmail_files_host(struct procmail_files *f, struct procmail_host *out)
{
	*out = (struct procmail_host){ .ctx = f, .read = on_read, .enter = on_enter, .is_dir = on_is_dir,
		.is_file = on_is_file, .deliver = on_deliver,
		.forward = f->forward == NULL ? NULL : on_forward, .run = on_run, .lock = on_lock, .unlock = on_unlock,
		.open_log = on_open_log, .log = on_log, .now = on_now, .pause = on_pause };
}
