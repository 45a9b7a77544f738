/* SPDX-License-Identifier: MIT */
#include "lib-deliver/procmail-folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/sys.h"

#define LOCK_WAIT_MS 30000
#define TRIES 100

/* The directory that a path is in is made safe. */
static int
sync_parent(const struct procmail_files *f, const char *path, struct err *e)
{
	char dir[PROCMAIL_PATH];
	size_t n = strlen(path);
	int fd, rc;

	if (f->no_sync)
		return 0;
	while (n > 0 && path[n - 1] != '/')
		n--;
	snprintf(dir, sizeof(dir), "%.*s", n == 0 ? 1 : (int)n, n == 0 ? "." : path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_errno(e, "%s", dir);
	rc = dir_sync(fd, e);
	close(fd);
	return rc;
}

static int
sync_file(const struct procmail_files *f, int fd, const char *path, struct err *e)
{
	return f->no_sync || fsync(fd) == 0 ? 0 : err_errno(e, "fsync of %s", path);
}

/* procmail's kernel lock. */
static int
lock_file(int fd, const char *path, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int64_t deadline = clock_ms() + LOCK_WAIT_MS;

	while (fcntl(fd, F_SETLK, &l) == -1) {
		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return err_errno(e, "locking %s", path);
		if (clock_ms() > deadline)
			return err_set(e, ERR_INUSE, "%s is locked by another program", path);
		usleep(20000);
	}
	return 0;
}

/* What a crash has left without an end would take the next message's From_ line for its own. */
static int
end_line(int fd, const struct stat *st, struct err *e)
{
	char last;

	if (st->st_size == 0 || pread(fd, &last, 1, st->st_size - 1) != 1 || last == '\n')
		return 0;
	return fd_write_all(fd, SPAN("\n\n"), e);
}

static int
append(struct procmail_files *f, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	char path[PROCMAIL_PATH];
	struct stat st;
	bool fresh;
	int fd, rc = -1;

	if (procmail_path(d->dir, d->names[0], path, e) == -1)
		return -1;
	fresh = stat(path, &st) == -1;
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	if (fd == -1 && errno == EACCES)	/* a file that may be written, not read */
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	if (fd == -1)
		return err_errno(e, "%s", path);
	if (fstat(fd, &st) == -1) {
		err_errno(e, "%s", path);
	} else if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_DENIED, "%s is not a plain file", path);
	} else if (lock_file(fd, path, e) == 0 && fstat(fd, &st) == 0) {
		rc = end_line(fd, &st, e);
		if (rc == 0)
			rc = fd_write_all(fd, d->text, e);
		if (rc == 0)
			rc = sync_file(f, fd, path, e);
		/* As procmail marks a file with new mail, where the umask lets it. */
		if (rc == 0 && !(d->umask & 1) && !(st.st_mode & 1))
			(void)fchmod(fd, (st.st_mode | 1) & 07777);
		if (rc == 0 && fresh)
			rc = sync_parent(f, path, e);
		if (rc == -1 && ftruncate(fd, st.st_size) == -1)
			err_wrap(e, "and what was written of it stays, %s", path);
	}
	close(fd);
	if (rc == 0)
		buf_add(out, d->names[0]);
	return rc;
}

/* Makes a directory that may be there already; what was made is there after a power cut too. */
static int
make(const struct procmail_files *f, const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0777) == 0)
		return sync_parent(f, path, e);
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_errno(e, "%s", path);
}

/* One of several directories: where its file is put, under which name. */
struct target {
	enum procmail_place place;
	char dir[PROCMAIL_PATH];	/* with a slash behind it */
	struct span name;		/* as written, without its slash and dot */
};

