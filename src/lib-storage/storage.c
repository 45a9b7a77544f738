/* SPDX-License-Identifier: MIT */
#include "lib-storage/storage-priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-index/check.h"

#define INDEX_DIR "culver.index"
#define INDEX_DIR_HIDDEN ".culver.index"	/* where every name without a dot is a mailbox's */
#define SUBSCRIPTIONS "subscriptions"
#define COMMIT_TRIES 16
#define BEHIND_MS 700		/* from the first change of flags to the renames of files */
#define SOON_MS 20
#define WORK_MAX (MAIL_ARENA_MAX * 2)

static void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	if (s->handle != NULL)
		s->drv->close(s->handle);
	index_close(s->ix);
	if (s->given_away)
		index_remove(s->index_path);
	free(s->root);
	free(s->index_path);
	free(s->subscriptions);
	free(s);
}

static mode_t
mode_of(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 ? (sb.st_mode & 0666) | 0600 : 0600;
}

/* Where another server has all of the mail, not even an index is made. */
static int
not_released(const struct store *s, const struct store_params *p, struct err *e)
{
	void *handle;
	enum held_by by;
	int rc;

	if (s->drv->held_by == NULL || access(s->index_path, F_OK) == 0)
		return 0;
	if (s->drv->open(p, NULL, &handle, e) != DRV_OK)
		return -1;
	by = s->drv->held_by(handle, SPAN("INBOX"), e);
	rc = by == HELD_UNKNOWN ? -1 : 0;
	if (by == HELD_RELEASED)
		rc = err_set(e, ERR_INUSE, "%s has been released to Dovecot; `culveradm adopt' takes it back", s->root);
	s->drv->close(handle);
	return rc;
}

