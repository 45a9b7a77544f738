/* SPDX-License-Identifier: MIT */
/*
 * Two locks.  The box's own is flock() on its control directory: it keeps our processes apart, in turn and without polling
 * of files, and it dies with its holder.  Those of the settings keep other programs out: they are taken on the file in the
 * configured order, the same for all.
 *
 * A lock file ("dotlock") says who made it: pid:host.  One whose process is gone from this host is removed at once; another
 * when neither it nor the mailbox has changed for mbox_dotlock_change_timeout.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define WAIT_FIRST_US 500
#define WAIT_MOST_US 50000
#define END_WAIT_MS 500		/* that a process which is told to end waits for a lock, all in all */
#define TOUCH_EVERY_MS 10000
#define REOPEN_TRIES 20

gid_t
mbox_privileged_group(void)
{
	gid_t real, effective, saved;

	return getresgid(&real, &effective, &saved) == 0 && saved != effective && saved != real ? saved : (gid_t)-1;
}

void
mbox_privileges_up(const struct mbox_store *s)
{
	if (s->privileged != (gid_t)-1)
		setfsgid(s->privileged);
}

void
mbox_privileges_down(const struct mbox_store *s)
{
	if (s->privileged != (gid_t)-1)
		setfsgid(getegid());
}

/* Sleeps a little, longer each time.  False when the time is over, or that of the process: who stops the server has no patience. */
static bool
wait_more(int64_t deadline, long *us)
{
	struct timespec ts = { .tv_nsec = *us * 1000 };
	int64_t now = clock_ms(), told = end_wanted_ms();

	if (now >= deadline || (told != 0 && now >= told + END_WAIT_MS))
		return false;
	nanosleep(&ts, NULL);
	*us = *us * 2 < WAIT_MOST_US ? *us * 2 : WAIT_MOST_US;
	return true;
}

/* ---- the lock file ---- */

static bool
holder_is_dead(int fd)
{
	char text[300];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	struct span pid, host, rest;
	uint64_t v;

	if (n <= 0)
		return false;
	rest = span_trim(span_of(text, (size_t)n));
	if (!span_next(&rest, ':', &pid) || !span_next(&rest, ':', &host) || !span_eq(host, span_str(host_name())) ||
	    !span_u64(pid, INT32_MAX, &v) || v == 0)
		return false;
	/* Our own number: of a process that had it before us, since we hold none. */
	return (pid_t)v == getpid() || (kill((pid_t)v, 0) == -1 && errno == ESRCH);
}

/* Removes a lock file that nobody holds any more.  1 when it is gone; -1: the disk does not let us, and waiting is no use. */
static int
remove_stale(struct mbox_box *box, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
	struct stat mine, now, file;
	bool dead;

	if (lstat(path, &mine) == -1) {
		int why = errno;

		if (fd != -1)
			close(fd);
		errno = why;
		return why == ENOENT ? 1 : why == EACCES ? 0 : err_errno(e, "stat the lock file %s", path);
	}
	dead = fd != -1 && S_ISREG(mine.st_mode) && holder_is_dead(fd);
	if (fd != -1)
		close(fd);
	if (!dead) {
		int64_t last = mine.st_mtim.tv_sec > mine.st_ctim.tv_sec ? mine.st_mtim.tv_sec : mine.st_ctim.tv_sec;

		if (stat(box->path, &file) == 0 && file.st_mtim.tv_sec > last)
			last = file.st_mtim.tv_sec;
		dead = last + box->store->p.mbox.dotlock_change_ms / 1000 < time(NULL);
	}
	if (dead && lstat(path, &now) == 0 && now.st_ino == mine.st_ino && now.st_ctim.tv_sec == mine.st_ctim.tv_sec &&
	    now.st_ctim.tv_nsec == mine.st_ctim.tv_nsec) {
		if (unlink(path) == 0) {
			log_info("%s: removed a lock file that nobody holds", path);
			rc = 1;
		} else if (errno != ENOENT && errno != EACCES && errno != EPERM) {
			rc = err_errno(e, "remove the lock file %s, which nobody holds", path);
		}
	}
	return rc;
}