static int
target_init(const struct procmail_files *f, const struct procmail_delivery *d, size_t i, struct target *t, struct err *e)
{
	static const char *const parts[] = { "", "tmp", "new", "cur" };
	char path[PROCMAIL_PATH];
	struct span name = d->names[i];

	t->place = span_ends(name, SPAN("/.")) ? PROCMAIL_PLACE_MH : span_ends(name, SPAN("/")) ? PROCMAIL_PLACE_MAILDIR :
	    PROCMAIL_PLACE_DIR;
	if (t->place == PROCMAIL_PLACE_MH)
		name.n--;
	while (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	t->name = name;
	if (procmail_path(d->dir, name, path, e) == -1)
		return -1;
	if (snprintf(t->dir, sizeof(t->dir), "%s/", path) >= (int)sizeof(t->dir) - 64)
		return err_set(e, ERR_LIMIT, "the file name is too long");
	if (t->place == PROCMAIL_PLACE_DIR)
		return 0;
	for (size_t k = 0; k < (t->place == PROCMAIL_PLACE_MAILDIR ? 4u : 1u); k++) {
		char part[PROCMAIL_PATH + 8];

		/* Without a slash at the end: its parent is what is in front of the last one. */
		snprintf(part, sizeof(part), "%s%s%s", path, k > 0 ? "/" : "", parts[k]);
		if (make(f, part, e) == -1)
			return -1;
	}
	return 0;
}

static unsigned long
highest_number(const char *dir)
{
	unsigned long highest = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		uint32_t number;

		if (span_u32(span_str(entry->d_name), &number) && number > highest)
			highest = number;
	}
	if (d != NULL)
		closedir(d);
	return highest;
}

static void
random_letters(char out[8])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char bytes[6];

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = letters[bytes[i] & 63];
	out[sizeof(bytes)] = '\0';
}

/* The name that the file gets in t, with new/ of a Maildir. */
static void
final_name(struct procmail_files *f, const struct target *t, const struct procmail_delivery *d, unsigned try, char out[300])
{
	char letters[8];

	if (t->place == PROCMAIL_PLACE_MH) {
		snprintf(out, 300, "%lu", highest_number(t->dir) + 1 + try / 10);
	} else if (t->place == PROCMAIL_PLACE_DIR) {
		random_letters(letters);
		snprintf(out, 300, "%.*s%s", SPAN_ARG(span_sub(d->prefix, 0, 200)), letters);
	} else {
		snprintf(out, 300, "new/%lld.%ld_%u.%.100s", (long long)time(NULL), (long)getpid(), f->sequence++, host_name());
	}
}

/* Gives the file its name in t by a link, which never takes the place of another. */
static int
put_link(struct procmail_files *f, const char *from, const struct target *t, const struct procmail_delivery *d, struct buf *out,
    struct err *e)
{
	char name[300], path[PROCMAIL_PATH + 300];

	for (unsigned try = 0; try < TRIES; try++) {
		final_name(f, t, d, try, name);
		snprintf(path, sizeof(path), "%s%s", t->dir, name);
		if (link(from, path) == 0) {
			if (sync_parent(f, path, e) == -1) {
				(void)unlink(path);
				return -1;
			}
			if (out->n > 0)
				buf_addc(out, ' ');
			buf_add(out, t->name);
			buf_addf(out, "/%s", name);
			return 0;
		}
		if (errno != EEXIST)
			return err_errno(e, "%s", path);
	}
	return err_set(e, ERR_EXISTS, "%s: no free name", t->dir);
}

static int
save_in_dirs(struct procmail_files *f, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	char temporary[PROCMAIL_PATH + 300], letters[8];
	struct target t;
	size_t saved = 0;
	int fd, rc;

	if (target_init(f, d, 0, &t, e) == -1)
		return -1;
	random_letters(letters);
	snprintf(temporary, sizeof(temporary), "%s%s%lld.%ld_%u.%s.%.100s", t.dir, t.place == PROCMAIL_PLACE_MAILDIR ? "tmp/" : "_",
	    (long long)time(NULL), (long)getpid(), f->sequence, letters, host_name());
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd == -1)
		return err_errno(e, "%s", temporary);
	rc = fd_write_all(fd, d->text, e);
	if (rc == 0)
		rc = sync_file(f, fd, temporary, e);
	close(fd);
	if (rc == 0)
		rc = put_link(f, temporary, &t, d, out, e);
	saved = rc == 0;
	/* The first is what counts; another that can not be had is told, and the mail is where the first is. */
	for (size_t i = 1; i < d->name_count && saved > 0; i++) {
		struct err other = ERR_INIT;

		if (target_init(f, d, i, &t, &other) == 0 && put_link(f, temporary, &t, d, out, &other) == 0)
			continue;
		if (f->log != NULL)
			f->log(f->ctx, span_str(other.log));
	}
	(void)unlink(temporary);
	return rc;
}

int
procmail_folder_save(struct procmail_files *f, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	return d->place == PROCMAIL_PLACE_FILE ? append(f, d, out, e) : save_in_dirs(f, d, out, e);
}
