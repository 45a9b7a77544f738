/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/sys.h"

#define LOCK_WAIT_MS 20000
#define LOCK_STALE_S 600	/* a lock file that nobody has touched for so long is of a program that is dead */

/* The lines of in, with LF; quoted where they would begin a message. */
static void
add_lines(struct buf *out, struct span in, bool mbox)
{
	while (in.n > 0) {
		size_t n = span_chr(in, '\n');
		struct span line = span_sub(in, 0, n);

		if (n < in.n && n > 0 && line.p[n - 1] == '\r')
			line.n--;
		if (mbox) {
			size_t quotes = 0;

			while (quotes < line.n && line.p[quotes] == '>')
				quotes++;
			if (span_starts(span_from(line, quotes), SPAN("From ")))
				buf_addc(out, '>');
		}
		buf_add(out, line);
		if (n < in.n)
			buf_addc(out, '\n');
		in = span_from(in, n + 1);
	}
}

void
recipient_text_write(struct buf *out, struct span sender, int64_t now, struct span header, struct span message, bool mbox)
{
	time_t t = (time_t)now;
	char date[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	buf_adds(out, "From ");
	/* An address with a space in it would make a From line of another kind. */
	for (size_t i = 0; i < sender.n; i++)
		buf_addc(out, sender.p[i] <= ' ' && sender.p[i] >= 0 ? '-' : sender.p[i]);
	buf_addf(out, "%s  %s\n", sender.n == 0 ? "MAILER-DAEMON" : "", date);
	add_lines(out, header, mbox);
	add_lines(out, message, mbox);
	if (!mbox)
		return;
	if (out->n > 0 && out->p[out->n - 1] != '\n')
		buf_addc(out, '\n');
	buf_addc(out, '\n');
}

/* path.lock: 1 it is ours; 0 there can be none; -1 another has it for too long. */
static int
dotlock(const char *path, char *name, size_t room, int64_t deadline, struct err *e)
{
	if ((size_t)snprintf(name, room, "%s.lock", path) >= room)
		return err_set(e, ERR_LIMIT, "%s: the file's name is too long", path);
	for (;;) {
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
		struct stat st;

		if (fd != -1) {
			(void)!write(fd, "0", 1);
			close(fd);
			return 1;
		}
		if (errno == EACCES || errno == EPERM || errno == EROFS)
			return 0;
		if (errno != EEXIST)
			return err_errno(e, "%s", name);
		if (lstat(name, &st) == 0 && time(NULL) - st.st_mtime > LOCK_STALE_S && unlink(name) == 0)
			continue;
		if (clock_ms() > deadline)
			return err_set(e, ERR_INUSE, "%s is held by another program", name);
		usleep(50000);
	}
}

static int
lock(int fd, const char *path, int64_t deadline, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(fd, F_SETLK, &l) == -1) {
		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return err_errno(e, "locking %s", path);
		if (clock_ms() > deadline)
			return err_set(e, ERR_INUSE, "%s is locked by another program", path);
		usleep(50000);
	}
	return 0;
}

static int
sync_dir_of(const char *path, struct err *e)
{
	char dir[4096];
	size_t n = strlen(path);
	int fd, rc;

	while (n > 1 && path[n - 1] != '/')
		n--;
	snprintf(dir, sizeof(dir), "%.*s", (int)n, path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_errno(e, "%s", dir);
	rc = dir_sync(fd, e);
	close(fd);
	return rc;
}

static int
write_end(int fd, const char *path, struct span text, bool fresh, struct err *e)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) == -1)
		return err_errno(e, "%s", path);
	rc = fd_write_all(fd, text, e);
	if (rc == 0 && fsync(fd) == -1)
		rc = err_errno(e, "fsync of %s", path);
	if (rc == 0 && fresh)
		rc = sync_dir_of(path, e);
	if (rc == -1 && ftruncate(fd, st.st_size) == -1)
		err_wrap(e, "and what was written of it stays in %s", path);
	return rc;
}

int
recipient_file_append(const char *path, struct span text, struct err *e)
{
	int64_t deadline = clock_ms() + LOCK_WAIT_MS;
	char name[4096 + 8];
	struct stat st;
	bool fresh;
	int fd, rc = -1, locked;

	if (strlen(path) >= 4096)
		return err_set(e, ERR_LIMIT, "the file's name is too long");
	fresh = lstat(path, &st) == -1;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_errno(e, "%s", path);
	if (fstat(fd, &st) == -1)
		err_errno(e, "%s", path);
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		err_set(e, ERR_DENIED, "%s is not a plain file with one name", path);
	else if ((st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH | S_ISUID | S_ISGID)) != 0)
		err_set(e, ERR_DENIED, "%s can be executed", path);
	else if ((locked = dotlock(path, name, sizeof(name), deadline, e)) != -1) {
		if (lock(fd, path, deadline, e) == 0)
			rc = write_end(fd, path, text, fresh, e);
		if (locked == 1)
			(void)unlink(name);
	}
	close(fd);
	return rc;
}
