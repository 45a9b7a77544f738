/* SPDX-License-Identifier: MIT */
/*
 * Where a mailbox is.  LAYOUT=fs: "Work/2026" is the file "Work/2026" below the root, so that a name is either a file, which
 * holds mail, or a directory, which holds others; with DIRNAME=x the mail is in "Work/2026/x", and a name is both.
 * LAYOUT=maildir++: the file ".Work.2026".  On disk names are in modified UTF-7, or UTF-8 where the location says so.
 * What begins with a dot, and what ends in ".lock", is no mailbox.
 *
 * What is kept about a mailbox is in a directory of the same name below the control directory.
 */
#include "lib-storage/mbox/mbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/sys.h"

#define LIST_MAX 1000000
#define LIST_DEPTH 64

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

static bool
is_reserved(struct span disk)
{
	return disk.n == 0 || disk.p[0] == '.' || span_ends(disk, SPAN(".lock"));
}

/* name as it is on disk, at the end of path. */
static int
disk_name(const struct mbox_store *s, struct span name, struct buf *path, struct err *e)
{
	struct span level;
	bool first = true;

	while (span_next(&name, '/', &level)) {
		size_t start;
		struct span disk;

		if (s->p.fs_layout || first)
			buf_addc(path, '/');
		if (!s->p.fs_layout)
			buf_addc(path, '.');
		first = false;
		start = path->n;
		if (s->p.utf8)
			buf_add(path, level);
		else if (!mutf7_encode(path, level))
			return err_set(e, ERR_SYNTAX, "a mailbox name is not UTF-8");
		disk = path->failed ? SPAN_NONE : span_from(buf_span(path), start);
		if (!path->failed && (is_reserved(disk) || (s->dirname != NULL && span_eq(disk, span_str(s->dirname)))))
			return err_set(e, ERR_SYNTAX, "a mailbox can not be called %.*s", SPAN_ARG(disk));
		if (!s->p.fs_layout && span_chr(disk, '.') != disk.n)
			return err_set(e, ERR_SYNTAX, "a name with a '.' can not be a folder of LAYOUT=maildir++");
		if (disk.n > 200)
			return err_set(e, ERR_LIMIT, "a mailbox name is too long for the file system");
	}
	return 0;
}

