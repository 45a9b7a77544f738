/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
die(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	va_start(ap, fmt);
	fprintf(stderr, "crash: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(saved));
	va_end(ap);
	_exit(99);
}

void *
must_alloc(size_t n)
{
	void *p = calloc(1, n == 0 ? 1 : n);

	if (p == NULL)
		die("out of memory");
	return p;
}

char *
must_dup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		die("out of memory");
	return p;
}

static char *
join(const char *a, const char *b)
{
	char *p;

	if (asprintf(&p, "%s/%s", a, b) == -1)
		die("out of memory");
	return p;
}

uint32_t
tree_add(struct tree *t, bool dir, uint64_t ino, mode_t mode)
{
	if (t->count == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->nodes = realloc(t->nodes, t->cap * sizeof(*t->nodes));
		if (t->nodes == NULL)
			die("out of memory");
	}
	t->nodes[t->count] = (struct tree_node){ .dir = dir, .ino = ino, .mode = mode };
	return (uint32_t)t->count++;
}

uint32_t
tree_entry(const struct tree *t, uint32_t dir, const char *name)
{
	const struct tree_node *d = &t->nodes[dir];

	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->entries[i].name, name) == 0)
			return d->entries[i].node;
	return NO_NODE;
}

void
tree_unlink(struct tree *t, uint32_t dir, const char *name)
{
	struct tree_node *d = &t->nodes[dir];

	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->entries[i].name, name) != 0)
			continue;
		free(d->entries[i].name);
		d->entries[i] = d->entries[--d->count];
		return;
	}
}

void
tree_link(struct tree *t, uint32_t dir, const char *name, uint32_t node)
{
	struct tree_node *d = &t->nodes[dir];

	tree_unlink(t, dir, name);
	d->entries = realloc(d->entries, (d->count + 1) * sizeof(*d->entries));
	if (d->entries == NULL)
		die("out of memory");
	d->entries[d->count++] = (struct tree_entry){ must_dup(name), node };
}

uint32_t
tree_parent(const struct tree *t, const char *path, const char **name_out)
{
	uint32_t at = 0;

	for (;;) {
		const char *slash = strchr(path, '/');
		char level[300];

		*name_out = path;
		if (slash == NULL)
			return at;
		snprintf(level, sizeof(level), "%.*s", (int)(slash - path), path);
		if (level[0] != '\0' && strcmp(level, ".") != 0)
			at = tree_entry(t, at, level);
		if (at == NO_NODE || !t->nodes[at].dir)
			return NO_NODE;
		path = slash + 1;
	}
}

uint32_t
tree_find(const struct tree *t, const char *path)
{
	const char *name;
	uint32_t dir = tree_parent(t, path, &name);

	return dir == NO_NODE || name[0] == '\0' || strcmp(name, ".") == 0 ? dir : tree_entry(t, dir, name);
}

void
tree_truncate(struct tree *t, uint32_t node, uint64_t n)
{
	struct tree_node *f = &t->nodes[node];

	if (n > f->n) {
		f->data = realloc(f->data, n);
		if (f->data == NULL)
			die("out of memory");
		memset(f->data + f->n, 0, n - f->n);
	}
	f->n = n;
}

void
tree_write(struct tree *t, uint32_t node, uint64_t at, const char *p, size_t n)
{
	if (at + n > t->nodes[node].n)
		tree_truncate(t, node, at + n);
	if (n > 0)
		memcpy(t->nodes[node].data + at, p, n);
}

static void
load_file(struct tree *t, uint32_t node, int dir, const char *name, size_t n)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct tree_node *f = &t->nodes[node];

	f->data = must_alloc(n);
	f->n = n;
	if (fd == -1 || (n > 0 && read(fd, f->data, n) != (ssize_t)n))
		die("read %s", name);
	close(fd);
}

static uint32_t
find_ino(const struct tree *t, uint64_t ino)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->nodes[i].ino == ino && !t->nodes[i].dir)
			return (uint32_t)i;
	return NO_NODE;
}