/* Says whose it is. */
static int
dotlock_fill(struct mbox_box *box, int fd)
{
	char text[300];
	int n = snprintf(text, sizeof(text), "%d:%s\n", (int)getpid(), host_name());
	struct err e = ERR_INIT;

	return fd_write_all(fd, span_of(text, (size_t)n), &e) == -1 || fstat(fd, &box->dotlock_sb) == -1 ? -1 : 0;
}

/*
 * A file without a name gets that of the lock when its text is there: who dies in the middle leaves none that says nothing.
 * 0; 1: the system has no such thing; -1: errno.
 */
static int
dotlock_appear(struct mbox_box *box, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1), from[40];
	int fd = dir == NULL ? -1 : open(dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644), rc, why;

	free(dir);
	if (fd == -1)
		return 1;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	rc = dotlock_fill(box, fd);
	if (rc == 0 && linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == -1)
		rc = errno == ENOENT || errno == EXDEV || errno == EPERM || errno == EACCES ? 1 : -1;
	why = errno;
	close(fd);
	errno = why;
	return rc;
}

static int
dotlock_make(struct mbox_box *box, const char *path)
{
	int rc = dotlock_appear(box, path), fd;

	if (rc != 1)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		return -1;
	if (dotlock_fill(box, fd) == -1) {
		int why = errno;

		close(fd);
		unlink(path);
		errno = why;
		return -1;
	}
	close(fd);
	return 0;
}

/* try: where the directory does not let us, go on without. */
static int
dotlock(struct mbox_box *box, bool try, int64_t deadline, struct err *e)
{
	long us = WAIT_FIRST_US;
	char *path;

	if (box->dotlock != NULL)
		return 0;
	if (asprintf(&path, "%s.lock", box->path) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	for (;;) {
		int rc = dotlock_make(box, path), why = errno;

		if (rc == -1 && (why == EACCES || why == EPERM) && box->store->privileged != (gid_t)-1) {
			mbox_privileges_up(box->store);
			rc = dotlock_make(box, path);
			why = errno;
			mbox_privileges_down(box->store);
		}
		if (rc == 0) {
			box->dotlock = path;
			box->dotlock_touched = clock_ms();
			return 0;
		}
		if (why != EEXIST) {
			bool no = why == EACCES || why == EPERM || why == EROFS;

			errno = why;
			if (!(no && try))
				err_errno(e, "make the lock file %s%s", path,
				    no && why != EROFS ? " (mail_privileged_group may help)" : "");
			free(path);
			return no && try ? 0 : -1;
		}
		mbox_privileges_up(box->store);
		rc = remove_stale(box, path, e);
		mbox_privileges_down(box->store);
		if (rc == 1)
			continue;
		if (rc == -1) {
			free(path);
			return -1;
		}
		if (!wait_more(deadline, &us)) {
			err_set(e, ERR_INUSE, "%s: another program keeps the mailbox locked", path);
			free(path);
			return -1;
		}
	}
}

static void
dotlock_remove(struct mbox_box *box)
{
	struct stat sb;
	int rc;

	if (box->dotlock == NULL)
		return;
	mbox_privileges_up(box->store);
	rc = lstat(box->dotlock, &sb);
	/* A disk that fails has a second chance: a lock that stays keeps everybody out. */
	if (rc == -1 && errno != ENOENT)
		rc = lstat(box->dotlock, &sb);
	/* Somebody who thought us dead may have put another there. */
	if (rc == 0 && sb.st_ino == box->dotlock_sb.st_ino && sb.st_dev == box->dotlock_sb.st_dev)
		unlink(box->dotlock);
	mbox_privileges_down(box->store);
	free(box->dotlock);
	box->dotlock = NULL;
}

void
mbox_lock_touch(struct mbox_box *box)
{
	if (box->dotlock == NULL || clock_ms() < box->dotlock_touched + TOUCH_EVERY_MS)
		return;
	mbox_privileges_up(box->store);
	utimensat(AT_FDCWD, box->dotlock, NULL, AT_SYMLINK_NOFOLLOW);
	mbox_privileges_down(box->store);
	box->dotlock_touched = clock_ms();
}

/* ---- locks on the file ---- */

static int
try_one(struct mbox_box *box, enum mbox_lock_method method, bool write, bool on)
{
	struct flock fl = { .l_type = !on ? F_UNLCK : write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	switch (method) {
	case MBOX_LOCK_FCNTL:
	case MBOX_LOCK_LOCKF:		/* the same thing in this system */
		return fcntl(box->fd, F_SETLK, &fl);
	case MBOX_LOCK_FLOCK:
		return fd_flock(box->fd, (!on ? LOCK_UN : write ? LOCK_EX : LOCK_SH) | LOCK_NB);
	case MBOX_LOCK_NONE:
	case MBOX_LOCK_DOTLOCK:
	case MBOX_LOCK_DOTLOCK_TRY:
		break;
	}
	return 0;
}

static int
file_lock(struct mbox_box *box, enum mbox_lock_method method, bool write, int64_t deadline, struct err *e)
{
	long us = WAIT_FIRST_US;

	while (try_one(box, method, write, true) == -1) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK)
			return err_errno(e, "lock %s", box->path);
		if (!wait_more(deadline, &us))
			return err_set(e, ERR_INUSE, "%s: another program keeps it locked", box->path);
	}
	return 0;
}

