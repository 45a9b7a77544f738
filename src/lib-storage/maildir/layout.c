/* SPDX-License-Identifier: MIT */
/*
 * Where a mailbox is.  Maildir++: INBOX is the root, "Work/2026" the directory ".Work.2026" in it; LAYOUT=fs:
 * "Work/2026".  On disk names are in modified UTF-7.
 *
 * Deleting renames the directory first, to a name that is no mailbox, so that it is gone at once and whole; then it is
 * removed.  What a crash leaves of such directories is removed by the next maintenance of INBOX.
 */
#include "lib-storage/maildir/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/array.h"
#include "lib/encode.h"
#include "lib/sys.h"

#define PATH_OCTETS 4000
#define LIST_MAX 1000000
#define LIST_DEPTH 64
#define TRASH "..culver-deleted."

const char *const maildir_subdirs[2] = { "new", "cur" };

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

static char *
dup_path(const char *p)
{
	return strdup(p);
}

char *
maildir_path(const struct maildir_store *s, struct span name, struct err *e)
{
	struct buf path = BUF_INIT(PATH_OCTETS);
	struct span level;
	char *out = NULL;

	if (is_inbox(name))
		return dup_path(s->inbox);
	buf_adds(&path, s->root);
	if (!s->p.fs_layout)
		buf_addc(&path, '/');
	while (span_next(&name, '/', &level)) {
		size_t start;

		buf_addc(&path, s->p.fs_layout ? '/' : '.');
		start = path.n;
		if (!mutf7_encode(&path, level)) {
			err_set(e, ERR_SYNTAX, "a mailbox name is not UTF-8");
			goto out;
		}
		struct span disk = path.failed ? SPAN_NONE : span_from(buf_span(&path), start);

		if (!s->p.fs_layout && span_chr(disk, '.') != disk.n) {
			err_set(e, ERR_SYNTAX, "a name with a '.' can not be a Maildir++ folder");
			goto out;
		}
		if (s->p.fs_layout && (disk.n == 0 || disk.p[0] == '.' || span_eq(disk, SPAN("cur")) ||
		    span_eq(disk, SPAN("new")) || span_eq(disk, SPAN("tmp")) || span_starts(disk, SPAN("culver")))) {
			err_set(e, ERR_SYNTAX, "a mailbox can not be called %.*s", SPAN_ARG(disk));
			goto out;
		}
		if (disk.n > 200) {
			err_set(e, ERR_LIMIT, "a mailbox name is too long for the file system");
			goto out;
		}
	}
	if (path.failed || buf_cstr(&path) == NULL)
		err_set(e, ERR_LIMIT, "a mailbox name is too long");
	else if ((out = strdup(path.p)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
out:
	buf_clear(&path);
	return out;
}

static bool
is_dir(const char *path, const char *sub)
{
	char full[PATH_OCTETS + 300];
	struct stat sb;

	return (size_t)snprintf(full, sizeof(full), "%s%s%s", path, *sub == '\0' ? "" : "/", sub) < sizeof(full) &&
	    stat(full, &sb) == 0 && S_ISDIR(sb.st_mode);
}

int
maildir_exists(void *store, struct span name)
{
	struct err e = ERR_INIT;
	char *path = maildir_path(store, name, &e);
	int rc = 0;

	if (path == NULL)
		return 0;
	if (is_dir(path, "cur"))
		rc = 1;
	else if (is_inbox(name))
		rc = 0;
	else if (is_dir(path, ""))
		rc = ((struct maildir_store *)store)->p.fs_layout ? 2 : 1;
	free(path);
	return rc;
}

struct listing {
	struct maildir_store *s;
	struct arena *a;
	struct array entries;
	struct err *e;
};

static int
list_add(struct listing *l, struct span name, bool selectable)
{
	struct box_entry *entry;

	if (is_inbox(name) || !utf8_is_valid(name) || name.n > INDEX_NAME_MAX)
		return 0;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			return 0;
	entry = array_push(&l->entries);
	if (entry == NULL)
		return err_set(l->e, ERR_LIMIT, "too many mailboxes in %s", l->s->root);
	entry->name = arena_dup(l->a, name);
	entry->selectable = selectable;
	return entry->name.p == NULL ? err_set(l->e, ERR_LIMIT, "the list of mailboxes is too large") : 0;
}

/* ".Work.2026" -> "Work/2026".  Empty levels, and what is not modified UTF-7, are no mailboxes. */
static bool
name_from_disk(struct span disk, char separator, struct buf *out)
{
	struct span level;
	bool first = true;

	if (disk.n == 0 || disk.p[disk.n - 1] == separator)
		return false;
	while (span_next(&disk, separator, &level)) {
		if (level.n == 0)
			return false;
		if (!first)
			buf_addc(out, '/');
		first = false;
		size_t start = out->n;

		if (!mutf7_decode(out, level) || out->failed)
			return false;
		if (span_chr(span_from(buf_span(out), start), '/') != out->n - start)
			return false;
	}
	return true;
}

static int
list_flat(struct listing *l)
{
	struct buf name = BUF_INIT(2 * INDEX_NAME_MAX);
	struct dirent *d;
	DIR *dir = opendir(l->s->root);
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : err_errno(l->e, "open %s", l->s->root);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.' || d->d_name[1] == '.' || d->d_name[1] == '\0')
			continue;
		if (d->d_type != DT_DIR && d->d_type != DT_LNK && d->d_type != DT_UNKNOWN)
			continue;
		buf_reset(&name);
		if (!name_from_disk(span_str(d->d_name + 1), '.', &name))
			continue;
		if (d->d_type != DT_DIR) {
			struct stat sb;

			if (fstatat(dirfd(dir), d->d_name, &sb, 0) == -1 || !S_ISDIR(sb.st_mode))
				continue;
		}
		rc = list_add(l, buf_span(&name), true);
	}
	closedir(dir);
	buf_clear(&name);
	return rc;
}

/* disk: path below the root, "" at first.  name: the same as a mailbox name. */
static int
list_tree(struct listing *l, int parent, const char *entry, struct buf *name, unsigned depth)
{
	int fd = openat(parent, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	size_t keep = name->n;
	struct dirent *d;
	DIR *dir;

	if (fd == -1)
		return 0;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return 0;
	}
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		struct stat sb;
		struct span disk = span_str(d->d_name);

		if (d->d_name[0] == '.' || span_eq(disk, SPAN("cur")) || span_eq(disk, SPAN("new")) ||
		    span_eq(disk, SPAN("tmp")) || span_starts(disk, SPAN("culver")) ||
		    (d->d_type != DT_DIR && d->d_type != DT_LNK && d->d_type != DT_UNKNOWN))
			continue;
		if (fstatat(fd, d->d_name, &sb, 0) == -1 || !S_ISDIR(sb.st_mode))
			continue;
		name->n = keep;
		if (keep > 0)
			buf_addc(name, '/');
		if (mutf7_decode(name, disk) && !name->failed) {
			char cur[300];

			snprintf(cur, sizeof(cur), "%s/cur", d->d_name);
			rc = list_add(l, buf_span(name), fstatat(fd, cur, &sb, 0) == 0 && S_ISDIR(sb.st_mode));
			if (rc == 0 && depth < LIST_DEPTH)
				rc = list_tree(l, fd, d->d_name, name, depth + 1);
		}
		buf_reset(name);
		name->n = keep;
	}
	closedir(dir);
	name->n = keep;
	return rc;
}

