/* SPDX-License-Identifier: MIT */
/*
 * Who may read what is made: as the directory above has it.  A new folder is open to whom its parent folder is open, or
 * the root when it has none; a new file to whom its mailbox's directory is.  Where that belongs to a group that is not the
 * process's, new directories get the group, and the bit that hands it on to what is made in them.
 */
#include "lib-storage/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct maildir_perm
maildir_perm_of(const struct stat *sb)
{
	struct maildir_perm p = { .dir = (sb->st_mode & 0777) | 0700, .gid = (gid_t)-1 };

	p.file = p.dir & 0666;
	if (sb->st_mode & S_ISGID) {
		p.dir |= S_ISGID;	/* the group comes by itself */
	} else if (sb->st_gid != getegid() && (sb->st_mode >> 3 & 7) != (sb->st_mode & 7)) {
		p.gid = sb->st_gid;
		p.dir |= S_ISGID;
	}
	return p;
}

/* The group can not be had: then its bits would open to another group what they were to open to that one. */
static mode_t
without_group(mode_t mode)
{
	return (mode & ~(mode_t)(070 | S_ISGID)) | (mode & 7) << 3;
}

int
maildir_perm_mkdir(int dir, const char *path, const struct maildir_perm *p, struct err *e)
{
	mode_t mode = p->dir;

	if (mkdirat(dir, path, 0700) == -1)
		return errno == EEXIST ? 0 : err_errno(e, "make %s", path);
	if (mode == 0700)
		return 1;
	if (p->gid != (gid_t)-1 && fchownat(dir, path, (uid_t)-1, p->gid, 0) == -1) {
		if (errno != EPERM)
			return err_errno(e, "change the group of %s", path);
		mode = without_group(mode);
	}
	return fchmodat(dir, path, mode, 0) == -1 ? err_errno(e, "change the mode of %s", path) : 1;
}

int
maildir_perm_create(int dir, const char *path, int flags, const struct maildir_perm *p)
{
	bool open_to_others = (p->file & 077) != 0;
	mode_t old = 0;
	int fd;

	/* The process's umask lets nobody else in.  There is one thread. */
	if (open_to_others)
		old = umask(0);
	fd = openat(dir, path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, p->gid != (gid_t)-1 ? p->file & 0600 : p->file);
	if (open_to_others)
		umask(old);
	if (fd != -1 && p->gid != (gid_t)-1)
		fchmod(fd, fchown(fd, (uid_t)-1, p->gid) == 0 ? p->file : without_group(p->file));
	return fd;
}

int
maildir_perm_path(const char *root, const char *path, struct err *e)
{
	char part[MAILDIR_PATH_MAX + 1];
	size_t n = strlen(path), root_n = strlen(root), end = n;
	struct maildir_perm p = { .dir = 0700, .file = 0600, .gid = (gid_t)-1 };
	struct stat sb;

	if (n > MAILDIR_PATH_MAX)
		return err_set(e, ERR_LIMIT, "a path of %zu octets", n);
	memcpy(part, path, n + 1);
	/* Back to what is there. */
	while (stat(part, &sb) == -1) {
		if (errno != ENOENT)
			return err_errno(e, "%s", part);
		while (end > 0 && part[end - 1] != '/')
			end--;
		if (end <= 1)
			return err_set(e, ERR_NOTFOUND, "%s is not there", path);
		part[--end] = '\0';
	}
	/* What is above the root is not asked who may see the mail. */
	if (end >= root_n && strncmp(part, root, root_n) == 0)
		p = maildir_perm_of(&sb);
	while (end < n) {
		part[end] = '/';
		end += strlen(part + end);
		if (maildir_perm_mkdir(AT_FDCWD, part, &p, e) == -1)
			return -1;
	}
	return 0;
}
