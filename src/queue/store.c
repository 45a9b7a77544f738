/* SPDX-License-Identifier: MIT */
#include "queue/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define LITTER_S 3600
#define STRANGE_MAX 10000

static char *
copy(struct span s)
{
	return strndup(s.n == 0 ? "" : s.p, s.n);
}

static void
item_free(struct queue_item *item)
{
	if (item == NULL)
		return;
	free(item->user);
	free(item->sender);
	free(item->recipient);
	free(item->keep_for);
	free(item->dsn_text);
	free(item);
}

static bool
copy_dsn(struct queue_item *item, const struct outgoing_dsn *dsn)
{
	const struct span *from[] = { &dsn->notify, &dsn->ret, &dsn->orcpt, &dsn->envid, &dsn->by };
	struct span *to[] = { &item->dsn.notify, &item->dsn.ret, &item->dsn.orcpt, &item->dsn.envid, &item->dsn.by };
	size_t n = 0, at = 0;

	for (size_t i = 0; i < 5; i++)
		n += from[i]->n;
	item->dsn_text = malloc(n + 1);
	for (size_t i = 0; item->dsn_text != NULL && i < 5; i++) {
		if (from[i]->n > 0)
			memcpy(item->dsn_text + at, from[i]->p, from[i]->n);
		*to[i] = span_of(item->dsn_text + at, from[i]->n);
		at += from[i]->n;
	}
	return item->dsn_text != NULL;
}

static struct queue_item *
item_new(const char *id, const struct queue_head *head)
{
	struct queue_item *item = calloc(1, sizeof(*item));

	if (item == NULL)
		return NULL;
	snprintf(item->id, sizeof(item->id), "%s", id);
	item->kind = head->kind;
	item->user = copy(head->user);
	item->sender = copy(head->sender);
	item->recipient = copy(head->recipient);
	item->keep_for = copy(head->keep_for);
	item->size = head->size;
	item->created = item->due = head->created;
	if (!copy_dsn(item, &head->dsn) || item->user == NULL || item->sender == NULL || item->recipient == NULL || item->keep_for == NULL) {
		item_free(item);
		return NULL;
	}
	return item;
}

static void
name_of(const struct queue_item *item, bool failed, char out[QUEUE_ID_MAX + 2])
{
	snprintf(out, QUEUE_ID_MAX + 2, "%c.%s", failed ? 'f' : 'q', item->id);
}

/* How many messages a user has: the value of the table is the number itself. */
static bool
count_user(struct queue_store *s, const struct queue_item *item, bool more)
{
	struct span user = span_str(item->user);
	size_t n = (size_t)(uintptr_t)hash_get(s->users, user);

	if (!more && n <= 1) {
		hash_remove(s->users, user);
		return true;
	}
	return hash_set(s->users, user, (void *)(uintptr_t)(more ? n + 1 : n - 1));
}

static void
put_in_order(struct queue_store *s, struct queue_item *item)
{
	queue_order_put(item->tried ? &s->tried : &s->fresh, item);
}

static void
take_from_order(struct queue_store *s, struct queue_item *item)
{
	queue_order_take(item->tried ? &s->tried : &s->fresh, item);
}