enum drv_rc
maildir_list(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e)
{
	struct listing l = { .s = store, .a = a, .entries = ARRAY_INIT(struct box_entry, LIST_MAX), .e = e };
	struct buf name = BUF_INIT(PATH_OCTETS);
	struct box_entry *list, *inbox = array_push(&l.entries);
	int rc = 0;

	if (inbox == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	*inbox = (struct box_entry){ .name = SPAN("INBOX"), .selectable = true };
	rc = l.s->p.fs_layout ? list_tree(&l, AT_FDCWD, l.s->root, &name, 0) : list_flat(&l);
	buf_clear(&name);
	list = rc == -1 ? NULL : arena_alloc(a, l.entries.n, sizeof(*list));
	if (rc == 0 && list == NULL)
		rc = err_set(e, ERR_LIMIT, "the list of mailboxes is too large");
	if (rc == 0) {
		memcpy(list, l.entries.p, l.entries.n * sizeof(*list));
		*out = list;
		*count_out = l.entries.n;
	}
	array_clear(&l.entries);
	return rc == 0 ? DRV_OK : drv_of(e);
}

static int
make_one(const struct maildir_store *s, const char *path, struct err *e)
{
	if (mkdir(path, s->dir_mode) == -1)
		return errno == EEXIST ? 0 : err_errno(e, "make %s", path);
	if (s->gid != (gid_t)-1 && chown(path, (uid_t)-1, s->gid) == -1 && errno != EPERM)
		return err_errno(e, "change the group of %s", path);
	return 0;
}

int
maildir_make_dirs(struct maildir_store *s, const char *path, bool folder, struct err *e)
{
	static const char *const subs[] = { "tmp", "new", "cur" };	/* cur last: it is what makes a mailbox */
	char sub[PATH_OCTETS + 8];

	if (dir_make(path, s->dir_mode, e) == -1)
		return -1;
	if (folder && !s->p.fs_layout) {
		/* Maildir++: tells programs that deliver that this is a folder. */
		snprintf(sub, sizeof(sub), "%s/maildirfolder", path);
		int fd = open(sub, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, s->file_mode);

		if (fd == -1)
			return err_errno(e, "make %s", sub);
		close(fd);
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, subs[i]);
		if (make_one(s, sub, e) == -1)
			return -1;
	}
	return 0;
}

