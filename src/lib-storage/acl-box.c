/* SPDX-License-Identifier: MIT */
/*
 * The rights of this session's user, from files: in this order, each over those before it,
 *	the defaults: `dovecot-acl' in the root of a public namespace; INBOX's, with acl_defaults_from_inbox
 *	`dovecot-acl' in the mailbox's own directory
 *	what holds everywhere: lines with patterns in one file, or a directory with a file a mailbox, or .DEFAULT for the rest
 * Files are small and read when they are needed; a mailbox that is open looks again every cache_secs.
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
#include "lib-storage/storage-priv.h"

#define LIST_ARENA ((size_t)1 << 20)
#define FILE_NAME "dovecot-acl"

struct acl_state {
	char *user, *global, *dict;
	struct span *groups;
	size_t group_count;
	struct span *ignored;		/* patterns of prefixes */
	size_t ignored_count;
	int64_t cache_ms;
	bool defaults_from_inbox, globals_only, global_is_dir, allow_anyone;
	struct arena *a;		/* of one look */
	/* The global file, as it was read. */
	struct arena *global_arena;
	struct acl_list global_list;
	struct stat global_stat;
	int64_t global_at;
};

int
acl_open(struct storage *st, const struct acl_conf *c, struct err *e)
{
	struct acl_state *acl;
	struct stat sb;
	bool lost = false;

	if (!c->on)
		return 0;
	acl = st->acl = calloc(1, sizeof(*acl));
	if (acl == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	acl->cache_ms = c->cache_ms;
	acl->defaults_from_inbox = c->defaults_from_inbox;
	acl->globals_only = c->globals_only;
	acl->allow_anyone = c->allow_anyone;
	acl->user = c->user.n == 0 ? strdup(st->user) : strndup(c->user.p, c->user.n);
	acl->a = arena_new(LIST_ARENA);
	acl->groups = calloc(c->group_count + 1, sizeof(*acl->groups));
	if (c->global.n > 0)
		lost = (acl->global = strndup(c->global.p, c->global.n)) == NULL;
	if (c->dict.n > 0)
		lost = lost || (acl->dict = strndup(c->dict.p, c->dict.n)) == NULL;
	for (size_t i = 0; i < c->group_count && acl->groups != NULL; i++) {
		char *name = strndup(c->groups[i].p, c->groups[i].n);

		lost = lost || name == NULL;
		acl->groups[acl->group_count++] = span_str(name);
	}
	acl->ignored = calloc(c->ignored_count + 1, sizeof(*acl->ignored));
	for (size_t i = 0; i < c->ignored_count && acl->ignored != NULL; i++) {
		char *pattern = strndup(c->ignored[i].p, c->ignored[i].n);

		lost = lost || pattern == NULL;
		acl->ignored[acl->ignored_count++] = span_str(pattern);
	}
	if (lost || acl->user == NULL || acl->a == NULL || acl->groups == NULL || acl->ignored == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	acl->global_is_dir = acl->global != NULL && stat(acl->global, &sb) == 0 && S_ISDIR(sb.st_mode);
	return 0;
}

void
acl_close(struct storage *st)
{
	struct acl_state *acl = st->acl;

	if (acl == NULL)
		return;
	for (size_t i = 0; i < acl->group_count; i++)
		free((char *)(uintptr_t)acl->groups[i].p);
	free(acl->groups);
	for (size_t i = 0; i < acl->ignored_count; i++)
		free((char *)(uintptr_t)acl->ignored[i].p);
	free(acl->ignored);
	free(acl->user);
	free(acl->global);
	free(acl->dict);
	arena_free(acl->a);
	arena_free(acl->global_arena);
	free(acl);
	st->acl = NULL;
}

const char *
acl_dict_path(const struct storage *st)
{
	return st->acl == NULL ? NULL : st->acl->dict;
}

int64_t
acl_cache_ms(const struct storage *st)
{
	return st->acl->cache_ms;
}

struct span
acl_user(const struct storage *st)
{
	return span_str(st->acl->user);
}

size_t
acl_groups(const struct storage *st, const struct span **out)
{
	*out = st->acl->groups;
	return st->acl->group_count;
}

struct span
acl_owner(const struct storage *st, const struct namespace *ns)
{
	switch (ns->info.type) {
	case NS_PRIVATE:
		return span_str(st->user);
	case NS_SHARED:
		return span_str(ns->owner);
	case NS_PUBLIC:
		break;
	}
	return SPAN_NONE;
}

/* A list in a file; none there: an empty one. */
static int
read_list(int dir, const char *name, bool patterns, struct arena *a, struct acl_list *out, struct err *e)
{
	struct buf text = BUF_INIT(ACL_FILE_MAX);
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	*out = (struct acl_list){ NULL, 0 };
	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "open %s", name);
	rc = fd_read_all(fd, ACL_FILE_MAX, &text, e);
	close(fd);
	/* One that can not be understood gives nobody anything, and its reader is told so as a fault of the server. */
	if (rc == 0 && text.n > 0 && acl_parse(buf_span(&text), patterns, a, out, e) == -1) {
		rc = -1;
		e->code = ERR_TEMP;
	}
	buf_clear(&text);
	return rc == 0 ? 0 : err_wrap(e, "%s", name);
}

/* The directory with the list of a mailbox: -1 and no error where there is none. */
static int
dir_of(const struct namespace *ns, struct span inner)
{
	struct err e = ERR_INIT;
	int fd = -1;

	if (ns->store->drv->box_dir == NULL || ns->store->drv->box_dir(ns->store->handle, inner, &fd, &e) != DRV_OK)
		return -1;
	return fd;
}

int
acl_list_of(const struct namespace *ns, struct span inner, struct arena *a, struct acl_list *out, struct err *e)
{
	int dir = dir_of(ns, inner), rc;

	*out = (struct acl_list){ NULL, 0 };
	if (dir == -1)
		return 0;
	rc = read_list(dir, FILE_NAME, false, a, out, e);
	close(dir);
	return rc == 0 ? 0 : err_wrap(e, "access control list of %.*s in %s", SPAN_ARG(inner), ns->store->root);
}

static int
global_file(struct acl_state *acl, struct acl_list *out, struct err *e)
{
	struct stat sb;
	int64_t now = clock_ms();

	*out = acl->global_list;
	if (acl->global_arena != NULL && now - acl->global_at < acl->cache_ms)
		return 0;
	if (stat(acl->global, &sb) == -1)
		return err_errno(e, "%s", acl->global);
	acl->global_at = now;
	if (acl->global_arena != NULL && sb.st_ino == acl->global_stat.st_ino && sb.st_size == acl->global_stat.st_size &&
	    sb.st_mtim.tv_sec == acl->global_stat.st_mtim.tv_sec && sb.st_mtim.tv_nsec == acl->global_stat.st_mtim.tv_nsec)
		return 0;
	arena_free(acl->global_arena);
	acl->global_list = (struct acl_list){ NULL, 0 };
	acl->global_arena = arena_new(LIST_ARENA);
	if (acl->global_arena == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (read_list(AT_FDCWD, acl->global, true, acl->global_arena, &acl->global_list, e) == -1) {
		arena_free(acl->global_arena);
		acl->global_arena = NULL;
		return -1;
	}
	acl->global_stat = sb;
	*out = acl->global_list;
	return 0;
}

static int
global_of(struct acl_state *acl, struct span name, struct acl_list *out, struct err *e)
{
	const char *path;
	struct stat sb;

	*out = (struct acl_list){ NULL, 0 };
	if (acl->global == NULL)
		return 0;
	if (!acl->global_is_dir)
		return global_file(acl, out, e);
	path = arena_printf(acl->a, "%s/%.*s", acl->global, SPAN_ARG(name));
	if (path != NULL && (stat(path, &sb) == -1 || !S_ISREG(sb.st_mode)))
		path = arena_printf(acl->a, "%s/.DEFAULT", acl->global);
	if (path == NULL)
		return err_set(e, ERR_LIMIT, "a mailbox name is too long");
	if (read_list(AT_FDCWD, path, false, acl->a, out, e) == -1)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		out->v[i].global = true;
	return 0;
}

static bool
has_owner(const struct acl_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind == ACL_OWNER && !list->v[i].negative)
			return true;
	return false;
}

/* acl_ignore_namespace */
static bool
is_ignored(const struct acl_state *acl, const struct namespace *ns)
{
	for (size_t i = 0; i < acl->ignored_count; i++)
		if (quota_mailbox_matches(acl->ignored[i], ns->info.prefix))
			return true;
	return false;
}

int
acl_rights(struct storage *st, const struct namespace *ns, struct span inner, unsigned *out, struct err *e)
{
	struct acl_state *acl = st->acl;
	struct acl_list defaults = { NULL, 0 }, local = { NULL, 0 }, global = { NULL, 0 };
	struct buf name = BUF_INIT(4096);
	struct acl_sum sum = { 0, 0 };
	struct acl_who who;
	char sep = ns->info.separator;
	int rc = 0;

	*out = ACL_ALL;
	if (acl == NULL || is_ignored(acl, ns))
		return 0;
	*out = 0;
	arena_reset(acl->a);
	who = (struct acl_who){ .user = span_str(acl->user), .groups = acl->groups, .group_count = acl->group_count };
	who.owner = who.user.n > 0 && span_eq(who.user, acl_owner(st, ns));
	storage_visible(ns, inner, &name);
	if (!acl->globals_only) {
		if (ns->info.type == NS_PUBLIC)
			rc = acl_list_of(ns, SPAN_NONE, acl->a, &defaults, e);
		else if (acl->defaults_from_inbox && !span_eq(inner, SPAN("INBOX")))
			rc = acl_list_of(ns, SPAN("INBOX"), acl->a, &defaults, e);
		if (rc == 0 && inner.n > 0)
			rc = acl_list_of(ns, inner, acl->a, &local, e);
	}
	if (rc == 0)
		rc = global_of(acl, buf_span(&name), &global, e);
	if (rc == 0) {
		acl_add(&sum, &defaults, &who, true, buf_span(&name), sep);
		acl_add(&sum, &local, &who, !has_owner(&defaults), buf_span(&name), sep);
		acl_add(&sum, &global, &who, false, buf_span(&name), sep);
		*out = acl_sum_rights(sum);
	}
	arena_reset(acl->a);
	buf_clear(&name);
	return rc;
}

int
acl_check(unsigned rights, unsigned need, struct span name, struct err *e)
{
	if ((rights & need) == need)
		return 0;
	if (rights & ACL_LOOKUP)
		return err_set(e, ERR_DENIED, "%.*s: a right is missing", SPAN_ARG(name));
	return err_set(e, ERR_NOTFOUND, "%.*s: there is none that this user may see", SPAN_ARG(name));
}

int
acl_require(struct storage *st, const struct namespace *ns, struct span inner, unsigned need, struct err *e)
{
	unsigned rights;

	if (st->acl == NULL)
		return 0;
	return acl_rights(st, ns, inner, &rights, e) == -1 ? -1 : acl_check(rights, need, inner, e);
}

/* The nearest name above it that is there; empty: the root. */
static struct span
parent_of(const struct namespace *ns, struct span inner)
{
	while (inner.n > 0) {
		while (inner.n > 0 && inner.p[inner.n - 1] != '/')
			inner.n--;
		if (inner.n > 0)
			inner.n--;
		if (inner.n > 0 && ns->store->drv->exists(ns->store->handle, inner) != 0)
			break;
	}
	return inner;
}

int
acl_require_create(struct storage *st, const struct namespace *ns, struct span inner, struct err *e)
{
	unsigned rights;

	if (st->acl == NULL)
		return 0;
	if (acl_rights(st, ns, parent_of(ns, inner), &rights, e) == -1)
		return -1;
	return rights & ACL_CREATE ? 0 : err_set(e, ERR_DENIED, "%.*s: not to be made here", SPAN_ARG(inner));
}

static int
write_list(int dir, const struct acl_list *list, struct err *e)
{
	struct buf text = BUF_INIT(ACL_FILE_MAX);
	struct stat sb;
	int rc;

	acl_write(&text, list);
	if (text.failed)
		rc = err_set(e, ERR_LIMIT, "the access control list is too long");
	else if (list->n == 0)
		rc = unlinkat(dir, FILE_NAME, 0) == -1 && errno != ENOENT ? err_errno(e, "remove " FILE_NAME) : dir_sync(dir, e);
	else if (fstat(dir, &sb) == -1)
		rc = err_errno(e, "stat the directory of " FILE_NAME);
	else
		rc = file_replace(dir, FILE_NAME, buf_span(&text), sb.st_mode & 0666, true, e);
	buf_clear(&text);
	return rc;
}

int
acl_inherit(struct storage *st, const struct namespace *ns, struct span inner, struct err *e)
{
	struct span parent = parent_of(ns, inner);
	struct acl_list list;
	int dir, rc;

	/* Below the root the defaults hold, as they are at the time. */
	if (st->acl == NULL || parent.n == 0)
		return 0;
	arena_reset(st->acl->a);
	if (acl_list_of(ns, parent, st->acl->a, &list, e) == -1)
		return -1;
	if (list.n == 0 || (dir = dir_of(ns, inner)) == -1)
		return 0;
	rc = write_list(dir, &list, e);
	close(dir);
	return rc;
}

static int
resolve(struct storage *st, struct span name, unsigned need, struct namespace **ns, struct buf *inner, unsigned *rights,
    struct err *e)
{
	if (st->acl == NULL)
		return err_set(e, ERR_DENIED, "access control lists are not in use");
	if (storage_resolve(st, name, ns, inner, e) == -1)
		return -1;
	if ((*ns)->store->drv->exists((*ns)->store->handle, buf_span(inner)) == 0 && !span_eq(buf_span(inner), SPAN("INBOX")))
		return err_set(e, ERR_NOTFOUND, "there is no mailbox %.*s", SPAN_ARG(name));
	if (acl_rights(st, *ns, buf_span(inner), rights, e) == -1)
		return -1;
	return need == 0 ? 0 : acl_check(*rights, need, name, e);
}

/* A list that nobody looks at is not shown as if it meant something. */
static int
require_lists(const struct storage *st, const struct namespace *ns, struct err *e)
{
	return is_ignored(st->acl, ns) ? err_set(e, ERR_DENIED, "access control lists are not in use there: acl_ignore_namespace") : 0;
}

bool
storage_has_acl(const struct storage *st)
{
	return st->acl != NULL;
}

bool
storage_acl_anyone(const struct storage *st)
{
	return st->acl != NULL && st->acl->allow_anyone;
}

int
storage_rights(struct storage *st, struct span name, unsigned *out, struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	int rc = 0;

	*out = ACL_ALL;
	if (st->acl != NULL)
		rc = resolve(st, name, 0, &ns, &inner, out, e);
	buf_clear(&inner);
	return rc;
}

/* What was read for a moment is for the caller's arena. */
static int
keep_entry(const struct acl_entry *entry, struct arena *a, struct acl_entry *out, struct err *e)
{
	*out = *entry;
	if (entry->name.n > 0)
		out->name = arena_dup(a, entry->name);
	if (entry->extra.n > 0)
		out->extra = arena_dup(a, entry->extra);
	out->pattern = SPAN_NONE;
	if ((entry->name.n > 0 && out->name.p == NULL) || (entry->extra.n > 0 && out->extra.p == NULL))
		return err_set(e, ERR_LIMIT, "too long an access control list");
	return 0;
}

int
storage_acl(struct storage *st, struct span name, unsigned need, struct arena *a, struct acl_list *out, struct span *owner_out,
    struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX), visible = BUF_INIT(4096);
	struct acl_list local, global = { NULL, 0 };
	struct namespace *ns;
	unsigned rights;
	int rc = resolve(st, name, need, &ns, &inner, &rights, e);

	if (rc == 0)
		rc = require_lists(st, ns, e);
	if (rc == 0)
		rc = acl_list_of(ns, buf_span(&inner), a, &local, e);
	if (rc == 0) {
		storage_visible(ns, buf_span(&inner), &visible);
		rc = global_of(st->acl, buf_span(&visible), &global, e);
	}
	if (rc == 0 && (out->v = arena_alloc(a, local.n + global.n + 1, sizeof(*out->v))) == NULL)
		rc = err_set(e, ERR_LIMIT, "too long an access control list");
	if (rc == 0) {
		out->n = 0;
		for (size_t i = 0; i < local.n; i++)
			out->v[out->n++] = local.v[i];
		for (size_t i = 0; i < global.n; i++)
			if (global.v[i].pattern.n == 0 ||
			    list_match(global.v[i].pattern, buf_span(&visible), ns->info.separator) == LIST_YES)
				rc = keep_entry(&global.v[i], a, &out->v[out->n++], e) == -1 ? -1 : rc;
		*owner_out = acl_owner(st, ns);
	}
	buf_clear(&visible);
	buf_clear(&inner);
	return rc;
}

