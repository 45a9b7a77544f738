/* SPDX-License-Identifier: MIT */
/*
 * Who gives mailboxes to whom (acl_shared_dict = file:...): without it LIST would have to look into everybody's mail.  Lines in
 * pairs, a key and its value, as Dovecot's file dictionary has them:
 *	shared/shared-boxes/user/<to>/<from>
 *	shared/shared-boxes/group/<to>/<from>
 *	shared/shared-boxes/anyone/<from>
 * A hint: what is really open is said by the lists of the mailboxes.  Replaced by rename, synced, under a lock of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-storage/shared-dict.h"
#include "lib-storage/storage-priv.h"

#define BOXES "shared/shared-boxes/"

bool
shared_key_parse(struct span key, struct shared_key *out)
{
	static const struct {
		struct span word;
		enum acl_kind kind;
	} kinds[] = { { SPAN("user"), ACL_USER }, { SPAN("group"), ACL_GROUP }, { SPAN("anyone"), ACL_ANYONE } };
	struct span rest, word, to = SPAN_NONE;

	if (!span_starts(key, SPAN(BOXES)))
		return false;
	rest = span_from(key, sizeof(BOXES) - 1);
	if (!span_next(&rest, '/', &word))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!span_eq(word, kinds[i].word))
			continue;
		if (kinds[i].kind != ACL_ANYONE && (!span_next(&rest, '/', &to) || to.n == 0))
			return false;
		if (rest.n == 0 || rest.n > ACL_NAME_MAX || to.n > ACL_NAME_MAX || span_chr(rest, '/') != rest.n)
			return false;
		*out = (struct shared_key){ kinds[i].kind, to, rest };
		return true;
	}
	return false;
}

void
shared_key_write(struct buf *out, const struct shared_key *key)
{
	buf_adds(out, BOXES);
	if (key->kind == ACL_ANYONE) {
		buf_adds(out, "anyone/");
	} else {
		buf_adds(out, key->kind == ACL_USER ? "user/" : "group/");
		buf_add(out, key->to);
		buf_addc(out, '/');
	}
	buf_add(out, key->from);
}

void
shared_dict_each(struct span text, bool (*f)(void *ctx, struct span key, struct span value), void *ctx)
{
	struct span key, value;
	size_t used = 0;

	while (span_line(text, &used, &key) && span_line(text, &used, &value))
		if (!f(ctx, key, value))
			break;
}

static int
read_dict(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(e, "open %s", path);
	rc = fd_read_all(fd, SHARED_DICT_MAX, out, e);
	close(fd);
	return rc == 0 ? 0 : err_wrap(e, "%s", path);
}

struct finding {
	struct span me, user;		/* user: whose rights count */
	const struct span *groups;
	size_t group_count;
	struct arena *a;
	struct array users;
	bool failed;
};

static bool
is_for_me(const struct finding *f, const struct shared_key *key)
{
	if (key->kind == ACL_ANYONE)
		return true;
	if (key->kind == ACL_USER)
		return span_eq(key->to, f->user);
	for (size_t i = 0; i < f->group_count; i++)
		if (span_eq(key->to, f->groups[i]))
			return true;
	return false;
}

static bool
on_find(void *ctx, struct span text, struct span value)
{
	struct finding *f = ctx;
	struct shared_key key;
	struct span *slot;

	(void)value;
	if (!shared_key_parse(text, &key) || !is_for_me(f, &key) || span_eq(key.from, f->me))
		return true;
	for (size_t i = 0; i < f->users.n; i++)
		if (span_eq(*(struct span *)array_at(&f->users, i), key.from))
			return true;
	slot = array_push(&f->users);
	if (slot == NULL)
		return false;	/* as many as are listed */
	*slot = arena_dup(f->a, key.from);
	f->failed = slot->p == NULL;
	return !f->failed;
}

static int
find_users(const char *path, struct finding *f, struct span **out, size_t *count_out, struct err *e)
{
	struct buf text = BUF_INIT(SHARED_DICT_MAX + 1);
	int rc = read_dict(path, &text, e);

	f->users = ARRAY_INIT(struct span, SHARED_USERS_MAX);
	if (rc == 0) {
		if (text.n > 0)
			shared_dict_each(buf_span(&text), on_find, f);
		*out = arena_alloc(f->a, f->users.n + 1, sizeof(**out));
		if (*out == NULL || f->failed)
			rc = err_set(e, ERR_LIMIT, "too many users give mailboxes");
		else if (f->users.n > 0)
			memcpy(*out, f->users.p, f->users.n * sizeof(**out));
		*count_out = rc == 0 ? f->users.n : 0;
	}
	array_clear(&f->users);
	buf_clear(&text);
	return rc;
}

int
shared_dict_find(const char *path, struct span me, const struct acl_conf *acl, struct arena *a, struct span **out,
    size_t *count_out, struct err *e)
{
	struct finding f = { .me = me, .user = acl->user.n > 0 ? acl->user : me, .groups = acl->groups,
		.group_count = acl->group_count, .a = a };

	return find_users(path, &f, out, count_out, e);
}

int
shared_dict_users(struct storage *st, struct arena *a, struct span **out, size_t *count_out, struct err *e)
{
	struct finding f = { .me = span_str(st->user), .a = a };

	*out = NULL;
	*count_out = 0;
	if (st->acl == NULL || acl_dict_path(st) == NULL)
		return 0;
	f.user = acl_user(st);
	f.group_count = acl_groups(st, &f.groups);
	return find_users(acl_dict_path(st), &f, out, count_out, e);
}