/* The store of a location: one that is open already, or a new one. */
static struct store *
store_get(struct storage *st, const struct location *loc, struct err *e)
{
	const struct driver *drv = span_eq(loc->driver, SPAN("mbox")) ? &mbox_driver : &maildir_driver;
	struct store_params p = {
		.root = loc->root, .inbox = loc->inbox, .control = loc->control,
		.dirname = loc->dirname, .full_dirname = loc->full_dirname, .utf8 = loc->utf8, .no_noselect = loc->no_noselect,
		.subscriptions = loc->subscriptions != NULL ? loc->subscriptions : drv == &mbox_driver ? "." SUBSCRIPTIONS : SUBSCRIPTIONS,
		.fs_layout = loc->fs_layout, .fsync = st->conf.fsync, .flags_immediate = st->conf.flags_immediate,
		.copy_by_link = st->conf.copy_by_link, .distrust_sizes = st->conf.distrust_sizes, .max_keywords = st->conf.max_keywords,
		.tmp_age_s = st->conf.tmp_age_s, .tmp_interval_s = st->conf.tmp_interval_s,
		.pack = st->conf.pack, .pack_level = st->conf.pack_level,
		.index = loc->index, .mbox = st->conf.mbox,
	};
	struct store *s, **slot;

	for (size_t i = 0; i < st->stores.n; i++) {
		s = *(struct store **)array_at(&st->stores, i);
		if (strcmp(s->root, loc->root) == 0 && s->fs_layout == loc->fs_layout && s->drv == drv)
			return s;
	}
	s = calloc(1, sizeof(*s));
	slot = s == NULL ? NULL : array_push(&st->stores);
	if (slot == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		free(s);
		return NULL;
	}
	*slot = s;
	s->drv = drv;
	s->fs_layout = loc->fs_layout;
	s->utf8 = loc->utf8;
	s->root = strdup(loc->root);
	s->subscriptions = strdup(p.subscriptions);
	if (asprintf(&s->index_path, "%s/%s", loc->index != NULL ? loc->index : loc->root,
	    drv == &mbox_driver && loc->index == NULL ? INDEX_DIR_HIDDEN : INDEX_DIR) == -1)
		s->index_path = NULL;
	if (s->root == NULL || s->index_path == NULL || s->subscriptions == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	if (dir_make(loc->root, 0700, e) == -1 || (loc->index != NULL && dir_make(loc->index, 0700, e) == -1))
		return NULL;
	if (!st->conf.released_too && not_released(s, &p, e) == -1)
		return NULL;
	if (index_open(s->index_path, mode_of(loc->root), st->conf.map_max, &s->ix, e) == -1)
		return NULL;
	if (s->drv->open(&p, s->ix, &s->handle, e) != DRV_OK) {
		s->handle = NULL;
		return NULL;
	}
	return s;
}

/* One that could not be opened, which is the last. */
static void
stores_drop_broken(struct storage *st)
{
	struct store *s = st->stores.n == 0 ? NULL : *(struct store **)array_at(&st->stores, st->stores.n - 1);

	if (s == NULL || s->handle != NULL)
		return;
	store_free(s);
	st->stores.n--;
}

struct store *
storage_store_get(struct storage *st, const struct location *loc, struct err *e)
{
	struct store *s = store_get(st, loc, e);

	if (s == NULL)
		stores_drop_broken(st);
	return s;
}

static int
specials_copy(struct namespace *ns, const struct namespace_conf *c, struct err *e)
{
	if (c->special_count == 0)
		return 0;
	ns->specials = calloc(c->special_count, sizeof(*ns->specials));
	if (ns->specials == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < c->special_count; i++) {
		struct special *sp = &ns->specials[ns->special_count];
		struct span name = c->specials[i].name;

		sp->inner = strndup(name.n == 0 ? "" : name.p, name.n);
		if (sp->inner == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		for (char *p = sp->inner; *p != '\0'; p++)
			if (*p == ns->info.separator)
				*p = '/';
		if (span_ieq(span_str(sp->inner), SPAN("INBOX")))
			memcpy(sp->inner, "INBOX", 5);
		sp->use = c->specials[i].use;
		sp->automatic = strpbrk(sp->inner, "*%") != NULL ? AUTO_NO : (int)c->specials[i].automatic;
		sp->autoexpunge_s = c->specials[i].autoexpunge_s;
		sp->autoexpunge_max = c->specials[i].autoexpunge_max;
		ns->special_count++;
		if (c->specials[i].comment.n > 0 && (sp->comment = strndup(c->specials[i].comment.p, c->specials[i].comment.n)) == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
	}
	return 0;
}

static int
namespace_open(struct storage *st, struct namespace *ns, const struct namespace_conf *c, struct span location,
    struct arena *a, struct err *e)
{
	struct span home = span_str(st->home);
	struct location loc;
	int rc;

	if (c->location.n > 0)
		location = c->location;
	if (c->is_template) {
		ns->template_prefix = strndup(c->prefix.p, c->prefix.n);
		ns->template_location = strndup(c->location.n == 0 ? "" : c->location.p, c->location.n);
		if (ns->template_prefix == NULL || ns->template_location == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
	} else if (!c->is_alias) {	/* else join_aliases() finds the store */
		rc = location.n > 0 ? location_parse(location, home, a, &loc, e) : location_find(span_str(st->user), home, a, &loc, e);
		if (rc == -1)
			return -1;
		ns->store = storage_store_get(st, &loc, e);
		if (ns->store == NULL)
			return -1;
		ns->pvt = loc.index_pvt == NULL ? NULL : strdup(loc.index_pvt);
		if (loc.index_pvt != NULL && ns->pvt == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
	}
	ns->prefix = strndup(c->prefix.n == 0 ? "" : c->prefix.p, c->is_template ? span_chr(c->prefix, '%') : c->prefix.n);
	if (ns->prefix == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	ns->list = (int)c->list;
	ns->info = (struct namespace_info){
		.prefix = span_str(ns->prefix),
		.separator = c->separator != 0 || c->is_alias ? c->separator :
		    ns->store == NULL || ns->store->fs_layout ? '/' : '.',
		.hidden = c->hidden, .list = c->list != LIST_NEVER, .inbox = c->inbox, .subscriptions = c->subscriptions,
	};
	ns->info.type = c->type;
	return specials_copy(ns, c, e);
}

void
namespace_clear(struct namespace *ns)
{
	for (size_t i = 0; i < ns->special_count; i++) {
		free(ns->specials[i].inner);
		free(ns->specials[i].comment);
	}
	free(ns->specials);
	free(ns->prefix);
	free(ns->owner);
	free(ns->pvt);
	free(ns->template_prefix);
	free(ns->template_location);
	*ns = (struct namespace){ 0 };
}

static struct namespace *
namespace_with(struct storage *st, struct span prefix)
{
	for (size_t i = 0; i < st->ns_count; i++)
		if (span_eq(st->ns[i].info.prefix, prefix))
			return &st->ns[i];
	return NULL;
}

/* alias_for: the same mailboxes, and what is special about them, under another prefix. */
static int
join_aliases(struct storage *st, const struct namespace_conf *list, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct namespace *ns, *of;

		if (!list[i].is_alias || (ns = namespace_with(st, list[i].prefix)) == NULL)
			continue;
		of = namespace_with(st, list[i].alias_for);
		if (of == NULL || of == ns || of->alias != NULL)
			return err_set(e, ERR_SYNTAX, "namespace %s: alias_for: there is no namespace with the prefix \"%.*s\"",
			    ns->prefix, SPAN_ARG(list[i].alias_for));
		if (namespace_is_template(of))
			return err_set(e, ERR_SYNTAX, "namespace %s: alias_for: a namespace of other users", ns->prefix);
		ns->alias = of;
		ns->store = of->store;
		if (ns->info.separator == 0)
			ns->info.separator = of->info.separator;
	}
	return 0;
}

static int
open_all(struct storage *st, const struct storage_conf *c, struct err *e)
{
	static const struct namespace_conf only = { .inbox = true, .subscriptions = true };
	const struct namespace_conf *list = c->namespace_count > 0 ? c->namespaces : &only;
	size_t count = c->namespace_count > 0 ? c->namespace_count : 1;
	struct arena *a = arena_new(65536);
	int rc = 0;

	st->ns = calloc(count, sizeof(*st->ns));
	st->infos = calloc(count, sizeof(*st->infos));
	st->work = arena_new(WORK_MAX);
	if (a == NULL || st->ns == NULL || st->infos == NULL || st->work == NULL || st->user == NULL || st->home == NULL)
		rc = err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct namespace *ns = &st->ns[st->ns_count];

		rc = namespace_open(st, ns, &list[i], c->location, a, e);
		if (rc == -1 && list[i].ignore_on_failure) {
			log_info("namespace %.*s is left out: %s", SPAN_ARG(list[i].prefix), e->log);
			*e = (struct err)ERR_INIT;
			namespace_clear(ns);
			rc = 0;
			continue;
		}
		st->ns_count++;
	}
	if (rc == 0)
		rc = join_aliases(st, list, count, e);
	for (size_t i = 0; i < st->ns_count; i++)
		st->infos[i] = st->ns[i].info;
	arena_free(a);
	return rc;
}

static int
copy_homes(struct storage *st, const struct storage_conf *c, struct err *e)
{
	st->homes = c->home_count == 0 ? NULL : calloc(c->home_count, sizeof(*st->homes));
	for (size_t i = 0; i < c->home_count && st->homes != NULL; i++) {
		const struct user_home *from = &c->homes[i];
		struct user_home *to = &st->homes[i];

		st->home_count = i + 1;
		to->user = span_of(strndup(from->user.p, from->user.n), from->user.n);
		to->home = span_of(strndup(from->home.p, from->home.n), from->home.n);
		if (to->user.p == NULL || to->home.p == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
	}
	return c->home_count > 0 && st->homes == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

int
storage_open_conf(const struct storage_conf *c, int notify_fd, struct storage **out, struct err *e)
{
	struct storage *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	st->conf = *c;
	st->conf.user = st->conf.home = st->conf.location = st->conf.home_template = SPAN_NONE;
	st->conf.namespaces = NULL;
	st->conf.homes = NULL;
	st->notify_fd = notify_fd;
	st->stores = ARRAY_INIT(struct store *, 1000);
	st->user = strndup(c->user.n == 0 ? "" : c->user.p, c->user.n);
	if (c->home_template.n > 0)
		st->home_template = strndup(c->home_template.p, c->home_template.n);
	st->home = strndup(c->home.n == 0 ? "" : c->home.p, c->home.n);
	st->server_comment = c->server_comment.n == 0 ? NULL : strndup(c->server_comment.p, c->server_comment.n);
	st->attribute_dict = c->attribute_dict.n == 0 ? NULL : strndup(c->attribute_dict.p, c->attribute_dict.n);
	st->server_admin = c->server_admin.n == 0 ? NULL : strndup(c->server_admin.p, c->server_admin.n);
	if ((c->quota.root_count > 0 && quota_new(&c->quota, &st->quota, e) == -1) || copy_homes(st, c, e) == -1 ||
	    open_all(st, c, e) == -1 || acl_open(st, &c->acl, e) == -1) {
		storage_close(st);
		return -1;
	}
	quota_owner_publish(st);
	*out = st;
	return 0;
}

void
storage_close(struct storage *st)
{
	if (st == NULL)
		return;
	while (st->boxes != NULL)
		mailbox_close(st->boxes);
	for (size_t i = 0; i < st->ns_count; i++)
		namespace_clear(&st->ns[i]);
	while (st->shared != NULL) {
		struct namespace *ns = st->shared;

		st->shared = ns->next;
		namespace_clear(ns);
		free(ns);
	}
	for (size_t i = 0; i < st->stores.n; i++)
		store_free(*(struct store **)array_at(&st->stores, i));
	array_clear(&st->stores);
	quota_free(st->quota);
	acl_close(st);
	free(st->ns);
	free(st->infos);
	arena_free(st->work);
	free(st->user);
	free(st->home);
	free(st->server_comment);
	free(st->server_admin);
	free(st->attribute_dict);
	free(st->home_template);
	for (size_t i = 0; i < st->home_count; i++) {
		free((char *)(uintptr_t)st->homes[i].user.p);
		free((char *)(uintptr_t)st->homes[i].home.p);
	}
	free(st->homes);
	free(st);
}

bool
storage_is_current(const struct storage *st)
{
	for (size_t i = 0; i < st->stores.n; i++)
		if (!index_is_in_place((*(struct store **)array_at(&st->stores, i))->ix))
			return false;
	return true;
}

/*
 * With access control, and other users' mail, more would have to be looked at again than is worth it.  Beside mbox files
 * other programs take every file for one, and wait for LMDB's lock on its own as for a mailbox's.
 */
bool
storage_rest(struct storage *st)
{
	bool ok = st->boxes == NULL && st->shared == NULL && !storage_has_acl(st);

	st->notify_fd = -1;
	for (size_t i = 0; i < st->stores.n && ok; i++) {
		struct store *s = *(struct store **)array_at(&st->stores, i);

		ok = s->drv != &mbox_driver && !s->given_away && index_rest(s->ix);
	}
	return ok;
}

bool
storage_wake(struct storage *st, int notify_fd)
{
	bool ok = true;

	st->notify_fd = notify_fd;
	for (size_t i = 0; i < st->stores.n; i++)
		ok = index_wake((*(struct store **)array_at(&st->stores, i))->ix) && ok;
	return ok;
}

void
storage_stay(void)
{
	maildir_own_watch();
}

int
storage_maintain(struct storage *st, struct err *e)
{
	int rc = 0;

	st->dirty_since = 0;
	for (struct mailbox *box = st->boxes; box != NULL; box = box->next) {
		enum drv_rc drc;

		if (mailbox_made_flush(box, e) == -1)
			rc = -1;
		drc = box->drv->maintain(box->handle, e);
		/* Deleted by another session: there is nothing to look after. */
		if (drc != DRV_OK && drc != DRV_GONE)
			rc = -1;
		if (box->drv->is_due(box->handle))
			st->dirty_since = clock_ms();
	}
	for (size_t i = 0; i < st->stores.n; i++)
		index_read_end((*(struct store **)array_at(&st->stores, i))->ix);
	return rc;
}

void
storage_maintain_soon(struct storage *st)
{
	st->dirty_since = clock_ms() - BEHIND_MS + SOON_MS;
	if (st->dirty_since == 0)
		st->dirty_since--;
}

int
storage_maintain_due_ms(const struct storage *st)
{
	int64_t left;

	if (st->dirty_since == 0)
		return -1;
	left = st->dirty_since + BEHIND_MS - clock_ms();
	return left < 0 ? 0 : (int)left;
}

size_t
storage_namespaces(const struct storage *st, const struct namespace_info **out)
{
	*out = st->infos;
	return st->ns_count;
}

char
storage_separator(const struct storage *st, struct span name)
{
	const struct namespace *best = &st->ns[0];

	for (size_t i = 0; i < st->ns_count; i++)
		if (span_starts(name, st->ns[i].info.prefix) && (st->ns[i].info.prefix.n >= best->info.prefix.n))
			best = &st->ns[i];
	return best->info.separator;
}

int
store_commit(struct store *s, struct change_set *cs, struct err *e)
{
	enum drv_rc drc = DRV_CONFLICT;
	bool mended = false;

	index_private_retry(s->ix);
	if (index_is_private(s->ix))
		return index_private_refuse(s->ix, e);
	for (int try = 0; try < COMMIT_TRIES && drc == DRV_CONFLICT && !cs->keyword_missed; try++) {
		bool happened = false;

		drc = s->drv->commit(s->handle, cs, e);
		if (drc == DRV_CORRUPT && !mended) {
			mended = true;
			if (index_mend(s->ix, cs->box[0] == NULL || cs->box[1] != NULL ? 0 : cs->box[0]->id, e) == 0)
				drc = DRV_CONFLICT;
		}
		if (drc == DRV_FULL && index_may_retry(s->ix))
			drc = DRV_CONFLICT;
		if (drc != DRV_UNKNOWN)
			continue;
		drc = s->drv->outcome(s->handle, cs, &happened, e);
		if (drc == DRV_OK && !happened)
			drc = DRV_CONFLICT;
	}
	if (drc == DRV_CONFLICT)
		return err_set(e, ERR_TEMP, "the mailbox changes faster than this can be done");
	if (drc != DRV_OK && e->code == ERR_NONE)
		err_set(e, ERR_TEMP, "%s: it can not be done now", s->root);
	return drc == DRV_OK ? 0 : -1;
}

enum drv_rc
mailbox_driver_sync(struct mailbox *box, bool thorough, struct err *e)
{
	enum drv_rc drc;

	if (index_is_suspect(box->store->ix)) {
		err_set(e, ERR_CORRUPT, "a session met damage");
		if (index_mend(box->store->ix, box->id, e) == -1)
			return DRV_ERROR;
	}
	drc = box->drv->sync(box->handle, thorough, e);
	if (drc == DRV_CORRUPT && index_mend(box->store->ix, box->id, e) == 0)
		drc = box->drv->sync(box->handle, thorough, e);
	for (int try = 0; try < COMMIT_TRIES && drc == DRV_FULL && index_may_retry(box->store->ix); try++)
		drc = box->drv->sync(box->handle, thorough, e);
	if (drc == DRV_FULL && !thorough) {
		if (!box->told_full)
			log_warning("%s: what is new can not be noted in the index: %s", box->name, e->log);
		box->told_full = true;
		*e = (struct err)ERR_INIT;
		return DRV_OK;
	}
	box->told_full = false;
	if (drc == DRV_OK && box->st->dirty_since == 0 && box->drv->is_due(box->handle))
		box->st->dirty_since = clock_ms();
	return drc;
}

int
storage_with_name(struct storage *st, struct span name, struct namespace **ns, struct buf *inner, struct err *e)
{
	for (size_t i = 0; i < st->stores.n; i++)
		index_read_end((*(struct store **)array_at(&st->stores, i))->ix);
	if (name.n > 1 && name.p[name.n - 1] == storage_separator(st, name))
		name.n--;
	return storage_resolve(st, name, ns, inner, e);
}

static int
has_room_for_another(struct storage *st, struct namespace *ns, struct err *e)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct box_entry *list;
	size_t count;
	int rc = 0;

	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (ns->store->drv->list(ns->store->handle, a, &list, &count, e) != DRV_OK)
		rc = -1;
	else if (count >= st->conf.max_mailboxes)
		rc = err_set(e, ERR_LIMIT, "the user has %zu mailboxes", count);
	arena_free(a);
	return rc;
}

int
storage_create(struct storage *st, struct span name, bool only_parent, struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	int rc = storage_with_name(st, name, &ns, &inner, e);

	if (rc == 0 && span_eq(buf_span(&inner), SPAN("INBOX")))
		rc = err_set(e, ERR_EXISTS, "INBOX is always there");
	if (rc == 0)
		rc = acl_require_create(st, ns, buf_span(&inner), e);
	if (rc == 0)
		rc = has_room_for_another(st, ns, e);
	if (rc == 0) {
		struct change_set cs = { .op = MAILBOX_MAKE, .name = buf_span(&inner), .only_parent = only_parent };

		rc = store_commit(ns->store, &cs, e);
		if (rc == 0 && !only_parent)
			rc = acl_inherit(st, ns, buf_span(&inner), e);
		store_announce_list(st, ns->store);
	}
	buf_clear(&inner);
	return rc == 0 ? 0 : err_wrap(e, "create %.*s", SPAN_ARG(name));
}

static int
subscribe(struct storage *st, struct namespace *ns, struct span inner, bool on, struct err *e)
{
	struct namespace *keeper = storage_subscriber(st, ns);
	struct buf kept = BUF_INIT(4096);
	int rc;

	if (!storage_subscribed_name(keeper, ns, inner, &kept) || kept.n > INDEX_NAME_MAX)
		rc = err_set(e, ERR_LIMIT, "a name too long for the subscriptions");
	else
		rc = subscriptions_change(keeper->store, buf_span(&kept), on, e);
	if (rc == 0)
		store_announce_list(st, keeper->store);
	buf_clear(&kept);
	return rc;
}

int
storage_ensure_auto(struct storage *st, struct namespace *ns, struct span inner, struct err *e)
{
	const struct special *sp = storage_special(ns, inner);
	struct change_set cs = { .op = MAILBOX_MAKE, .name = inner };
	struct err sub_e = ERR_INIT;

	if (sp == NULL || sp->automatic == AUTO_NO)
		return err_set(e, ERR_NOTFOUND, "there is no mailbox %.*s", SPAN_ARG(inner));
	if (store_commit(ns->store, &cs, e) == -1 && e->code != ERR_EXISTS)
		return -1;
	store_announce_list(st, ns->store);
	if (sp->automatic == AUTO_SUBSCRIBE && subscribe(st, ns, inner, true, &sub_e) == -1)
		log_error("%s", sub_e.log);
	return 0;
}

int
storage_delete(struct storage *st, struct span name, struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	int rc = storage_with_name(st, name, &ns, &inner, e);

	if (rc == 0 && span_eq(buf_span(&inner), SPAN("INBOX")))
		rc = err_set(e, ERR_DENIED, "INBOX stays");
	/* One that is made of its own accord is listed before it is. */
	if (rc == 0 && ns->store->drv->exists(ns->store->handle, buf_span(&inner)) == 0)
		rc = storage_ensure_auto(st, ns, buf_span(&inner), e);
	if (rc == 0)
		rc = acl_require(st, ns, buf_span(&inner), ACL_DELETE, e);
	if (rc == 0) {
		struct change_set cs = { .op = MAILBOX_DELETE, .name = buf_span(&inner) };
		struct quota_guard guard;

		quota_delete_begin(st, &guard);
		rc = store_commit(ns->store, &cs, e);
		quota_delete_end(&guard);
		if (rc == 0)
			store_announce_list(st, ns->store);
	}
	buf_clear(&inner);
	return rc == 0 ? 0 : err_wrap(e, "delete %.*s", SPAN_ARG(name));
}

int
storage_subscribe(struct storage *st, struct span name, bool on, struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	int rc = storage_with_name(st, name, &ns, &inner, e);

	if (rc == 0)
		rc = subscribe(st, ns, buf_span(&inner), on, e);
	buf_clear(&inner);
	return rc == 0 ? 0 : err_wrap(e, "subscribe %.*s", SPAN_ARG(name));
}

/* Sizes of messages that outside programs brought: looked up once, from the files. */
static int
status_sizes(struct mailbox *box, uint64_t *size_out, struct err *e)
{
	struct index_txn *t;
	struct idx_state state;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &state, e);

	if (rc != 1)
		return rc == 0 ? err_set(e, ERR_NOTFOUND, "mailbox was deleted") : -1;
	*size_out = state.bytes;
	if (state.unsized == 0)
		return 0;
	if (view_load(box, e) == -1)
		return -1;
	*size_out = 0;
	for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
		uint64_t one = 0;

		if (mailbox_size(box, mailbox_uid(box, seq), &one, e) == -1 && e->code != ERR_GONE) {
			if (!mailbox_others_can_be_read(e))
				return -1;
			log_error("STATUS: %s", e->log);
		}
		*size_out += one;
	}
	return mailbox_made_flush(box, e);
}

/* Nothing is read for it where there are none: the state counts them. */
static int
status_deleted_storage(struct index_txn *t, const struct idx_state *s, uint64_t *out, struct err *e)
{
	struct index_walk w;
	uint32_t left = s->deleted;
	int more = left == 0 ? 0 : index_walk_begin(&w, t, s->id, 1, e);

	*out = 0;
	if (left == 0 || more == -1)
		return more;
	w.brief = true;
	while (left > 0 && (more = index_walk_next(&w, e)) == 1) {
		struct idx_message m;

		if ((w.m.flags & IDX_DELETED) == 0)
			continue;
		left--;
		more = index_message_get(t, s->id, w.uid, &m, e);
		if (more == -1)
			break;
		if (more == 1 && m.size != IDX_SIZE_UNKNOWN)
			*out += m.size;
		else if (more == 1 && m.physical_size != IDX_SIZE_UNKNOWN)
			*out += m.physical_size;
	}
	index_walk_end(&w);
	return more == -1 ? -1 : 0;
}

int
mailbox_status_get(struct mailbox *box, unsigned items, struct mailbox_status *out, struct err *e)
{
	struct index_txn *t;
	struct idx_state s;
	int rc = mailbox_driver_sync(box, false, e) == DRV_OK ? 0 : -1;

	*out = (struct mailbox_status){ 0 };
	if (rc == 0 && items & STATUS_SIZE)
		rc = status_sizes(box, &out->size, e);
	if (rc == 0)
		rc = index_read(box->store->ix, &t, e);
	if (rc == 0) {
		rc = index_state_get(t, box->id, &s, e);
		rc = rc == 1 ? 0 : rc == 0 ? err_set(e, ERR_NOTFOUND, "mailbox was deleted") : -1;
	}
	if (rc == 0) {
		out->messages = s.messages;
		out->unseen = s.unseen;
		if (box->private != NULL && items & STATUS_UNSEEN)
			rc = private_unseen(box, &out->unseen, e);
		out->deleted = s.deleted;
		out->uidnext = s.uidnext;
		out->uidvalidity = s.uidvalidity;
		out->highestmodseq = s.highestmodseq;
		out->mailbox_id = s.id;
		if (items & STATUS_MAILBOXID)
			mailbox_id_write(box->st, box->ns, s.id, out->id);
	}
	if (rc == 0 && items & STATUS_DELETED_STORAGE)
		rc = status_deleted_storage(t, &s, &out->deleted_storage, e);
	if (rc == 0 && items & STATUS_RECENT && s.recent_uid < s.uidnext) {
		struct index_walk w;
		int more = index_walk_begin(&w, t, box->id, s.recent_uid, e);

		w.brief = true;
		while (more != -1 && (more = index_walk_next(&w, e)) == 1)
			out->recent++;
		index_walk_end(&w);
		rc = more == -1 ? -1 : 0;
	}
	return rc;
}

int
storage_status(struct storage *st, struct span name, unsigned items, struct mailbox_status *out, struct err *e)
{
	struct mailbox *box;
	int rc;

	if (mailbox_open_needing(st, name, MAILBOX_SAVE, ACL_READ, &box, e) == -1)
		return -1;
	rc = mailbox_status_get(box, items, out, e);
	mailbox_close(box);
	return rc;
}