/* Whom the change makes the list's owner keeps the right to change it. */
static bool
is_owners(const struct storage *st, const struct namespace *ns, const struct acl_entry *entry)
{
	struct span owner = acl_owner(st, ns);

	return owner.n > 0 && !entry->negative &&
	    (entry->kind == ACL_OWNER || (entry->kind == ACL_USER && span_eq(entry->name, owner)));
}

static void
change_list(struct acl_list *list, const struct acl_entry *change, enum acl_change how, bool owners)
{
	struct acl_entry *found = NULL;

	for (size_t i = 0; i < list->n; i++) {
		if (!acl_same_identifier(&list->v[i], change))
			continue;
		if (found == NULL) {
			found = &list->v[i];
			continue;
		}
		/* Twice there: one line of it. */
		found->rights |= list->v[i].rights;
		memmove(&list->v[i], &list->v[i + 1], (list->n - i - 1) * sizeof(*list->v));
		list->n--;
		i--;
	}
	if (found == NULL) {
		found = &list->v[list->n++];
		*found = *change;
		found->rights = 0;
		/* An owner without a line had all rights. */
		if (owners && (how == ACL_TAKE || how == ACL_GIVE))
			found->rights = ACL_ALL;
	}
	switch (how) {
	case ACL_REPLACE:
		found->rights = change->rights;
		break;
	case ACL_GIVE:
		found->rights |= change->rights;
		break;
	case ACL_TAKE:
		found->rights &= ~change->rights;
		break;
	case ACL_REMOVE:
		break;
	}
	if (owners && how != ACL_REMOVE)
		found->rights |= ACL_ADMIN;
	if (how == ACL_REMOVE || (found->rights == 0 && found->extra.n == 0 && how != ACL_GIVE)) {
		size_t i = (size_t)(found - list->v);

		memmove(found, found + 1, (list->n - i - 1) * sizeof(*list->v));
		list->n--;
	}
}