/* The keys of one user's lists, each once. */
static int
wanted_keys(const struct namespace *ns, struct span owner, struct arena *a, struct array *keys, struct err *e)
{
	struct box_entry *boxes;
	size_t count;

	if (ns->store->drv->list(ns->store->handle, a, &boxes, &count, e) != DRV_OK)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct acl_list list;

		if (acl_list_of(ns, boxes[i].name, a, &list, e) == -1)
			return -1;
		for (size_t k = 0; k < list.n; k++) {
			struct shared_key key = { list.v[k].kind, list.v[k].name, owner }, *slot;
			bool there = false;

			if (list.v[k].negative || (list.v[k].rights & ACL_LOOKUP) == 0 || key.kind == ACL_OWNER ||
			    (key.kind == ACL_USER && span_eq(key.to, owner)) || span_chr(key.to, '/') != key.to.n)
				continue;
			if (key.kind == ACL_AUTHENTICATED)
				key.kind = ACL_ANYONE;
			else if (key.kind == ACL_GROUP_OVERRIDE)
				key.kind = ACL_GROUP;
			for (size_t j = 0; j < keys->n && !there; j++) {
				slot = array_at(keys, j);
				there = slot->kind == key.kind && span_eq(slot->to, key.to);
			}
			if (there)
				continue;
			slot = array_push(keys);
			if (slot == NULL)
				return err_set(e, ERR_LIMIT, "mailboxes are given to too many");
			*slot = key;
		}
	}
	return 0;
}

struct rewriting {
	struct buf *out;
	struct span owner;
};

static bool
on_keep(void *ctx, struct span text, struct span value)
{
	struct rewriting *r = ctx;
	struct shared_key key;

	if (shared_key_parse(text, &key) && span_eq(key.from, r->owner))
		return true;
	buf_add(r->out, text);
	buf_addc(r->out, '\n');
	buf_add(r->out, value);
	buf_addc(r->out, '\n');
	return true;
}

static int
rewrite(const char *path, int dir, struct span owner, const struct array *keys, struct err *e)
{
	struct buf old = BUF_INIT(SHARED_DICT_MAX + 1), text = BUF_INIT(SHARED_DICT_MAX);
	struct rewriting r = { &text, owner };
	struct stat sb;
	int rc = read_dict(path, &old, e);

	if (rc == 0 && old.n > 0)
		shared_dict_each(buf_span(&old), on_keep, &r);
	for (size_t i = 0; i < keys->n; i++) {
		shared_key_write(&text, array_at(keys, i));
		buf_adds(&text, "\n1\n");
	}
	if (rc == 0 && text.failed)
		rc = err_set(e, ERR_LIMIT, "%s would be too large", path);
	if (rc == 0 && !span_eq(buf_span(&old), buf_span(&text))) {
		rc = fstat(dir, &sb) == -1 ? err_errno(e, "stat the directory of %s", path) : 0;
		if (rc == 0)
			rc = file_replace(dir, strrchr(path, '/') + 1, text.n == 0 ? SPAN("") : buf_span(&text), sb.st_mode & 0666,
			    true, e);
	}
	buf_clear(&old);
	buf_clear(&text);
	return rc;
}

/* The directory of the dictionary, with its lock held: closing lets go of it. */
static int
lock_dir(const char *path, int *lock_out, struct err *e)
{
	char lock[4200], dir[4096];
	const char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL || (size_t)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path) >= sizeof(dir) ||
	    (size_t)snprintf(lock, sizeof(lock), "%s.culver-lock", path) >= sizeof(lock))
		return err_set(e, ERR_SYNTAX, "%s is no path", path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_errno(e, "open %s", dir);
	*lock_out = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (*lock_out == -1 || fd_flock(*lock_out, LOCK_EX) == -1) {
		err_errno(e, "lock %s", lock);
		if (*lock_out != -1)
			close(*lock_out);
		close(fd);
		return -1;
	}
	return fd;
}

int
shared_dict_update(struct storage *st, const struct namespace *ns, struct err *e)
{
	struct span owner = acl_owner(st, ns);
	struct array keys = ARRAY_INIT(struct shared_key, SHARED_KEYS_MAX);
	const char *path = acl_dict_path(st);
	struct arena *a;
	int lock = -1, dir, rc;

	if (path == NULL || owner.n == 0 || span_chr(owner, '/') != owner.n)
		return 0;
	a = arena_new((size_t)64 << 20);
	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	/* The lock first: of two who change lists at once the second sees both. */
	dir = lock_dir(path, &lock, e);
	rc = dir == -1 ? -1 : wanted_keys(ns, owner, a, &keys, e);
	if (rc == 0)
		rc = rewrite(path, dir, owner, &keys, e);
	if (dir != -1) {
		close(lock);
		close(dir);
	}
	array_clear(&keys);
	arena_free(a);
	return rc;
}

int
storage_shared_update(struct storage *st, struct err *e)
{
	for (size_t i = 0; i < st->ns_count; i++)
		if (st->ns[i].info.inbox)
			return st->acl == NULL ? 0 : shared_dict_update(st, &st->ns[i], e);
	return 0;
}