static const enum mbox_lock_method *
methods(const struct mbox_box *box, enum mbox_lock_kind kind)
{
	return kind == MBOX_WRITE ? box->store->p.mbox.write_locks : box->store->p.mbox.read_locks;
}

static void
file_unlock_all(struct mbox_box *box)
{
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < MBOX_LOCKS_MAX && box->fd != -1; i++)
			try_one(box, methods(box, pass == 0 ? MBOX_READ : MBOX_WRITE)[i], false, false);
	dotlock_remove(box);
}

static int
file_lock_all(struct mbox_box *box, enum mbox_lock_kind kind, int64_t deadline, struct err *e)
{
	const enum mbox_lock_method *m = methods(box, kind);

	for (int i = 0; i < MBOX_LOCKS_MAX; i++) {
		bool dot = m[i] == MBOX_LOCK_DOTLOCK || m[i] == MBOX_LOCK_DOTLOCK_TRY;

		/* A file that nobody may change from here needs no lock file to be read. */
		if ((dot ? dotlock(box, m[i] == MBOX_LOCK_DOTLOCK_TRY || (kind == MBOX_READ && box->readonly), deadline, e) :
		    file_lock(box, m[i], kind == MBOX_WRITE, deadline, e)) == 0)
			continue;
		file_unlock_all(box);
		return -1;
	}
	return 0;
}