int
storage_acl_change(struct storage *st, struct span name, unsigned need, const struct acl_entry *change, enum acl_change how,
    struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct acl_list list, longer = { NULL, 0 };
	struct namespace *ns;
	struct err dict_e = ERR_INIT;
	unsigned rights;
	int dir = -1, rc = resolve(st, name, need, &ns, &inner, &rights, e);

	if (rc == 0)
		rc = require_lists(st, ns, e);
	if (rc == 0 && st->acl->globals_only)
		rc = err_set(e, ERR_DENIED, "lists of mailboxes are not in use: acl_globals_only");
	if (rc == 0 && (dir = dir_of(ns, buf_span(&inner))) == -1)
		rc = err_set(e, ERR_DENIED, "%.*s can not have an access control list", SPAN_ARG(name));
	if (rc == 0 && fd_flock(dir, LOCK_EX) == -1)
		rc = err_errno(e, "lock the directory of %.*s", SPAN_ARG(name));
	if (rc == 0) {
		arena_reset(st->acl->a);
		rc = read_list(dir, FILE_NAME, false, st->acl->a, &list, e);
	}
	if (rc == 0 && (longer.v = arena_alloc(st->acl->a, list.n + 1, sizeof(*list.v))) == NULL)
		rc = err_set(e, ERR_LIMIT, "too long an access control list");
	if (rc == 0) {
		if (list.n > 0)
			memcpy(longer.v, list.v, list.n * sizeof(*list.v));
		longer.n = list.n;
		change_list(&longer, change, how, is_owners(st, ns, change));
		rc = longer.n > ACL_ENTRIES_MAX ? err_set(e, ERR_LIMIT, "more than %d lines", ACL_ENTRIES_MAX) :
		    write_list(dir, &longer, e);
	}
	if (dir != -1)
		close(dir);
	if (rc == 0)
		store_announce_list(st, ns->store);
	/* A hint for LIST: the rights themselves hold already. */
	if (rc == 0 && shared_dict_update(st, ns, &dict_e) == -1)
		log_error("acl_shared_dict: %s", dict_e.log);
	buf_clear(&inner);
	return rc == 0 ? 0 : err_wrap(e, "access control list of %.*s", SPAN_ARG(name));
}
