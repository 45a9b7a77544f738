/* SPDX-License-Identifier: MIT */
/*
 * The list of mailboxes; making, deleting, renaming them.
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

#define LIST_MAX 1000000
#define LIST_DEPTH 64

const char *const maildir_subdirs[2] = { "new", "cur" };

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

static bool
is_dir(const char *path, const char *sub)
{
	char full[MAILDIR_PATH_MAX + 300];
	struct stat sb;

	return (size_t)snprintf(full, sizeof(full), "%s%s%s", path, *sub == '\0' ? "" : "/", sub) < sizeof(full) &&
	    stat(full, &sb) == 0 && S_ISDIR(sb.st_mode);
}

int
maildir_exists(void *store, struct span name)
{
	const struct maildir_store *s = store;
	struct err e = ERR_INIT;
	char *folder = maildir_folder_path(s, name, &e), *path = folder == NULL ? NULL : maildir_path(s, name, &e);
	int rc = 0;

	if (path != NULL && is_dir(path, "cur"))
		rc = 1;
	else if (path != NULL && !is_inbox(name) && is_dir(folder, ""))
		rc = s->p.fs_layout ? 2 : 1;
	free(folder);
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

static bool
is_dir_at(int fd, const struct dirent *d)
{
	struct stat sb;

	if (d->d_type == DT_DIR)
		return true;
	return (d->d_type == DT_LNK || d->d_type == DT_UNKNOWN) && fstatat(fd, d->d_name, &sb, 0) == 0 && S_ISDIR(sb.st_mode);
}

/* ".Work.2026" -> "Work/2026".  Empty levels, and what can not be shown, are no mailboxes. */
static bool
flat_name(const struct maildir_store *s, struct span disk, struct buf *out)
{
	unsigned forms = 0;
	struct span level;
	bool first = true;

	if (disk.n < 2 || disk.p[0] != '.' || disk.p[disk.n - 1] == '.' || maildir_is_reserved(s, disk, true))
		return false;
	disk = span_from(disk, 1);
	while (span_next(&disk, '.', &level)) {
		if (level.n == 0)
			return false;
		if (!first)
			buf_addc(out, '/');
		first = false;
		if (!maildir_level_shown(s, level, out, &forms))
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
	while (rc == 0 && (errno = 0, d = readdir(dir)) != NULL) {
		buf_clear(&name);
		if (d->d_name[0] != '.' || !flat_name(l->s, span_str(d->d_name), &name) || !is_dir_at(dirfd(dir), d))
			continue;
		rc = list_add(l, buf_span(&name), true);
	}
	if (rc == 0 && d == NULL && errno != 0)
		rc = err_errno(l->e, "read %s", l->s->root);
	closedir(dir);
	buf_clear(&name);
	return rc;
}

/* A directory on the way from the root, so that a link that leads back up is not followed for ever. */
struct level {
	const struct level *above;
	dev_t dev;
	ino_t ino;
	unsigned depth, forms;
};

static bool
leads_back(const struct level *l, const struct stat *sb)
{
	for (; l != NULL; l = l->above)
		if (l->dev == sb->st_dev && l->ino == sb->st_ino)
			return true;
	return false;
}

/* What is not for us to see, or has gone, is not listed; after other errors nobody knows what there is. */
static int
passed_over(struct listing *l, const char *name)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EPERM || errno == ELOOP)
		return 0;
	return err_errno(l->e, "list %s: %s", l->s->root, name);
}

static int list_tree(struct listing *l, int fd, struct buf *name, const struct level *at);

