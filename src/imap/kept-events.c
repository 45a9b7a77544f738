/* SPDX-License-Identifier: MIT */
#include "imap/kept-events.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/ipc-types.h"
#include "lib/log.h"
#include "lib/sys.h"

#define HEAD 12

/* Locked, and still there: who takes it removes it under the lock. */
static int
open_file(int dir_fd, int flags, struct stat *st, struct err *e)
{
	for (;;) {
		int fd = openat(dir_fd, KEPT_EVENTS_FILE, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd == -1)
			return err_errno(e, "open %s", KEPT_EVENTS_FILE);
		if (flock(fd, LOCK_EX) == -1 || fstat(fd, st) == -1) {
			err_errno(e, "lock %s", KEPT_EVENTS_FILE);
			close(fd);
			return -1;
		}
		if (S_ISREG(st->st_mode) && st->st_nlink > 0)
			return fd;
		close(fd);
		if (!S_ISREG(st->st_mode))
			return err_set(e, ERR_DENIED, "%s is no plain file", KEPT_EVENTS_FILE);
	}
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
	else if ((rc = fd_write_all(fd, records, e)) == 0 && (fsync(fd) == -1 || fsync(dir_fd) == -1))
		rc = err_errno(e, "sync %s", KEPT_EVENTS_FILE);
	/* Half a record would be the end of all that come behind it. */
	if (rc == -1 && ftruncate(fd, st.st_size) == -1)
		log_error("%s can not be made short again: %s", KEPT_EVENTS_FILE, strerror(errno));
	close(fd);
	return rc;
}

void
kept_events_write(struct buf *out, const struct imap_event *event, int64_t now)
{
	struct ipc_out o;

	imap_event_write(&o, event);
	buf_add_be32(out, (uint32_t)o.b.n);
	buf_add_be64(out, (uint64_t)now);
	buf_add(out, buf_span(&o.b));
	out->failed = out->failed || o.b.failed;
	ipc_out_clear(&o);
}

int
kept_events_take(int dir_fd, struct buf *out, struct err *e)
{
	struct stat st;
	int fd = open_file(dir_fd, O_RDWR, &st, e), rc;

	if (fd == -1 && e->code == ERR_NOTFOUND) {
		*e = (struct err)ERR_INIT;
		return 0;
	}
	if (fd == -1)
		return -1;
	rc = fd_read_all(fd, KEPT_EVENTS_MAX, out, e);
	/* What can not be read now can not be read ever. */
	if (unlinkat(dir_fd, KEPT_EVENTS_FILE, 0) == -1) {
		rc = err_errno(e, "remove %s", KEPT_EVENTS_FILE);
		buf_reset(out);		/* else it would come again and again */
	}
	close(fd);
	return rc;
}

bool
kept_events_next(struct span *rest, int64_t now, struct ipc_msg *m, uint32_t room[IMAP_EVENT_UIDS], struct imap_event *out,
    int64_t *since_out)
{
	struct err e = ERR_INIT;

	while (rest->n >= HEAD) {
		uint32_t n = be32_get(rest->p);
		uint64_t since = be64_get(rest->p + 4), age = (uint64_t)now - since;
		struct span frame = span_sub(*rest, HEAD, n);

		if (frame.n < n || ipc_parse(m, frame, &e) != 1 || m->type != MSG_EVENT || imap_event_read(m, room, out, &e) == -1)
			return false;
		*rest = span_from(*rest, HEAD + (size_t)n);
		*since_out = (int64_t)since;
		/* A clock that was set back makes nothing old. */
		if (age > KEPT_LESSONS_S && age < INT64_MAX)
			out->learn = SPAM_CHECK;
		if (age > KEPT_SCRIPTS_S && age < INT64_MAX)
			out->scripts = false;
		if (out->scripts || out->learn != SPAM_CHECK)
			return true;
	}
	return false;
}
