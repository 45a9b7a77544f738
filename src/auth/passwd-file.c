/* SPDX-License-Identifier: MIT */
#include "auth/passwd-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/array.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define LINE_MAX_OCTETS 65536
#define ENTRIES_MAX ((size_t)1 << 24)
/* A file written twice within one tick of the file system's clock looks the same: a young one is read again later. */
#define RACY_NS ((int64_t)2 * 1000000000)

bool
passwd_line_parse(struct span line, struct passwd_entry *out)
{
	struct span gecos, shell;
	struct span *const parts[] = { &out->user, &out->password, &out->uid, &out->gid, &gecos, &out->home, &shell };

	memset(out, 0, sizeof(*out));
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.p[0] == '#' || line.n > LINE_MAX_OCTETS || memchr(line.p, '\0', line.n) != NULL)
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t colon = span_chr(line, ':');

		*parts[i] = span_sub(line, 0, colon);
		if (i == 1)
			out->has_password = true;
		if (colon == line.n)
			return out->user.n > 0;
		line = span_from(line, colon + 1);
	}
	out->extra = line;
	return out->user.n > 0;
}

struct passwd_table {
	struct array entries;
	struct hash *by_user;
};

void
passwd_table_free(struct passwd_table *t)
{
	if (t == NULL)
		return;
	hash_free(t->by_user);
	array_clear(&t->entries);
	free(t);
}

struct passwd_table *
passwd_table_new(struct span content, size_t *doubles_out)
{
	struct passwd_table *t = calloc(1, sizeof(*t));
	struct passwd_entry entry, *e;

	if (t == NULL)
		return NULL;
	*doubles_out = 0;
	t->entries = ARRAY_INIT(struct passwd_entry, ENTRIES_MAX);
	while (content.n > 0) {
		size_t end = span_chr(content, '\n');
		struct span line = span_sub(content, 0, end);

		content = span_from(content, end + 1);
		if (!passwd_line_parse(line, &entry))
			continue;
		e = array_push(&t->entries);
		if (e == NULL)
			goto failed;
		*e = entry;
	}
	/* Only now the pointers into the array stay. */
	t->by_user = hash_new(t->entries.n + 1);
	if (t->by_user == NULL)
		goto failed;
	for (size_t i = 0; i < t->entries.n; i++) {
		e = array_at(&t->entries, i);
		if (hash_get(t->by_user, e->user) != NULL)
			(*doubles_out)++;
		else if (!hash_set(t->by_user, e->user, e))
			goto failed;
	}
	return t;
failed:
	passwd_table_free(t);
	return NULL;
}

const struct passwd_entry *
passwd_table_find(const struct passwd_table *t, struct span user)
{
	return hash_get(t->by_user, user);
}

const struct passwd_entry *
passwd_table_at(const struct passwd_table *t, size_t idx)
{
	return idx < t->entries.n ? array_at(&t->entries, idx) : NULL;
}

struct file {
	struct file *next;	/* the most recently used first */
	char *path;
	struct stat st;
	int64_t read_ns;	/* wall clock, when it was read */
	struct buf content;
	struct passwd_table *table;
};

struct passwd_files {
	struct file *first;
	size_t count, max;
	void (*on_change)(void *data);
	void *data;
};

struct passwd_files *
passwd_files_new(size_t max_files, void (*on_change)(void *data), void *data)
{
	struct passwd_files *f = calloc(1, sizeof(*f));

	if (f != NULL) {
		f->max = max_files;
		f->on_change = on_change;
		f->data = data;
	}
	return f;
}

static void
file_free(struct file *it)
{
	passwd_table_free(it->table);
	buf_wipe(&it->content);
	free(it->path);
	free(it);
}

void
passwd_files_free(struct passwd_files *f)
{
	if (f == NULL)
		return;
	while (f->first != NULL) {
		struct file *it = f->first;

		f->first = it->next;
		file_free(it);
	}
	free(f);
}

static bool
is_current(const struct file *it, const struct stat *st)
{
	int64_t changed = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;

	if (it->table == NULL || it->st.st_ino != st->st_ino || it->st.st_dev != st->st_dev ||
	    it->st.st_size != st->st_size || it->st.st_mtim.tv_sec != st->st_mtim.tv_sec ||
	    it->st.st_mtim.tv_nsec != st->st_mtim.tv_nsec || it->st.st_ctim.tv_sec != st->st_ctim.tv_sec ||
	    it->st.st_ctim.tv_nsec != st->st_ctim.tv_nsec)
		return false;
	return it->read_ns - changed > RACY_NS || clock_wall_us() * 1000 - it->read_ns < RACY_NS;
}

static int
file_load(struct file *it, struct err *e)
{
	struct buf content = BUF_INIT(PASSWD_FILE_MAX);
	struct passwd_table *table = NULL;
	size_t doubles = 0;
	struct stat st;
	int fd = open(it->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = -1;
	int64_t now = clock_wall_us() * 1000;

	if (fd == -1)
		return err_errno(e, "passwd-file %s", it->path);
	if (fstat(fd, &st) == -1)
		err_errno(e, "passwd-file %s", it->path);
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_TEMP, "passwd-file %s is no file", it->path);
	else if (fd_read_all(fd, PASSWD_FILE_MAX, &content, e) == -1)
		err_wrap(e, "passwd-file %s", it->path);
	else if ((table = passwd_table_new(buf_span(&content), &doubles)) == NULL)
		err_set(e, ERR_TEMP, "passwd-file %s: out of memory", it->path);
	else
		rc = 0;
	close(fd);
	if (rc == -1) {
		buf_wipe(&content);
		return -1;
	}
	if (doubles > 0)
		log_warning("passwd-file %s: %zu users are there more than once; the first line counts", it->path, doubles);
	passwd_table_free(it->table);
	buf_wipe(&it->content);
	it->content = content;
	it->table = table;
	it->st = st;
	it->read_ns = now;
	return 0;
}

/* Finds path and moves it to the front; or makes room for it. */
static struct file *
file_find(struct passwd_files *f, struct span path)
{
	struct file **at = &f->first, *it;

	while (*at != NULL && !span_eq(span_str((*at)->path), path))
		at = &(*at)->next;
	it = *at;
	if (it != NULL) {
		*at = it->next;
	} else {
		if (f->count == f->max) {
			for (at = &f->first; (*at)->next != NULL; at = &(*at)->next)
				;
			file_free(*at);
			*at = NULL;
			f->count--;
		}
		it = calloc(1, sizeof(*it));
		if (it == NULL || (it->path = strndup(path.p, path.n)) == NULL) {
			free(it);
			return NULL;
		}
		buf_init(&it->content, PASSWD_FILE_MAX);
		f->count++;
	}
	it->next = f->first;
	f->first = it;
	return it;
}

const struct passwd_table *
passwd_files_get(struct passwd_files *f, struct span path, struct err *e)
{
	struct file *it;
	struct stat st;
	bool had_table;

	if (path.n == 0 || memchr(path.p, '\0', path.n) != NULL) {
		err_set(e, ERR_SYNTAX, "passwd-file: no path in args");
		return NULL;
	}
	it = file_find(f, path);
	if (it == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	if (stat(it->path, &st) == -1) {
		err_errno(e, "passwd-file %s", it->path);
		return NULL;
	}
	if (is_current(it, &st))
		return it->table;
	had_table = it->table != NULL;
	if (file_load(it, e) == -1)
		return NULL;
	if (had_table && f->on_change != NULL)
		f->on_change(f->data);
	return it->table;
}