static void
load_dir(struct tree *t, uint32_t node, int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;

	if (dir == NULL)
		die("opendir");
	while ((d = readdir(dir)) != NULL) {
		struct stat sb;
		uint32_t child;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (fstatat(fd, d->d_name, &sb, AT_SYMLINK_NOFOLLOW) == -1)
			die("stat %s", d->d_name);
		if (!S_ISDIR(sb.st_mode) && !S_ISREG(sb.st_mode))
			continue;
		child = S_ISREG(sb.st_mode) && sb.st_nlink > 1 ? find_ino(t, sb.st_ino) : NO_NODE;
		if (child == NO_NODE) {
			child = tree_add(t, S_ISDIR(sb.st_mode), sb.st_ino, sb.st_mode & 07777);
			t->nodes[child].mtime = sb.st_mtim;
			if (S_ISDIR(sb.st_mode))
				load_dir(t, child, openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			else
				load_file(t, child, fd, d->d_name, (size_t)sb.st_size);
		}
		tree_link(t, node, d->d_name, child);
	}
	closedir(dir);
}

void
tree_load(struct tree *t, const char *path)
{
	struct stat sb;

	*t = (struct tree){ 0 };
	if (stat(path, &sb) == -1)
		die("stat %s", path);
	tree_add(t, true, sb.st_ino, sb.st_mode & 07777);
	t->nodes[0].mtime = sb.st_mtim;
	load_dir(t, 0, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void
tree_copy(struct tree *to, const struct tree *from)
{
	*to = (struct tree){ must_alloc(from->count * sizeof(*from->nodes)), from->count, from->count, from->keep };
	for (size_t i = 0; i < from->count; i++) {
		const struct tree_node *a = &from->nodes[i];
		struct tree_node *b = &to->nodes[i];

		*b = *a;
		b->data = must_alloc(a->n);
		if (a->n > 0)
			memcpy(b->data, a->data, a->n);
		b->entries = must_alloc(a->count * sizeof(*a->entries));
		for (size_t k = 0; k < a->count; k++)
			b->entries[k] = (struct tree_entry){ must_dup(a->entries[k].name), a->entries[k].node };
		b->stored = NULL;
	}
}

void
tree_clear(struct tree *t)
{
	for (size_t i = 0; i < t->count; i++) {
		for (size_t k = 0; k < t->nodes[i].count; k++)
			free(t->nodes[i].entries[k].name);
		free(t->nodes[i].entries);
		free(t->nodes[i].data);
		free(t->nodes[i].stored);
	}
	free(t->nodes);
	*t = (struct tree){ 0 };
}

static void
remove_in(int parent, const char *name)
{
	int fd;
	DIR *dir;
	struct dirent *d;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL)
		die("remove %s", name);
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			remove_in(fd, d->d_name);
	closedir(dir);
	if (unlinkat(parent, name, AT_REMOVEDIR) == -1)
		die("rmdir %s", name);
}

void
remove_tree(const char *path)
{
	remove_in(AT_FDCWD, path);
}

/* Takes away what the tree has not, and every file. */
static void
sweep(const struct tree *t, uint32_t node, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	if (dir == NULL)
		die("opendir %s", path);
	while ((d = readdir(dir)) != NULL) {
		uint32_t child;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		child = tree_entry(t, node, d->d_name);
		if (d->d_type != DT_DIR || child == NO_NODE || !t->nodes[child].dir) {
			remove_in(dirfd(dir), d->d_name);
			continue;
		}
		char *below = join(path, d->d_name);

		sweep(t, child, below);
		free(below);
	}
	closedir(dir);
}

static void
kept_name(char room[512], const char *keep, uint64_t ino)
{
	snprintf(room, 512, "%.400s/%llu", keep, (unsigned long long)ino);
}

static void
keep_dir(struct tree *t, uint32_t node, const char *path, const char *keep)
{
	for (size_t i = 0; i < t->nodes[node].count; i++) {
		struct tree_entry *en = &t->nodes[node].entries[i];
		char *below = join(path, en->name), kept[512];

		kept_name(kept, keep, t->nodes[en->node].ino);
		if (t->nodes[en->node].dir)
			keep_dir(t, en->node, below, keep);
		else if (link(below, kept) == -1 && errno != EEXIST)
			die("link %s", kept);
		free(below);
	}
}

void
tree_keep(struct tree *t, const char *path, const char *keep)
{
	if (mkdir(keep, 0700) == -1 && errno != EEXIST)
		die("mkdir %s", keep);
	keep_dir(t, 0, path, keep);
	t->keep = keep;
}

/* 1 when the file with its old inode is back, to be written to. */
static int
take_kept(const struct tree_node *f, const char *path, const char *keep, int *fd_out)
{
	char kept[512];

	if (keep == NULL || f->ino == 0)
		return 0;
	kept_name(kept, keep, f->ino);
	*fd_out = open(kept, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (*fd_out != -1 && link(kept, path) == -1)
		die("link %s", path);
	return *fd_out != -1;
}

static void
store_file(struct tree_node *f, const char *path, const char *keep)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, f->mtime };
	int fd;

	if (f->stored != NULL) {
		if (link(f->stored, path) == -1)
			die("link %s", path);
		return;
	}
	if (!take_kept(f, path, keep, &fd))
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, f->mode);
	if (fd == -1 || (f->n > 0 && write(fd, f->data, f->n) != (ssize_t)f->n) || fchmod(fd, f->mode) == -1 ||
	    futimens(fd, times) == -1)
		die("write %s", path);
	close(fd);
	f->stored = must_dup(path);
}

static bool
store_dir(struct tree *t, uint32_t node, const char *path)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, t->nodes[node].mtime };
	struct stat sb;
	bool same;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		die("mkdir %s", path);
	for (size_t i = 0; i < t->nodes[node].count; i++) {
		struct tree_entry *en = &t->nodes[node].entries[i];
		char *below = join(path, en->name);

		if (t->nodes[en->node].dir)
			store_dir(t, en->node, below);
		else
			store_file(&t->nodes[en->node], below, t->keep);
		free(below);
	}
	if (chmod(path, t->nodes[node].mode) == -1 || utimensat(AT_FDCWD, path, times, 0) == -1 || stat(path, &sb) == -1)
		die("stat %s", path);
	same = sb.st_ino == t->nodes[node].ino;
	t->nodes[node].stored = must_dup(same ? "same" : "other");
	return same;
}

bool
tree_store(struct tree *t, const char *path)
{
	bool same = true;

	sweep(t, 0, path);
	store_dir(t, 0, path);
	for (size_t i = 0; i < t->count; i++) {
		struct tree_node *n = &t->nodes[i];

		if (n->dir && n->stored != NULL && strcmp(n->stored, "same") != 0)
			same = false;
		free(n->stored);
		n->stored = NULL;
	}
	return same;
}
