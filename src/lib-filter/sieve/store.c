/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/sys.h"
#include "lib-filter/sieve/setting.h"

#define SCRIPTS_MAX 10000	/* that are looked at */
#define FILE_NAME_MAX 256
#define ORIGINALS_MAX 100		/* scripts that were where the link belongs */
#define LINK_MAX 4096

struct sieve_store {
	struct arena *a;
	const char *dir;	/* path */
	const char *link;	/* of the active script */
	uint64_t max_scripts, max_storage;	/* 0: no limit */
	size_t max_size;
};

int
sieve_store_open(const struct sieve_site *site, struct sieve_store **out, struct err *e)
{
	struct filter_host host = { .ctx = site->ctx, .setting = site->setting };
	struct arena *a = arena_new(65536);
	struct sieve_store *st = a == NULL ? NULL : arena_alloc(a, 1, sizeof(*st));
	struct sieve_location where;

	if (st == NULL) {
		arena_free(a);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	if (sieve_site_personal(site, a, &where, e) == -1) {
		arena_free(a);
		return -1;
	}
	*st = (struct sieve_store){ .a = a, .dir = where.path, .link = where.active, .max_size = sieve_site_script_max(site) };
	st->max_scripts = sieve_setting_number(&host, "sieve_quota_max_scripts", 0);
	st->max_storage = sieve_setting_size(&host, "sieve_quota_max_storage", 0);
	*out = st;
	return 0;
}

void
sieve_store_close(struct sieve_store *st)
{
	if (st != NULL)
		arena_free(st->a);
}

/* A link that is among the scripts has the name of one; what is done to that name must not be done to the link. */
static bool
is_the_link(const struct sieve_store *st, const char *file)
{
	const char *slash = strrchr(st->link, '/');
	size_t n = slash == st->link ? 1 : (size_t)(slash - st->link);

	return strcmp(slash + 1, file) == 0 && strncmp(st->dir, st->link, n) == 0 && st->dir[n] == '\0';
}

/* code: what it is if it is the link's. */
static int
file_name(const struct sieve_store *st, struct span name, enum err_code code, char out[FILE_NAME_MAX], struct err *e)
{
	if (!sieve_name_is_valid(name))
		return err_set(e, ERR_SYNTAX, "no name of a script");
	snprintf(out, FILE_NAME_MAX, "%.*s.sieve", SPAN_ARG(name));
	return is_the_link(st, out) ? err_set(e, code, "%s: the name of the link to the active script", out) : 0;
}

static int
find_script(int dir, const char *file, struct err *e)
{
	struct stat s;

	if (fstatat(dir, file, &s, AT_SYMLINK_NOFOLLOW) == -1)
		return err_errno(e, "%s", file);
	return S_ISREG(s.st_mode) ? 0 : err_set(e, ERR_NOTFOUND, "%s: no plain file", file);
}

static int
open_path(const char *path, bool make, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT && make) {
		if (dir_make(path, 0700, e) == -1)
			return -1;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd == -1 ? err_errno(e, "%s", path) : fd;
}

static int
open_dir(struct sieve_store *st, bool make, struct err *e)
{
	return open_path(st->dir, make, e);
}

/*
 * Another name for a file.  The first one stays, unless the kernel forbids that (fs.protected_hardlinks, for a file that the
 * administrator has put there) or the file system has no links: then the file moves.
 */
static int
name_also(int from_dir, const char *from, int to_dir, const char *to, bool *moved_out)
{
	*moved_out = false;
	if (linkat(from_dir, from, to_dir, to, 0) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
		return -1;
	*moved_out = renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0;
	return *moved_out ? 0 : -1;
}

/* ---- the active one ---- */

/* Where the link leads, if it leads to a file of that name in the directory: its name there. */
static bool
active_file(struct sieve_store *st, char out[FILE_NAME_MAX])
{
	char target[LINK_MAX];
	ssize_t n = readlink(st->link, target, sizeof(target) - 1);
	const char *name;
	struct stat there, here;
	char path[LINK_MAX];

	if (n <= 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name == NULL ? target : name + 1;
	if (strlen(name) >= FILE_NAME_MAX || snprintf(path, sizeof(path), "%s/%s", st->dir, name) >= (int)sizeof(path))
		return false;
	if (stat(st->link, &there) == -1 || stat(path, &here) == -1 || there.st_ino != here.st_ino || there.st_dev != here.st_dev)
		return false;
	snprintf(out, FILE_NAME_MAX, "%s", name);
	return true;
}

bool
sieve_store_active(struct sieve_store *st, struct arena *a, struct span *out)
{
	char name[FILE_NAME_MAX];
	struct span s;

	if (!active_file(st, name))
		return false;
	s = span_str(name);
	if (!span_ends(s, SPAN(".sieve")))
		return false;
	*out = arena_dup(a, span_sub(s, 0, s.n - 6));
	return out->p != NULL;
}

static bool
is_active(struct sieve_store *st, const char *file)
{
	char name[FILE_NAME_MAX];

	return active_file(st, name) && strcmp(name, file) == 0;
}

/* The link's directory, and its name there. */
static int
open_link_dir(struct sieve_store *st, bool make, const char **name, struct err *e)
{
	const char *slash = strrchr(st->link, '/');
	char *dir = strndup(st->link, slash == st->link ? 1 : (size_t)(slash - st->link));
	int fd;

	*name = slash + 1;
	if (dir == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	fd = open_path(dir, make, e);
	free(dir);
	return fd;
}

/* Relative where the directory is the link's or below it, so that a home can be moved. */
static const char *
link_target(const struct sieve_store *st, const char *file, char room[LINK_MAX])
{
	size_t base = (size_t)(strrchr(st->link, '/') - st->link) + 1;
	const char *dir = strncmp(st->dir, st->link, base) == 0 && st->dir[base] != '\0' ? st->dir + base : st->dir;

	if (strlen(st->dir) == base - 1 && strncmp(st->dir, st->link, base - 1) == 0)
		return snprintf(room, LINK_MAX, "%s", file) < LINK_MAX ? room : NULL;
	return snprintf(room, LINK_MAX, "%s/%s", dir, file) < LINK_MAX ? room : NULL;
}

/* A second name for it among the others: "dovecot.orig", or "dovecot.orig-2" ... where there are such already. */
static int
link_original(int link_dir, const char *name, const struct stat *s, int dir, struct err *e)
{
	char to[FILE_NAME_MAX] = "dovecot.orig.sieve";
	struct stat there;
	bool moved;

	for (int i = 2; i <= ORIGINALS_MAX; i++) {
		if (name_also(link_dir, name, dir, to, &moved) == 0)
			return 0;
		if (errno != EEXIST)
			return err_errno(e, "moving a script to %s", to);
		/* It has been moved there, and the link was not made. */
		if (fstatat(dir, to, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == s->st_ino && there.st_dev == s->st_dev)
			return 0;
		snprintf(to, sizeof(to), "dovecot.orig-%d.sieve", i);
	}
	return err_set(e, ERR_LIMIT, "there are too many scripts called dovecot.orig");
}

/* A script that stands where the link belongs is moved to the others. */
static int
save_original(struct sieve_store *st, int link_dir, const char *name, struct err *e)
{
	struct stat s;
	int dir, rc;

	if (fstatat(link_dir, name, &s, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_errno(e, "%s", st->link);
	if (S_ISLNK(s.st_mode))
		return 0;
	dir = open_dir(st, true, e);
	if (dir == -1)
		return -1;
	rc = link_original(link_dir, name, &s, dir, e);
	if (rc == 0)
		rc = dir_sync(dir, e);
	close(dir);
	return rc;
}

static int
set_link(struct sieve_store *st, const char *file, struct err *e)
{
	char target[LINK_MAX], tmp[FILE_NAME_MAX];
	const char *name;
	int fd = open_link_dir(st, true, &name, e), rc = -1;

	if (fd == -1)
		return -1;
	if (link_target(st, file, target) == NULL || snprintf(tmp, sizeof(tmp), ".%.200s.%ld", name, (long)getpid()) < 0) {
		err_set(e, ERR_LIMIT, "%s: the path is too long", st->dir);
		goto out;
	}
	if (save_original(st, fd, name, e) == -1)
		goto out;
	unlinkat(fd, tmp, 0);
	if (symlinkat(target, fd, tmp) == -1 || renameat(fd, tmp, fd, name) == -1) {
		err_errno(e, "%s", st->link);
		unlinkat(fd, tmp, 0);
		goto out;
	}
	rc = dir_sync(fd, e);
out:
	close(fd);
	return rc;
}

static int
clear_link(struct sieve_store *st, struct err *e)
{
	const char *name;
	int fd = open_link_dir(st, false, &name, e), rc = -1;

	if (fd == -1)
		return e->code == ERR_NOTFOUND ? 0 : -1;
	if (save_original(st, fd, name, e) == -1)
		goto out;
	if (unlinkat(fd, name, 0) == -1 && errno != ENOENT)
		err_errno(e, "%s", st->link);
	else
		rc = dir_sync(fd, e);
out:
	close(fd);
	return rc;
}

int
sieve_store_activate(struct sieve_store *st, struct span name, struct err *e)
{
	char file[FILE_NAME_MAX];
	int dir, rc;

	if (name.n == 0)
		return clear_link(st, e);
	if (file_name(st, name, ERR_NOTFOUND, file, e) == -1 || (dir = open_dir(st, false, e)) == -1)
		return -1;
	rc = find_script(dir, file, e);
	close(dir);
	if (rc == -1)
		return -1;
	return is_active(st, file) ? 0 : set_link(st, file, e);
}

/* ---- list, get ---- */

static int
by_name(const void *x, const void *y)
{
	return span_cmp((*(struct sieve_stored *const *)x)->name, (*(struct sieve_stored *const *)y)->name);
}

static int
read_dir(struct sieve_store *st, int fd, struct arena *a, struct array *found, struct err *e)
{
	DIR *dir = fdopendir(fd);
	char active[FILE_NAME_MAX] = "";
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL) {
		close(fd);
		return err_errno(e, "%s", st->dir);
	}
	active_file(st, active);
	while ((entry = readdir(dir)) != NULL && rc == 0) {
		struct span name = span_str(entry->d_name);
		struct sieve_stored *s, **slot;
		struct stat sb;

		if (!span_ends(name, SPAN(".sieve")) || !sieve_name_is_valid(span_sub(name, 0, name.n - 6)) ||
		    is_the_link(st, entry->d_name))
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &sb, AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(sb.st_mode))
			continue;
		s = arena_alloc(a, 1, sizeof(*s));
		slot = array_push(found);
		if (s == NULL || slot == NULL) {
			rc = err_set(e, ERR_LIMIT, "%s: there are too many scripts", st->dir);
			break;
		}
		s->name = arena_dup(a, span_sub(name, 0, name.n - 6));
		s->size = (uint64_t)sb.st_size;
		s->active = strcmp(active, entry->d_name) == 0;
		*slot = s;
	}
	closedir(dir);
	return rc;
}

int
sieve_store_list(struct sieve_store *st, struct arena *a, struct sieve_stored **out, struct err *e)
{
	struct array found = ARRAY_INIT(struct sieve_stored *, SCRIPTS_MAX);
	struct sieve_stored **tail = out;
	int fd = open_dir(st, false, e), rc;

	*out = NULL;
	if (fd == -1)
		return e->code == ERR_NOTFOUND ? 0 : -1;
	rc = read_dir(st, fd, a, &found, e);
	if (rc == 0 && found.n > 0)
		qsort(found.p, found.n, sizeof(struct sieve_stored *), by_name);
	for (size_t i = 0; i < found.n && rc == 0; i++) {
		*tail = *(struct sieve_stored **)array_at(&found, i);
		tail = &(*tail)->next;
	}
	array_clear(&found);
	return rc;
}

int
sieve_store_get(struct sieve_store *st, struct span name, struct buf *out, struct err *e)
{
	char file[FILE_NAME_MAX];
	int dir, fd = -1, rc;

	if (file_name(st, name, ERR_NOTFOUND, file, e) == -1 || (dir = open_dir(st, false, e)) == -1)
		return -1;
	rc = find_script(dir, file, e);
	if (rc == 0 && (fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) == -1)
		rc = err_errno(e, "%s", file);
	close(dir);
	if (rc == -1)
		return -1;
	rc = fd_read_all(fd, out->max, out, e);
	if (rc == -1 && e->code == ERR_LIMIT)
		e->code = ERR_TOOBIG;
	close(fd);
	return rc;
}

/* ---- changes ---- */

int
sieve_store_has_space(struct sieve_store *st, struct span name, uint64_t size, struct err *e)
{
	struct arena *a = arena_new((size_t)8 << 20);
	struct sieve_stored *list = NULL;
	uint64_t count = 1, total = size;
	char file[FILE_NAME_MAX];
	int rc = -1;

	if (file_name(st, name, ERR_SYNTAX, file, e) == -1)
		goto out;
	if (size > st->max_size) {
		err_set(e, ERR_TOOBIG, "the script has more than %zu octets", st->max_size);
		goto out;
	}
	if (a == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		goto out;
	}
	if (sieve_store_list(st, a, &list, e) == -1)
		goto out;
	for (const struct sieve_stored *s = list; s != NULL; s = s->next) {
		if (span_eq(s->name, name))
			continue;
		count++;
		total += s->size;
	}
	if (st->max_scripts > 0 && count > st->max_scripts)
		err_set(e, ERR_LIMIT, "there are %llu scripts already", (unsigned long long)st->max_scripts);
	else if (st->max_storage > 0 && total > st->max_storage)
		err_set(e, ERR_OVERQUOTA, "all scripts together would have more than %llu octets", (unsigned long long)st->max_storage);
	else
		rc = 0;
out:
	arena_free(a);
	return rc;
}

int
sieve_store_put(struct sieve_store *st, struct span name, struct span text, struct err *e)
{
	char file[FILE_NAME_MAX];
	int dir, rc;

	if (file_name(st, name, ERR_SYNTAX, file, e) == -1 || sieve_store_has_space(st, name, text.n, e) == -1 ||
	    (dir = open_dir(st, true, e)) == -1)
		return -1;
	rc = file_replace(dir, file, text, 0600, true, e);
	close(dir);
	return rc;
}

/* The binary of a script that is not there any more (cache.h). */
static void
forget_binary(int dir, struct span name)
{
	char binary[FILE_NAME_MAX + 8];

	snprintf(binary, sizeof(binary), "%.*s.csvbin", SPAN_ARG(name));
	unlinkat(dir, binary, 0);
}

int
sieve_store_delete(struct sieve_store *st, struct span name, struct err *e)
{
	char file[FILE_NAME_MAX];
	int dir, rc = -1;

	if (file_name(st, name, ERR_NOTFOUND, file, e) == -1 || (dir = open_dir(st, false, e)) == -1)
		return -1;
	if (is_active(st, file))
		err_set(e, ERR_INUSE, "%s is the active script", file);
	else if (find_script(dir, file, e) == -1)
		;
	else if (unlinkat(dir, file, 0) == -1)
		err_errno(e, "%s", file);
	else
		rc = dir_sync(dir, e);
	if (rc == 0)
		forget_binary(dir, name);
	close(dir);
	return rc;
}

/* The link may lead to the new name although what came then failed. */
static void
take_back(struct sieve_store *st, int dir, const char *from, const char *to, bool moved)
{
	if (is_active(st, to))
		return;
	if (moved)
		renameat(dir, to, dir, from);
	else
		unlinkat(dir, to, 0);
}

int
sieve_store_rename(struct sieve_store *st, struct span old, struct span name, struct err *e)
{
	char from[FILE_NAME_MAX], to[FILE_NAME_MAX];
	bool active, moved;
	int dir, rc = -1;

	if (file_name(st, old, ERR_NOTFOUND, from, e) == -1 || file_name(st, name, ERR_SYNTAX, to, e) == -1 ||
	    (dir = open_dir(st, false, e)) == -1)
		return -1;
	active = is_active(st, from);
	/* A second name, then the link, then the first name goes: at no moment is the active link without a script. */
	if (find_script(dir, from, e) == -1)
		;
	else if (name_also(dir, from, dir, to, &moved) == -1)
		err_errno(e, "%s", errno == EEXIST ? to : from);
	else if (active && (dir_sync(dir, e) == -1 || set_link(st, to, e) == -1))
		take_back(st, dir, from, to, moved);
	else if (!moved && unlinkat(dir, from, 0) == -1)
		err_errno(e, "%s", from);
	else
		rc = dir_sync(dir, e);
	if (rc == 0)
		forget_binary(dir, old);
	close(dir);
	return rc;
}