static int
add(struct queue_store *s, struct queue_item *item, struct err *e)
{
	if (!queue_order_reserve(&s->fresh, s->count + 1) || !queue_order_reserve(&s->tried, s->count + 1) || !count_user(s, item, true))
		return err_set(e, ERR_TEMP, "out of memory");
	if (!hash_set(s->items, span_str(item->id), item)) {
		count_user(s, item, false);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	item->number = ++s->last_number;
	put_in_order(s, item);
	s->count++;
	return 0;
}

/* Of the memory, not of the disk. */
static void
forget(struct queue_store *s, struct queue_item *item)
{
	take_from_order(s, item);
	hash_remove(s->items, span_str(item->id));
	count_user(s, item, false);
	s->count--;
	item_free(item);
}

/* One file of an earlier run. */
static int
take_file(struct queue_store *s, const char *name, struct err *e)
{
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[QUEUE_HEAD_MAX];
	struct queue_head head;
	struct queue_item *item;
	struct stat st;
	ssize_t n;
	size_t used;

	if (fd == -1)
		return err_errno(e, "open %s", name);
	n = pread(fd, text, sizeof(text), 0);
	if (n == -1 || fstat(fd, &st) == -1) {
		err_errno(e, "read %s", name);
		close(fd);
		return -1;
	}
	close(fd);
	if (!S_ISREG(st.st_mode) || queue_head_parse(span_of(text, (size_t)n), &head, &used) != 1 ||
	    (uint64_t)st.st_size != used + head.size)
		return err_set(e, ERR_CORRUPT, "%s is no message of the queue, and is left alone", name);
	item = item_new(name + 2, &head);
	if (item == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	item->head = used;
	item->failed = name[0] == 'f';
	item->due = (int64_t)st.st_mtim.tv_sec;
	item->tried = item->failed || item->due > item->created + 1;
	if (add(s, item, e) == 0)
		return 0;
	item_free(item);
	return -1;
}

/* A message on its way in has a file that is written to: only an old one is litter. */
static void
remove_litter(struct queue_store *s, const char *name)
{
	struct stat st;

	if (fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (int64_t)st.st_mtim.tv_sec < clock_wall_us() / 1000000 - LITTER_S)
		unlinkat(s->dir_fd, name, 0);
}

static void
look_at(struct queue_store *s, const char *name)
{
	struct queue_item *item;
	struct err e = ERR_INIT;

	if (strncmp(name, "t.", 2) == 0) {
		remove_litter(s, name);
		return;
	}
	if ((name[0] != 'q' && name[0] != 'f') || name[1] != '.' || strlen(name) >= QUEUE_ID_MAX)
		return;
	item = queue_store_find(s, span_str(name + 2));
	if (item != NULL && name[0] == 'f' && item->pid == 0)
		queue_store_was_failed(s, item);
	if (item != NULL || hash_get(s->strange, span_str(name)) != NULL)
		return;
	if (take_file(s, name, &e) == -1) {
		log_error("queue: %s", e.log);
		if (e.code != ERR_TEMP)
			hash_set(s->strange, span_str(name), s);
	}
}

int
queue_store_look_again(struct queue_store *s, struct err *e)
{
	struct dirent *d;
	int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL) {
		err_errno(e, "the queue's directory");
		if (fd != -1)
			close(fd);
		return -1;
	}
	while ((d = readdir(dir)) != NULL)
		look_at(s, d->d_name);
	closedir(dir);
	return 0;
}

int
queue_store_open(struct queue_store *s, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return err_errno(e, "%s", path);
	*s = (struct queue_store){ .dir_fd = fd, .items = hash_new(SIZE_MAX), .users = hash_new(SIZE_MAX),
				   .strange = hash_new(STRANGE_MAX) };
	if (s->items == NULL || s->users == NULL || s->strange == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else if (queue_store_look_again(s, e) == 0)
		return 0;
	queue_store_close(s);
	return -1;
}

void
queue_store_close(struct queue_store *s)
{
	size_t pos = 0;
	struct span id;
	void *item;

	while (s->items != NULL && hash_next(s->items, &pos, &id, &item))
		item_free(item);
	hash_free(s->items);
	hash_free(s->users);
	hash_free(s->strange);
	queue_order_clear(&s->fresh);
	queue_order_clear(&s->tried);
	if (s->dir_fd != -1)
		close(s->dir_fd);
	*s = (struct queue_store){ .dir_fd = -1 };
}

struct queue_item *
queue_store_find(struct queue_store *s, struct span id)
{
	return s->items == NULL ? NULL : hash_get(s->items, id);
}

static int
by_id(const void *x, const void *y)
{
	const struct queue_item *const *a = x, *const *b = y;

	return strcmp((*a)->id, (*b)->id);
}

struct queue_item **
queue_store_list(const struct queue_store *s)
{
	struct queue_item **list = calloc(s->count + 1, sizeof(*list));
	size_t pos = 0, n = 0;
	struct span id;
	void *item;

	while (list != NULL && s->items != NULL && hash_next(s->items, &pos, &id, &item))
		list[n++] = item;
	if (n > 1)
		qsort(list, n, sizeof(*list), by_id);
	return list;
}

size_t
queue_store_count_of(const struct queue_store *s, struct span user)
{
	return s->users == NULL ? 0 : (size_t)(uintptr_t)hash_get(s->users, user);
}

int
queue_store_begin(struct queue_store *s, struct queue_incoming *in, struct queue_head *head, int64_t now, struct err *e)
{
	struct buf text = BUF_INIT(QUEUE_HEAD_MAX);
	uint64_t number;
	char temporary[QUEUE_ID_MAX + 2];
	int rc;

	random_bytes(&number, sizeof(number));
	snprintf(in->name, sizeof(in->name), "%lld.%016llx", (long long)now, (unsigned long long)number);
	snprintf(temporary, sizeof(temporary), "t.%s", in->name);
	in->fd = openat(s->dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (in->fd == -1)
		return err_errno(e, "making a file in the queue");
	in->left = head->size;
	head->created = now;
	queue_head_write(&text, head);
	rc = text.failed ? err_set(e, ERR_LIMIT, "the envelope is too long") : fd_write_all(in->fd, buf_span(&text), e);
	buf_clear(&text);
	if (rc == -1)
		queue_store_abort(s, in);
	return rc;
}

int
queue_store_write(struct queue_incoming *in, struct span octets, struct err *e)
{
	if (octets.n > in->left)
		return err_set(e, ERR_SYNTAX, "more octets than were announced");
	in->left -= octets.n;
	return fd_write_all(in->fd, octets, e);
}

int
queue_store_finish(struct queue_store *s, struct queue_incoming *in, const struct queue_head *head,
    struct queue_item **out, struct err *e)
{
	struct queue_item *item = item_new(in->name, head);
	char temporary[QUEUE_ID_MAX + 2], name[QUEUE_ID_MAX + 2];
	off_t end = item == NULL ? -1 : lseek(in->fd, 0, SEEK_CUR);

	snprintf(temporary, sizeof(temporary), "t.%s", in->name);
	if (item != NULL)
		name_of(item, false, name);
	if (item == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else if (end == -1 || fsync(in->fd) == -1 || renameat(s->dir_fd, temporary, s->dir_fd, name) == -1)
		err_errno(e, "a message of the queue");
	else if (dir_sync(s->dir_fd, e) == -1 || add(s, item, e) == -1)
		unlinkat(s->dir_fd, name, 0);	/* it is not promised: who sent it comes again, or keeps it */
	else {
		item->head = (uint64_t)end - head->size;
		close(in->fd);
		in->fd = -1;
		*out = item;
		return 0;
	}
	item_free(item);
	queue_store_abort(s, in);
	return -1;
}

void
queue_store_abort(struct queue_store *s, struct queue_incoming *in)
{
	char temporary[QUEUE_ID_MAX + 2];

	if (in->fd == -1)
		return;
	snprintf(temporary, sizeof(temporary), "t.%s", in->name);
	unlinkat(s->dir_fd, temporary, 0);
	close(in->fd);
	in->fd = -1;
}

int
queue_store_open_file(struct queue_store *s, const struct queue_item *item, struct err *e)
{
	char name[QUEUE_ID_MAX + 2];
	struct stat st;
	int fd;

	name_of(item, item->failed, name);
	fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return err_errno(e, "open %s", name);
	if (fd_flock(fd, LOCK_EX | LOCK_NB) == -1)
		err_set(e, ERR_INUSE, "another process is sending it");
	/* It may have been sent, and its lock gone, since it was opened. */
	else if (fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		err_errno(e, "%s", name);
	else
		return fd;
	close(fd);
	return -1;
}

struct queue_item *
queue_store_first(const struct queue_store *s)
{
	struct queue_item *fresh = queue_order_first(&s->fresh), *tried = queue_order_first(&s->tried);

	return fresh == NULL || (tried != NULL && tried->due < fresh->due) ? tried : fresh;
}

struct queue_item *
queue_store_next(const struct queue_store *s, int64_t now)
{
	struct queue_item *fresh = queue_order_first(&s->fresh), *tried = queue_order_first(&s->tried);

	if (fresh != NULL && fresh->due > now)
		fresh = NULL;
	if (tried != NULL && tried->due > now)
		tried = NULL;
	return fresh == NULL || (tried != NULL && s->was_fresh) ? tried : fresh;
}

void
queue_store_sending(struct queue_store *s, struct queue_item *item, pid_t pid)
{
	take_from_order(s, item);
	s->was_fresh = !item->tried;
	item->tried = true;
	item->pid = pid;
}

bool
queue_store_was_failed(struct queue_store *s, struct queue_item *item)
{
	char name[QUEUE_ID_MAX + 2];
	struct stat st;

	name_of(item, true, name);
	if (item->failed || fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	item->failed = true;
	item->due = clock_wall_us() / 1000000;
	put_in_order(s, item);
	return true;
}

void
queue_store_put_off(struct queue_store *s, struct queue_item *item, int64_t due)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)due } };
	char name[QUEUE_ID_MAX + 2];

	item->due = due;
	if (item->pid == 0)
		put_in_order(s, item);
	name_of(item, item->failed, name);
	if (utimensat(s->dir_fd, name, times, AT_SYMLINK_NOFOLLOW) == -1)
		log_warning("queue: %s: %s", name, strerror(errno));
}

int
queue_store_fail(struct queue_store *s, struct queue_item *item, struct err *e)
{
	char from[QUEUE_ID_MAX + 2], to[QUEUE_ID_MAX + 2];

	name_of(item, false, from);
	name_of(item, true, to);
	if (renameat(s->dir_fd, from, s->dir_fd, to) == -1)
		return err_errno(e, "rename %s", from);
	item->failed = true;
	return 0;
}

int
queue_store_remove(struct queue_store *s, struct queue_item *item, struct err *e)
{
	char name[QUEUE_ID_MAX + 2];

	name_of(item, item->failed, name);
	if (unlinkat(s->dir_fd, name, 0) == -1 && errno != ENOENT)
		return err_errno(e, "remove %s", name);
	forget(s, item);
	return 0;
}