static char *
finish_path(struct buf *path, struct err *e)
{
	char *out = NULL;

	if (path->failed || buf_cstr(path) == NULL)
		err_set(e, ERR_LIMIT, "a mailbox name is too long");
	else if ((out = strdup(path->p)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	buf_clear(path);
	return out;
}

/* file: what holds the mail; else the name's directory. */
static char *
path_of(const struct mbox_store *s, struct span name, bool file, struct err *e)
{
	struct buf path = BUF_INIT(MBOX_PATH_MAX);

	if (is_inbox(name)) {
		buf_adds(&path, s->inbox);
		return finish_path(&path, e);
	}
	buf_adds(&path, s->root);
	if (disk_name(s, name, &path, e) == -1) {
		buf_clear(&path);
		return NULL;
	}
	if (file && s->dirname != NULL)
		buf_addf(&path, "/%s", s->dirname);
	return finish_path(&path, e);
}

char *
mbox_path(const struct mbox_store *s, struct span name, struct err *e)
{
	return path_of(s, name, true, e);
}

char *
mbox_control_path(const struct mbox_store *s, struct span name, struct err *e)
{
	struct buf path = BUF_INIT(MBOX_PATH_MAX);

	buf_adds(&path, s->control);
	if (is_inbox(name)) {
		buf_adds(&path, "/INBOX");
	} else if (disk_name(s, name, &path, e) == -1) {
		buf_clear(&path);
		return NULL;
	}
	return finish_path(&path, e);
}

int
mbox_exists(void *store, struct span name)
{
	struct mbox_store *s = store;
	struct err e = ERR_INIT;
	char *file = path_of(s, name, true, &e), *dir = path_of(s, name, false, &e);
	struct stat sb;
	int rc = 0;

	if (file != NULL && stat(file, &sb) == 0 && S_ISREG(sb.st_mode))
		rc = 1;
	else if (dir != NULL && !is_inbox(name) && stat(dir, &sb) == 0 && S_ISDIR(sb.st_mode))
		rc = 2;
	free(file);
	free(dir);
	return rc;
}

struct listing {
	struct mbox_store *s;
	struct arena *a;
	struct array entries;
	struct stat inbox;		/* st_ino 0: there is none */
	struct err *e;
};

static int
list_add(struct listing *l, struct span name, bool selectable, bool leaf)
{
	struct box_entry *entry;

	if (span_ieq(name, SPAN("INBOX")) || !utf8_is_valid(name) || name.n > INDEX_NAME_MAX)
		return 0;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			return 0;
	entry = array_push(&l->entries);
	if (entry == NULL)
		return err_set(l->e, ERR_LIMIT, "too many mailboxes in %s", l->s->root);
	entry->name = arena_dup(l->a, name);
	entry->selectable = selectable;
	entry->leaf = leaf;
	return entry->name.p == NULL ? err_set(l->e, ERR_LIMIT, "the list of mailboxes is too large") : 0;
}

static bool
name_add(const struct mbox_store *s, struct buf *name, struct span disk)
{
	size_t start = name->n;

	if (s->p.utf8)
		buf_add(name, disk);
	else if (!mutf7_decode(name, disk))
		return false;
	return !name->failed && span_chr(span_from(buf_span(name), start), '/') == name->n - start;
}

/* ".Work.2026" */
static bool
flat_name(const struct mbox_store *s, struct span disk, struct buf *name)
{
	struct span level;

	if (disk.n < 2 || disk.p[0] != '.' || span_starts(disk, SPAN(".culver")) || span_ends(disk, SPAN(".lock")) ||
	    span_eq(disk, span_str(s->subscriptions)) || disk.p[disk.n - 1] == '.')
		return false;
	disk = span_from(disk, 1);
	while (span_next(&disk, '.', &level)) {
		if (level.n == 0)
			return false;
		if (name->n > 0)
			buf_addc(name, '/');
		if (!name_add(s, name, level))
			return false;
	}
	return true;
}

/* What is gone, or nobody may look at, is passed over: 0. */
static int
list_skip(struct listing *l, const char *disk)
{
	return errno == ENOENT || errno == EACCES || errno == EPERM || errno == ELOOP || errno == ENOTDIR ? 0 :
	    err_errno(l->e, "look at %s in %s", disk, l->s->root);
}

/*
 * 1, 0 it is passed over, -1.  One that the disk fails to tell of is there all the same, as its directory knows: it fails alone
 * when it is opened, and RENAME does not leave it behind.
 */
static int
entry_stat(struct listing *l, int dir, const struct dirent *d, struct stat *sb)
{
	if (fstatat(dir, d->d_name, sb, 0) == 0)
		return 1;
	if (errno != EIO || (d->d_type != DT_REG && d->d_type != DT_DIR))
		return list_skip(l, d->d_name);
	*sb = (struct stat){ .st_mode = d->d_type == DT_REG ? S_IFREG : S_IFDIR, .st_ino = d->d_ino, .st_dev = l->inbox.st_dev };
	return 1;
}

static int list_dir(struct listing *l, int parent, const char *path, struct buf *name, unsigned depth);

/* One entry of a directory; name is that of the directory. */
static int
list_entry(struct listing *l, int dir, const struct dirent *d, struct buf *name, unsigned depth)
{
	const char *disk = d->d_name;
	char file[400];
	struct stat sb;
	int rc;

	if (!l->s->p.fs_layout) {
		if (!flat_name(l->s, span_str(disk), name))
			return 0;
		if ((rc = entry_stat(l, dir, d, &sb)) != 1)
			return rc;
		if (l->s->dirname != NULL) {
			snprintf(file, sizeof(file), "%s/%s", disk, l->s->dirname);
			return S_ISDIR(sb.st_mode) ? list_add(l, buf_span(name), fstatat(dir, file, &sb, 0) == 0, false) : 0;
		}
		return S_ISREG(sb.st_mode) ? list_add(l, buf_span(name), true, false) : 0;
	}
	if (is_reserved(span_str(disk)) || (l->s->dirname != NULL && strcmp(disk, l->s->dirname) == 0))
		return 0;
	if ((rc = entry_stat(l, dir, d, &sb)) != 1)
		return rc;
	if (name->n > 0)
		buf_addc(name, '/');
	if (!name_add(l->s, name, span_str(disk)))
		return 0;
	if (S_ISREG(sb.st_mode)) {
		/* INBOX may lie among them: it is listed once. */
		if (l->s->dirname != NULL || (sb.st_ino == l->inbox.st_ino && sb.st_dev == l->inbox.st_dev))
			return 0;
		return list_add(l, buf_span(name), true, true);
	}
	if (!S_ISDIR(sb.st_mode))
		return 0;
	snprintf(file, sizeof(file), "%s/%s", disk, l->s->dirname == NULL ? "" : l->s->dirname);
	rc = list_add(l, buf_span(name), l->s->dirname != NULL && fstatat(dir, file, &sb, 0) == 0 && S_ISREG(sb.st_mode), false);
	if (rc == 0 && depth < LIST_DEPTH)
		rc = list_dir(l, dir, disk, name, depth + 1);
	return rc;
}

static int
list_dir(struct listing *l, int parent, const char *path, struct buf *name, unsigned depth)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	size_t keep = name->n;
	struct dirent *d;

	if (dir == NULL) {
		int why = errno;

		if (fd != -1)
			close(fd);
		errno = why;
		return depth > 0 || why == ENOENT ? 0 : err_errno(l->e, "open %s", path);
	}
	for (;;) {
		errno = 0;
		d = readdir(dir);
		if (d == NULL && errno != 0)
			rc = err_errno(l->e, "read %s", path);
		if (d == NULL)
			break;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		rc = list_entry(l, fd, d, name, depth);
		name->n = keep;
		name->failed = false;
		if (rc == -1)
			break;
	}
	closedir(dir);
	return rc;
}

enum drv_rc
mbox_list(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e)
{
	struct listing l = { .s = store, .a = a, .entries = ARRAY_INIT(struct box_entry, LIST_MAX), .e = e };
	struct box_entry *inbox = array_push(&l.entries), *list = NULL;
	struct buf name = BUF_INIT(MBOX_PATH_MAX);
	int rc;

	if (inbox == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	*inbox = (struct box_entry){ .name = SPAN("INBOX"), .selectable = true };
	if (stat(l.s->inbox, &l.inbox) == -1)
		l.inbox.st_ino = 0;
	rc = list_dir(&l, AT_FDCWD, l.s->root, &name, 0);
	buf_clear(&name);
	if (rc == 0 && (list = arena_alloc(a, l.entries.n, sizeof(*list))) == NULL)
		rc = err_set(e, ERR_LIMIT, "the list of mailboxes is too large");
	if (rc == 0) {
		memcpy(list, l.entries.p, l.entries.n * sizeof(*list));
		*out = list;
		*count_out = l.entries.n;
	}
	array_clear(&l.entries);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

/* The directory above path, made when it is missing below the root. */
static int
make_parent(const struct mbox_store *s, const char *path, struct err *e)
{
	char *slash = strrchr(path, '/'), *dir;
	int rc = 0;

	if (slash == NULL || slash == path)
		return 0;
	dir = strndup(path, (size_t)(slash - path));
	if (dir == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (access(dir, F_OK) == -1)
		rc = dir_make(dir, s->dir_mode, e);
	free(dir);
	return rc;
}

/*
 * A spool is a directory of its own group (Debian: root:mail 2775), whose programs may work on all mail there: a file in it
 * is open to the group.  A user's own directory says by its group's rights whether the group shares the mail.
 */
static mode_t
mode_for(const char *path)
{
	char *slash = strrchr(path, '/'), *dir = strndup(path, slash == NULL ? 0 : (size_t)(slash - path));
	struct stat sb;
	mode_t mode = 0600;

	if (dir != NULL && stat(dir[0] == '\0' ? "/" : dir, &sb) == 0 && sb.st_mode & S_IWGRP &&
	    (sb.st_mode & S_ISGID || sb.st_uid == geteuid()))
		mode |= 0060;
	free(dir);
	return mode;
}

static int
sync_parent(const char *path, struct err *e)
{
	char *slash = strrchr(path, '/'), *dir = strndup(path, slash == NULL ? 0 : (size_t)(slash - path));
	int fd = dir == NULL ? -1 : open(dir[0] == '\0' ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	/* One that may not be read can not be synced. */
	if (fd != -1 && fsync(fd) == -1)
		rc = err_errno(e, "sync %s", dir);
	if (fd != -1)
		close(fd);
	free(dir);
	return rc;
}

int
mbox_make_file(const struct mbox_store *s, const char *path, struct err *e)
{
	int fd, saved;

	if (make_parent(s, path, e) == -1)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1 && (errno == EACCES || errno == EPERM)) {
		mbox_privileges_up(s);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		saved = errno;
		mbox_privileges_down(s);
		errno = saved;
	}
	if (fd == -1)
		return err_errno(e, "make %s", path);
	if (mode_for(path) != 0600 && fchmod(fd, mode_for(path)) == -1)
		log_debug("%s stays open to its owner alone", path);
	close(fd);
	return s->p.fsync == FSYNC_NEVER ? 0 : sync_parent(path, e);
}

/* An ancestor of name that is a file can have none below it. */
static int
check_parents(struct mbox_store *s, struct span name, struct err *e)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '/' && s->dirname == NULL && s->p.fs_layout && mbox_exists(s, span_sub(name, 0, i)) == 1)
			return err_set(e, ERR_DENIED, "%.*s holds mail: it can have no mailboxes below it",
			    SPAN_ARG(span_sub(name, 0, i)));
	return 0;
}

enum drv_rc
mbox_make(struct mbox_store *s, struct span name, bool only_parent, struct err *e)
{
	int there = mbox_exists(s, name), rc = 0;
	char *path = NULL;

	if (there == 1 || (there == 2 && (only_parent || s->dirname == NULL)))
		return err_set(e, ERR_EXISTS, "%.*s exists", SPAN_ARG(name)), DRV_ERROR;
	if (check_parents(s, name, e) == -1 || (path = path_of(s, name, !only_parent, e)) == NULL)
		return DRV_ERROR;
	if (!only_parent)
		rc = mbox_make_file(s, path, e);
	else if (s->p.fs_layout)
		rc = dir_make(path, s->dir_mode, e);
	free(path);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

/* What is kept about a mailbox; not that of those below it. */
static void
control_remove(const struct mbox_store *s, struct span name)
{
	static const char *const files[] = { ".culver-mailbox", ".culver-journal", ".culver-append", MBOX_METADATA,
		"dovecot-acl" };
	struct err e = ERR_INIT;
	char *path = mbox_control_path(s, name, &e), file[MBOX_PATH_MAX + 32];

	for (size_t i = 0; path != NULL && i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		unlink(file);
	}
	if (path != NULL)
		rmdir(path);
	free(path);
}

enum drv_rc
mbox_delete(struct mbox_store *s, struct span name, struct err *e)
{
	char *file = path_of(s, name, true, e), *dir = path_of(s, name, false, e);
	int there = mbox_exists(s, name), rc = -1;

	if (file == NULL || dir == NULL)
		;
	else if (there == 1 && unlink(file) == -1)
		err_errno(e, "delete %s", file);
	else if (there == 1) {
		control_remove(s, name);
		rc = 0;
		/* Nothing may be below it. */
		if (s->dirname != NULL)
			rmdir(dir);
	} else if (there == 2 && rmdir(dir) == 0) {
		control_remove(s, name);
		rc = 0;
	} else if (there == 2 && (errno == ENOTEMPTY || errno == EEXIST))
		err_set(e, ERR_DENIED, "%s has mailboxes in it", dir);
	else if (there == 2)
		err_errno(e, "delete %s", dir);
	else
		err_set(e, ERR_NOTFOUND, "there is no %s", file);
	free(file);
	free(dir);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

/* What is kept about a mailbox goes with it. */
static int
control_rename(const struct mbox_store *s, struct span from, const char *ca, struct span to, const char *cb, struct err *e)
{
	if (rename(ca, cb) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_errno(e, "rename %s to %s", ca, cb);
	/* Of one that was there, and that another program removed. */
	control_remove(s, to);
	if (rename(ca, cb) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_errno(e, "rename %s to %s", ca, cb);
	/* Others lie in it.  The file itself tells UIDVALIDITY and UIDs. */
	control_remove(s, from);
	return 0;
}

enum drv_rc
mbox_rename(struct mbox_store *s, struct span from, struct span to, struct err *e)
{
	char *a = path_of(s, from, false, e), *b = path_of(s, to, false, e);
	char *ca = mbox_control_path(s, from, e), *cb = mbox_control_path(s, to, e);
	int rc = -1;

	if (a == NULL || b == NULL || ca == NULL || cb == NULL || check_parents(s, to, e) == -1 ||
	    make_parent(s, b, e) == -1)
		;
	else if (access(b, F_OK) == 0)
		err_set(e, ERR_EXISTS, "%s exists", b);
	else if (rename(a, b) == -1)
		err_errno(e, "rename %s to %s", a, b);
	else {
		/* There may be nothing: of a mailbox that nobody has opened, or where it could not be made. */
		rc = access(ca, F_OK) == -1 && (errno == ENOENT || errno == EACCES) ? 0 : make_parent(s, cb, e);
		if (rc == 0)
			rc = control_rename(s, from, ca, to, cb, e);
		/* The file tells UIDVALIDITY and UIDs, but not all. */
		if (rc == -1 && rename(b, a) == -1)
			log_error("%s: can not be renamed back from %s", a, b);
	}
	free(a);
	free(b);
	free(ca);
	free(cb);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

enum drv_rc
mbox_sync_moved(struct mbox_store *s, struct span name, struct err *e)
{
	char *path, *control;
	int rc;

	if (s->p.fsync == FSYNC_NEVER)
		return DRV_OK;
	path = mbox_path(s, name, e);
	control = path == NULL ? NULL : mbox_control_path(s, name, e);
	rc = control == NULL || sync_parent(path, e) == -1 || sync_parent(control, e) == -1 ? -1 : 0;
	free(path);
	free(control);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}
