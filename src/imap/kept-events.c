/* SPDX-License-Identifier: MIT */
#include "imap/kept-events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/ipc-types.h"
#include "lib/sys.h"

#define HEAD 20
#define HEAD_NEXT 12		/* where `next' and `tries' are */
#define LOCK_MS 10000		/* who adds something has the lock for as long as a sync takes */
#define LOCK_PAUSE_MS 5

/* Whether the file that name is is this one. */
static bool
is_named(int dir_fd, const char *name, const struct stat *st)
{
	struct stat named;

	return fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == st->st_dev && named.st_ino == st->st_ino;
}

static int
open_plain(int dir_fd, const char *name, int flags, struct stat *st, struct err *e)
{
	int fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd == -1)
		return err_errno(e, "open %s", name);
	if (fstat(fd, st) == -1)
		err_errno(e, "look at %s", name);
	else if (!S_ISREG(st->st_mode))
		err_set(e, ERR_DENIED, "%s is no plain file", name);
	else
		return fd;
	close(fd);
	return -1;
}

/*
 * Locked, and still of that name: who takes it renames it under the lock, and has that for as long as the work takes.  So nobody waits
 * for the lock of a file without looking for the name again.
 */
static int
open_file(int dir_fd, int flags, struct stat *st, struct err *e)
{
	const int64_t until = clock_ms() + LOCK_MS;

	do {
		int fd = open_plain(dir_fd, KEPT_EVENTS_FILE, flags, st, e);
		bool locked;

		if (fd == -1)
			return -1;
		locked = fd_flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (locked && fstat(fd, st) == 0 && is_named(dir_fd, KEPT_EVENTS_FILE, st))
			return fd;
		if (!locked && errno != EWOULDBLOCK) {
			err_errno(e, "lock %s", KEPT_EVENTS_FILE);
			close(fd);
			return -1;
		}
		if (!locked && is_named(dir_fd, KEPT_EVENTS_FILE, st))
			(void)poll(NULL, 0, LOCK_PAUSE_MS);
		close(fd);
	} while (clock_ms() < until);
	return err_set(e, ERR_TEMP, "%s stays locked", KEPT_EVENTS_FILE);
}

int
kept_events_add(int dir_fd, struct span records, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (records.n == 0)
		return 0;
	fd = open_file(dir_fd, O_RDWR | O_CREAT | O_APPEND, &st, e);
	if (fd == -1)
		return -1;
	if ((uint64_t)st.st_size > KEPT_EVENTS_MAX - (records.n > KEPT_EVENTS_MAX ? KEPT_EVENTS_MAX : records.n) ||
	    records.n > KEPT_EVENTS_MAX)
		rc = err_set(e, ERR_LIMIT, "%s is full", KEPT_EVENTS_FILE);
	else if ((rc = fd_write_all(fd, records, e)) == -1)
		(void)!ftruncate(fd, st.st_size);	/* half a record would make what is added later unreadable */
	else if (fsync(fd) == -1 || fsync(dir_fd) == -1)
		rc = err_errno(e, "sync %s", KEPT_EVENTS_FILE);
	close(fd);
	return rc;
}

void
kept_events_write(struct buf *out, const struct imap_event *event, int64_t time)
{
	struct ipc_out o;

	imap_event_write(&o, event);
	buf_add_be32(out, (uint32_t)o.b.n);
	buf_add_be64(out, (uint64_t)time);
	buf_add_be64(out, 0);		/* next, tries */
	buf_add(out, buf_span(&o.b));
	out->failed = out->failed || o.b.failed;
	ipc_out_clear(&o);
}

enum work { WORK_FAILED = -1, WORK_NONE, WORK_OTHERS, WORK_OURS };

/* What a process had taken that is no more. */
static enum work
take_over(int dir_fd, int *fd_out, struct err *e)
{
	struct err one = ERR_INIT;
	struct stat st;
	int fd = open_plain(dir_fd, KEPT_EVENTS_WORK, O_RDWR, &st, &one);

	if (fd == -1 && one.code == ERR_NOTFOUND)
		return WORK_NONE;
	if (fd == -1) {
		*e = one;
		return WORK_FAILED;
	}
	if (fd_flock(fd, LOCK_EX | LOCK_NB) == -1) {
		bool others = errno == EWOULDBLOCK;

		if (!others)
			err_errno(e, "lock %s", KEPT_EVENTS_WORK);
		close(fd);
		return others ? WORK_OTHERS : WORK_FAILED;
	}
	if (is_named(dir_fd, KEPT_EVENTS_WORK, &st)) {
		*fd_out = fd;
		return WORK_OURS;
	}
	close(fd);
	return WORK_OTHERS;
}