/* One folder, and what is below it. */
static int
list_folder(struct listing *l, int parent, const struct dirent *d, struct buf *name, struct level *at)
{
	size_t before = l->entries.n;
	char cur[MAILDIR_NAME_MAX * 2 + 8];
	struct stat sb;
	bool selectable;
	int fd, rc;

	if (l->s->dirname == NULL)
		snprintf(cur, sizeof(cur), "%s/cur", d->d_name);
	else
		snprintf(cur, sizeof(cur), "%s/%s/cur", d->d_name, l->s->dirname);
	rc = fstatat(parent, cur, &sb, 0);
	selectable = rc == 0 && S_ISDIR(sb.st_mode);
	if ((rc == -1 && passed_over(l, cur) == -1) || list_add(l, buf_span(name), selectable) == -1)
		return -1;
	if (at->depth >= LIST_DEPTH)
		return 0;
	fd = openat(parent, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return passed_over(l, d->d_name);
	rc = fstat(fd, &sb);
	if (rc == -1) {
		err_errno(l->e, "stat a folder of %s", l->s->root);
		close(fd);
		return -1;
	}
	if (leads_back(at->above, &sb)) {
		l->entries.n = before;	/* it is there already, under its own name */
		close(fd);
		return 0;
	}
	at->dev = sb.st_dev;
	at->ino = sb.st_ino;
	rc = list_tree(l, fd, name, at);
	if (rc == 0 && !selectable && l->s->p.no_noselect && l->entries.n == before + 1)
		l->entries.n = before;
	return rc;
}

/* name: of the mailbox that the directory is.  Takes fd over. */
static int
list_tree(struct listing *l, int fd, struct buf *name, const struct level *at)
{
	size_t keep = name->n;
	struct dirent *d;
	DIR *dir = fdopendir(fd);
	int rc = 0;

	if (dir == NULL) {
		err_errno(l->e, "open a folder of %s", l->s->root);
		close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, d = readdir(dir)) != NULL) {
		struct level here = { .above = at, .depth = at->depth + 1, .forms = at->forms };
		struct span disk = span_str(d->d_name);

		if (span_eq(disk, SPAN(".")) || span_eq(disk, SPAN("..")) || maildir_is_reserved(l->s, disk, at->depth == 0) ||
		    !is_dir_at(fd, d))
			continue;
		if (keep > 0)
			buf_addc(name, '/');
		if (maildir_level_shown(l->s, disk, name, &here.forms) && !name->failed)
			rc = list_folder(l, fd, d, name, &here);
		name->failed = false;	/* too long a path: passed over */
		name->n = keep;
	}
	if (rc == 0 && d == NULL && errno != 0)
		rc = err_errno(l->e, "read a folder of %s", l->s->root);
	closedir(dir);
	name->n = keep;
	return rc;
}