enum drv_rc
maildir_box_make(struct maildir_store *s, struct span name, bool only_parent, struct err *e)
{
	int there = maildir_exists(s, name), rc;
	char *path;

	if (there == 1 || (there == 2 && only_parent))
		return err_set(e, ERR_EXISTS, "%.*s exists", SPAN_ARG(name)), DRV_ERROR;
	path = maildir_path(s, name, e);
	if (path == NULL)
		return DRV_ERROR;
	/* In Maildir++ a parent is a thought: it need not be there. */
	if (only_parent)
		rc = s->p.fs_layout ? dir_make(path, s->dir_mode, e) : 0;
	else
		rc = maildir_make_dirs(s, path, !is_inbox(name), e);
	free(path);
	return rc == 0 ? DRV_OK : drv_of(e);
}

/* Removes what is in the directory, and it; does not follow links. */
static int
remove_tree(int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;

	if (fd == -1)
		return unlinkat(parent, name, 0);
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, d->d_name, 0) == -1 && (errno == EISDIR || errno == EPERM) && depth < LIST_DEPTH)
			remove_tree(fd, d->d_name, depth + 1);
	}
	closedir(dir);
	return unlinkat(parent, name, AT_REMOVEDIR);
}

void
maildir_trash_empty(struct maildir_store *s, const char *trash)
{
	int root = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = root == -1 ? NULL : fdopendir(root);
	struct dirent *d;

	if (trash != NULL && root != -1)
		remove_tree(root, trash, 0);
	while (trash == NULL && dir != NULL && (d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, TRASH, strlen(TRASH)) == 0)
			remove_tree(root, d->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	else if (root != -1)
		close(root);
}

static void
trash_name(char out[MAILDIR_TRASH_MAX])
{
	uint64_t mark;

	random_bytes(&mark, sizeof(mark));
	snprintf(out, MAILDIR_TRASH_MAX, TRASH "%016llx", (unsigned long long)mark);
}

/* fs layout: only the mail of a directory that has other mailboxes in it. */
static int
trash_subdirs(int box_fd, int root_fd, const char *trash)
{
	static const char *const subs[] = { "cur", "new", "tmp" };
	char to[96];
	int rc = mkdirat(root_fd, trash, 0700);

	for (size_t i = 0; i < 3 && rc == 0; i++) {
		snprintf(to, sizeof(to), "%s/%s", trash, subs[i]);
		if (renameat(box_fd, subs[i], root_fd, to) == -1 && errno != ENOENT)
			rc = -1;
	}
	unlinkat(box_fd, "culver-mailbox", 0);
	return rc;
}

static bool
has_folders(int box_fd)
{
	int fd = openat(box_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	bool found = false;

	if (dir == NULL)
		return false;
	while (!found && (d = readdir(dir)) != NULL) {
		struct stat sb;

		found = d->d_name[0] != '.' && strcmp(d->d_name, "cur") != 0 && strcmp(d->d_name, "new") != 0 &&
		    strcmp(d->d_name, "tmp") != 0 && fstatat(fd, d->d_name, &sb, 0) == 0 && S_ISDIR(sb.st_mode);
	}
	closedir(dir);
	return found;
}

/* The index's part is the caller's, and maildir_trash_empty().  The mailbox is gone when this returns DRV_OK. */
enum drv_rc
maildir_box_delete(struct maildir_store *s, struct span name, char trash[MAILDIR_TRASH_MAX], struct err *e)
{
	char *path = maildir_path(s, name, e);
	int root, fd, rc;

	if (path == NULL)
		return DRV_ERROR;
	root = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trash_name(trash);
	if (root == -1 || fd == -1)
		rc = -1;
	else if (s->p.fs_layout && has_folders(fd))
		rc = trash_subdirs(fd, root, trash);
	else
		rc = renameat(AT_FDCWD, path, root, trash);
	if (rc == -1)
		err_errno(e, "delete %s", path);
	if (root != -1)
		close(root);
	if (fd != -1)
		close(fd);
	free(path);
	return rc == 0 ? DRV_OK : drv_of(e);
}

enum drv_rc
maildir_box_rename(struct maildir_store *s, struct span from, struct span to, struct err *e)
{
	char *a = maildir_path(s, from, e), *b = a == NULL ? NULL : maildir_path(s, to, e);
	int rc = -1;

	if (b != NULL) {
		char *slash = s->p.fs_layout ? strrchr(b, '/') : NULL;

		rc = 0;
		if (slash != NULL && slash != b) {
			*slash = '\0';
			rc = dir_make(b, s->dir_mode, e);
			*slash = '/';
		}
		if (rc == 0 && access(b, F_OK) == 0)
			rc = err_set(e, ERR_EXISTS, "%s exists", b);
		if (rc == 0 && rename(a, b) == -1)
			rc = err_errno(e, "rename %s to %s", a, b);
	}
	free(a);
	free(b);
	return rc == 0 ? DRV_OK : drv_of(e);
}