static bool
is_same_file(int fd, const char *path)
{
	struct stat a, b;

	return fd != -1 && fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Opens what stands at the path, if that is not open. */
static int
open_file(struct mbox_box *box, struct err *e)
{
	struct stat sb;

	if (is_same_file(box->fd, box->path))
		return 0;
	if (box->fd != -1)
		close(box->fd);
	/* Reading is no use of the mailbox in the sense of programs that compare its times. */
	box->fd = open(box->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	box->fd_writable = box->fd != -1;
	if (box->fd == -1 && (errno == EACCES || errno == EPERM || errno == EROFS))
		box->fd = open(box->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	box->readonly = !box->fd_writable;
	/* Some mail programs remove a mailbox that they have emptied; INBOX is always there. */
	if (box->fd == -1 && errno == ENOENT && strcmp(box->name, "INBOX") == 0 &&
	    (mbox_make_file(box->store, box->path, e) == 0 || e->code == ERR_EXISTS)) {
		box->fd = open(box->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		box->fd_writable = box->fd != -1;
		box->readonly = !box->fd_writable;
	}
	if (box->fd == -1)
		return err_errno(e, "open %s", box->path);
	if (fstat(box->fd, &sb) == 0 && S_ISREG(sb.st_mode))
		return 0;
	close(box->fd);
	box->fd = -1;
	return err_set(e, ERR_DENIED, "%s is no plain file", box->path);
}

static int
lock_file(struct mbox_box *box, enum mbox_lock_kind kind, int64_t deadline, struct err *e)
{
	for (int i = 0; i < REOPEN_TRIES; i++) {
		if (open_file(box, e) == -1)
			return -1;
		if (kind == MBOX_WRITE && !box->fd_writable)
			return err_set(e, ERR_DENIED, "%s can not be written", box->path);
		if (file_lock_all(box, kind, deadline, e) == -1)
			return -1;
		/* Who waits may have waited for one that has been replaced. */
		if (is_same_file(box->fd, box->path))
			return 0;
		file_unlock_all(box);
	}
	return err_set(e, ERR_TEMP, "%s is replaced all the time", box->path);
}

int
mbox_lock_reader(struct mbox_box *box, struct err *e)
{
	int64_t deadline = clock_ms() + box->store->p.mbox.lock_timeout_ms;

	if (lock_file(box, MBOX_READ, deadline, e) == -1)
		return -1;
	box->locked = MBOX_READ;
	return 0;
}

static int
own_lock(struct mbox_box *box, int64_t deadline, struct err *e)
{
	long us = WAIT_FIRST_US;

	while (box->control_fd != -1 && fd_flock(box->control_fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, "lock %s", box->control_path);
		if (!wait_more(deadline, &us))
			return err_set(e, ERR_INUSE, "%s: another session keeps the mailbox locked", box->path);
	}
	return 0;
}

void
mbox_unlock_reader(struct mbox_box *box)
{
	file_unlock_all(box);
	box->locked = MBOX_UNLOCKED;
}

int
mbox_lock_own(struct mbox_box *box, struct err *e)
{
	return own_lock(box, clock_ms() + box->store->p.mbox.lock_timeout_ms, e);
}

void
mbox_unlock_own(struct mbox_box *box)
{
	if (box->control_fd != -1)
		fd_flock(box->control_fd, LOCK_UN);
}

static int
recover(struct mbox_box *box, bool *needed, bool may_write, struct err *e)
{
	bool journal = false, intent = false;

	if (box->control_fd == -1)
		return 0;
	if (mbox_journal_recover(box, &journal, may_write, e) == -1 ||
	    mbox_intent_recover(box, &intent, may_write, e) == -1)
		return -1;
	*needed = journal || intent;
	return 0;
}

int
mbox_lock(struct mbox_box *box, enum mbox_lock_kind kind, int timeout_ms, struct err *e)
{
	int64_t deadline = clock_ms() + (timeout_ms >= 0 ? timeout_ms : (int64_t)box->store->p.mbox.lock_timeout_ms);
	bool needed = false;

	if (own_lock(box, deadline, e) == -1)
		return -1;
	if (lock_file(box, kind, deadline, e) == -1) {
		mbox_unlock_own(box);
		return -1;
	}
	box->locked = kind;
	if (recover(box, &needed, kind == MBOX_WRITE, e) == 0 && !needed)
		return 0;
	if (needed && kind == MBOX_READ) {
		/* A process died while it changed the file: that is finished before anybody looks. */
		file_unlock_all(box);
		if (lock_file(box, MBOX_WRITE, deadline, e) == 0 && recover(box, &needed, true, e) == 0)
			return 0;
	} else if (needed) {
		return 0;
	}
	mbox_unlock(box);
	return -1;
}

void
mbox_unlock(struct mbox_box *box)
{
	file_unlock_all(box);
	mbox_unlock_own(box);
	box->locked = MBOX_UNLOCKED;
}