/* Only who has the lock of the one makes the other of it: so it can not be there all of a sudden. */
static enum work
take_new(int dir_fd, int *fd_out, struct err *e)
{
	struct err one = ERR_INIT;
	struct stat st;
	int fd = open_file(dir_fd, O_RDWR, &st, &one);

	if (fd == -1 && one.code == ERR_NOTFOUND)
		return WORK_NONE;
	if (fd == -1) {
		*e = one;
		return WORK_FAILED;
	}
	if (fstatat(dir_fd, KEPT_EVENTS_WORK, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		close(fd);
		return WORK_OTHERS;
	}
	if (renameat(dir_fd, KEPT_EVENTS_FILE, dir_fd, KEPT_EVENTS_WORK) == -1) {
		err_errno(e, "rename %s", KEPT_EVENTS_FILE);
		close(fd);
		return WORK_FAILED;
	}
	*fd_out = fd;
	return WORK_OURS;
}

int
kept_events_take(int dir_fd, struct buf *out, int *work_out, struct err *e)
{
	struct err ignored = ERR_INIT;
	int fd = -1;
	enum work whose = take_over(dir_fd, &fd, e);

	*work_out = -1;
	if (whose == WORK_NONE)
		whose = take_new(dir_fd, &fd, e);
	if (whose != WORK_OURS)
		return whose == WORK_FAILED ? -1 : 0;
	if (fd_read_all(fd, KEPT_EVENTS_MAX, out, e) == -1) {
		buf_reset(out);
		(void)kept_events_done(dir_fd, &fd, &ignored);
		return -1;
	}
	*work_out = fd;
	return 0;
}

int
kept_events_mark(int work_fd, size_t at, uint32_t next, uint32_t tries, struct err *e)
{
	char b[8];

	be64_put(b, (uint64_t)next << 32 | tries);
	if (pwrite(work_fd, b, sizeof(b), (off_t)at + HEAD_NEXT) != (ssize_t)sizeof(b))
		return err_errno(e, "write %s", KEPT_EVENTS_WORK);
	return 0;
}

int
kept_events_done(int dir_fd, int *work_fd, struct err *e)
{
	int rc = 0;

	if (unlinkat(dir_fd, KEPT_EVENTS_WORK, 0) == -1)
		rc = err_errno(e, "remove %s", KEPT_EVENTS_WORK);
	close(*work_fd);
	*work_fd = -1;
	return rc;
}

bool
kept_events_next(struct span all, size_t *at, int64_t now, struct ipc_msg *m, uint32_t room[IMAP_EVENT_UIDS],
    struct kept_event *out)
{
	struct err e = ERR_INIT;

	while (all.n - *at >= HEAD) {
		const char *head = all.p + *at;
		uint32_t n = be32_get(head);
		uint64_t age = (uint64_t)now - be64_get(head + 4);
		struct span frame = span_sub(all, *at + HEAD, n);
		struct imap_event *event = &out->event;

		if (frame.n < n || ipc_parse(m, frame, &e) != 1 || m->type != MSG_EVENT || imap_event_read(m, room, event, &e) == -1)
			return false;
		out->next = be32_get(head + HEAD_NEXT);
		out->tries = be32_get(head + HEAD_NEXT + 4);
		if (out->next > event->count || event->scripts == (event->learn != SPAM_CHECK))
			return false;
		out->at = *at;
		out->time = now - (int64_t)age;
		*at += HEAD + (size_t)n;
		/* A clock that was set back makes nothing old. */
		if (age > (event->scripts ? KEPT_SCRIPTS_S : KEPT_LESSONS_S) && age < INT64_MAX)
			continue;
		if (out->next < event->count)
			return true;
	}
	return false;
}