static int
list_root(struct listing *l)
{
	struct buf name = BUF_INIT(MAILDIR_PATH_MAX);
	struct level top = { 0 };
	struct stat sb;
	int rc, fd = open(l->s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(l->e, "open %s", l->s->root);
	if (fstat(fd, &sb) == -1) {
		err_errno(l->e, "stat %s", l->s->root);
		close(fd);
		return -1;
	}
	top.dev = sb.st_dev;
	top.ino = sb.st_ino;
	rc = list_tree(l, fd, &name, &top);
	buf_clear(&name);
	return rc;
}

enum drv_rc
maildir_list(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e)
{
	struct listing l = { .s = store, .a = a, .entries = ARRAY_INIT(struct box_entry, LIST_MAX), .e = e };
	struct box_entry *list, *inbox = array_push(&l.entries);
	int rc = 0;

	if (inbox == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	*inbox = (struct box_entry){ .name = SPAN("INBOX"), .selectable = true };
	rc = l.s->p.fs_layout ? list_root(&l) : list_flat(&l);
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

/* What was made in the directory survives a power cut. */
static int
sync_path(const struct maildir_store *s, const char *path, struct err *e)
{
	int fd, rc;

	if (s->p.fsync == FSYNC_NEVER)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd == -1 || fsync(fd) == -1 ? err_errno(e, "sync %s", path) : 0;
	if (fd != -1)
		close(fd);
	return rc;
}

/* Of the parent folder in Maildir++, whose directory is no parent: that of "a/b/c" is "a/b", or "a", or the root. */
static struct maildir_perm
perm_for_new(const struct maildir_store *s, struct span name)
{
	struct err none = ERR_INIT;

	while (!s->p.fs_layout && name.n > 0) {
		struct stat sb;
		char *path;
		bool there;

		while (name.n > 0 && name.p[name.n - 1] != '/')
			name.n--;
		if (name.n == 0)
			break;
		name.n--;
		path = maildir_folder_path(s, name, &none);
		there = path != NULL && stat(path, &sb) == 0;
		free(path);
		if (there)
			return maildir_perm_of(&sb);
	}
	return s->perm;
}

int
maildir_make_dirs(struct maildir_store *s, struct span name, struct err *e)
{
	static const char *const subs[] = { "tmp", "new", "cur" };	/* cur last: it is what makes a mailbox */
	struct maildir_perm p = perm_for_new(s, name);
	char *path = maildir_path(s, name, e);
	int fd = -1, rc = -1, made;
	struct stat sb;

	if (path == NULL)
		return -1;
	made = s->p.fs_layout || is_inbox(name) ? 0 : maildir_perm_mkdir(AT_FDCWD, path, &p, e);
	if (made == -1)
		goto out;
	if (made == 0 && maildir_perm_path(s->root, path, e) == -1)
		goto out;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &sb) == -1) {
		err_errno(e, "open %s", path);
		goto out;
	}
	p = maildir_perm_of(&sb);
	if (!is_inbox(name) && !s->p.fs_layout) {
		/* Maildir++: tells programs that deliver that this is a folder. */
		int mark = maildir_perm_create(fd, "maildirfolder", O_WRONLY, &p);

		if (mark == -1) {
			err_errno(e, "make %s/maildirfolder", path);
			goto out;
		}
		close(mark);
	}
	for (size_t i = 0; i < 3; i++)
		if (maildir_perm_mkdir(fd, subs[i], &p, e) == -1)
			goto out;
	if (s->p.fsync != FSYNC_NEVER && fsync(fd) == -1)
		err_errno(e, "sync %s", path);
	else
		rc = s->p.fs_layout || is_inbox(name) ? 0 : sync_path(s, s->root, e);
out:
	if (fd != -1)
		close(fd);
	free(path);
	return rc;
}

/* The directories above a new folder, as deep as they were missing. */
static int
sync_above(const struct maildir_store *s, const char *path, struct err *e)
{
	char part[MAILDIR_PATH_MAX + 1];
	size_t root_n = strlen(s->root);
	char *slash;

	if (strlen(path) > MAILDIR_PATH_MAX || strncmp(path, s->root, root_n) != 0)
		return 0;
	memcpy(part, path, strlen(path) + 1);
	while ((slash = strrchr(part, '/')) != NULL && (size_t)(slash - part) >= root_n) {
		*slash = '\0';
		if (sync_path(s, part, e) == -1)
			return -1;
	}
	return 0;
}

enum drv_rc
maildir_box_make(struct maildir_store *s, struct span name, bool only_parent, struct err *e)
{
	int there = maildir_exists(s, name), rc;
	char *path;

	if (s->p.no_noselect && s->p.fs_layout)
		only_parent = false;
	if (there == 1 || (there == 2 && only_parent))
		return err_set(e, ERR_EXISTS, "%.*s exists", SPAN_ARG(name)), DRV_ERROR;
	path = maildir_folder_path(s, name, e);
	if (path == NULL)
		return DRV_ERROR;
	/* In Maildir++ a parent is a thought: it need not be there. */
	if (only_parent)
		rc = s->p.fs_layout ? maildir_perm_path(s->root, path, e) : 0;
	else
		rc = maildir_make_dirs(s, name, e);
	if (rc == 0 && s->p.fs_layout)
		rc = sync_above(s, path, e);
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
		if (strncmp(d->d_name, MAILDIR_TRASH, strlen(MAILDIR_TRASH)) == 0)
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
	snprintf(out, MAILDIR_TRASH_MAX, MAILDIR_TRASH "%016llx", (unsigned long long)mark);
}

static void
unlink_control(int fd)
{
	static const char *const files[] = { "culver-mailbox", "culver-uidlist", "culver-uids", "culver-uids.new",
		"culver-mailbox.released", "culver-mailbox.returned", "dovecot-uidlist", "dovecot-keywords" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(fd, files[i], 0);
}

/* fs layout: only the mail of a directory that has other mailboxes in it. */
static int
trash_mail(const struct maildir_store *s, int box_fd, int root_fd, const char *trash)
{
	const char *const all[] = { "cur", "new", "tmp", NULL }, *const one[] = { s->dirname, NULL };
	int rc = mkdirat(root_fd, trash, 0700);

	for (const char *const *sub = s->dirname == NULL ? all : one; *sub != NULL && rc == 0; sub++) {
		char to[MAILDIR_TRASH_MAX + MAILDIR_NAME_MAX + 2];

		snprintf(to, sizeof(to), "%s/%s", trash, *sub);
		if (renameat(box_fd, *sub, root_fd, to) == -1 && errno != ENOENT)
			rc = -1;
	}
	if (s->dirname == NULL) {
		unlink_control(box_fd);
		unlinkat(box_fd, "dovecot-acl", 0);
		unlinkat(box_fd, MAILDIR_METADATA, 0);
	}
	return rc;
}

static bool
has_folders(const struct maildir_store *s, int box_fd)
{
	int fd = openat(box_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	bool found = false;

	while (dir != NULL && !found && (d = readdir(dir)) != NULL)
		found = strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    !maildir_is_reserved(s, span_str(d->d_name), false) && is_dir_at(fd, d);
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
	return found;
}

/* NO-NOSELECT: the folders above that hold nothing any more; what holds something can not be removed so. */
static void
remove_empty_parents(const struct maildir_store *s, const char *path)
{
	char part[MAILDIR_PATH_MAX + 1];
	char *slash;

	if (!s->p.no_noselect || !s->p.fs_layout || strlen(path) > MAILDIR_PATH_MAX)
		return;
	memcpy(part, path, strlen(path) + 1);
	while ((slash = strrchr(part, '/')) != NULL && (size_t)(slash - part) > strlen(s->root)) {
		*slash = '\0';
		if (rmdir(part) == -1)
			break;
	}
}

/* The control files of a mailbox that was deleted: one that is made with its name is another. */
static void
remove_control(const struct maildir_store *s, struct span name)
{
	struct err none = ERR_INIT;
	char *path = maildir_control_path(s, name, false, &none), *slash;
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1) {
		unlink_control(fd);
		close(fd);
		while (strlen(path) > strlen(s->control) && rmdir(path) == 0 && (slash = strrchr(path, '/')) != NULL)
			*slash = '\0';
	}
	free(path);
}

/* The index's part is the caller's, and maildir_trash_empty().  The mailbox is gone when this returns DRV_OK. */
enum drv_rc
maildir_box_delete(struct maildir_store *s, struct span name, char trash[MAILDIR_TRASH_MAX], struct err *e)
{
	char *path = maildir_folder_path(s, name, e);
	int root, fd, rc;

	if (path == NULL)
		return DRV_ERROR;
	root = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trash_name(trash);
	if (root == -1 || fd == -1)
		rc = err_errno(e, "delete %s", path);
	else if (s->p.fs_layout && has_folders(s, fd) && maildir_exists(s, name) == 2)
		rc = err_set(e, ERR_DENIED, "%s has mailboxes in it, and no mail", path);
	else if (s->p.fs_layout && has_folders(s, fd))
		rc = trash_mail(s, fd, root, trash) == -1 ? err_errno(e, "delete %s", path) : 0;
	else
		rc = renameat(AT_FDCWD, path, root, trash) == -1 ? err_errno(e, "delete %s", path) : 0;
	if (rc == 0)
		remove_empty_parents(s, path);
	if (rc == 0 && s->control != NULL)
		remove_control(s, name);
	if (root != -1)
		close(root);
	if (fd != -1)
		close(fd);
	free(path);
	return rc == 0 ? DRV_OK : drv_of(e);
}

/* Its control files follow; they are not worth a failure, since what is lost of them is made again from the index. */
static void
rename_control(const struct maildir_store *s, struct span from, struct span to)
{
	struct err none = ERR_INIT;
	char *a = maildir_control_path(s, from, true, &none), *b = maildir_control_path(s, to, true, &none), *slash;

	if (a != NULL && b != NULL) {
		slash = strrchr(b, '/');
		*slash = '\0';
		if (dir_make(b, s->perm.dir & 0777, &none) == 0) {
			*slash = '/';
			remove_control(s, to);
			rename(a, b);
		}
	}
	free(a);
	free(b);
}

enum drv_rc
maildir_box_rename(struct maildir_store *s, struct span from, struct span to, struct err *e)
{
	char *a = maildir_folder_path(s, from, e), *b = a == NULL ? NULL : maildir_folder_path(s, to, e);
	int rc = -1;

	if (b != NULL) {
		char *slash = s->p.fs_layout ? strrchr(b, '/') : NULL;

		rc = 0;
		if (slash != NULL && slash != b) {
			*slash = '\0';
			rc = maildir_perm_path(s->root, b, e);
			*slash = '/';
		}
		if (rc == 0 && access(b, F_OK) == 0)
			rc = err_set(e, ERR_EXISTS, "%s exists", b);
		if (rc == 0 && rename(a, b) == -1)
			rc = err_errno(e, "rename %s to %s", a, b);
		if (rc == 0)
			remove_empty_parents(s, a);
		if (rc == 0 && s->control != NULL)
			rename_control(s, from, to);
	}
	free(a);
	free(b);
	return rc == 0 ? DRV_OK : drv_of(e);
}

/* The directory that the path is an entry of. */
static int
sync_parent(const struct maildir_store *s, char *path, struct err *e)
{
	char *slash = strrchr(path, '/');
	int rc;

	if (slash == NULL || slash == path)
		return 0;
	*slash = '\0';
	/* An empty parent may have gone with its last child. */
	rc = access(path, F_OK) == 0 ? sync_path(s, path, e) : 0;
	*slash = '/';
	return rc;
}

enum drv_rc
maildir_sync_moved(struct maildir_store *s, struct span name, struct err *e)
{
	char *path = maildir_folder_path(s, name, e), *control = NULL;
	int rc = path == NULL ? -1 : sync_parent(s, path, e);

	/* Its mail alone may have gone out of it. */
	if (rc == 0 && s->p.fs_layout && access(path, F_OK) == 0)
		rc = sync_path(s, path, e);
	if (rc == 0 && s->control != NULL) {
		control = maildir_control_path(s, name, true, e);
		rc = control == NULL ? -1 : sync_parent(s, control, e);
	}
	if (rc == 0)
		rc = sync_path(s, s->root, e);
	free(control);
	free(path);
	return rc == 0 ? DRV_OK : drv_of(e);
}
