/* SPDX-License-Identifier: MIT */
/* All mailboxes of a user, with what LIST says of each. */
#include <stdlib.h>
#include "lib/hash.h"
#include "lib/log.h"
#include "lib-storage/storage-priv.h"

#define LIST_MAX 1000000

struct lister {
	struct storage *st;
	struct arena *a;
	struct hash *by_name;		/* values: index in entries + 1 */
	struct array entries;		/* struct mailbox_info */
	struct err *e;
};

static struct mailbox_info *
entry_get(struct lister *l, struct span name, char separator, bool *new_out)
{
	uintptr_t at = (uintptr_t)hash_get(l->by_name, name);
	struct mailbox_info *info;

	*new_out = at == 0;
	if (at != 0)
		return array_at(&l->entries, at - 1);
	info = array_push(&l->entries);
	if (info == NULL) {
		err_set(l->e, ERR_LIMIT, "too many mailboxes");
		return NULL;
	}
	info->name = arena_dup(l->a, name);
	info->separator = separator;
	if (info->name.p == NULL || !hash_set(l->by_name, name, (void *)(uintptr_t)l->entries.n)) {
		err_set(l->e, ERR_LIMIT, "the list of mailboxes is too large");
		return NULL;
	}
	return info;
}

/* Adds name, and its parents: each of them has children then. */
static int
add(struct lister *l, const struct namespace *ns, struct span name, unsigned attrs, bool with_parents)
{
	char sep = ns->info.separator;
	bool is_new;
	struct mailbox_info *info = entry_get(l, name, sep, &is_new);

	if (info == NULL)
		return -1;
	info->attrs |= attrs;
	while (with_parents) {
		size_t n = name.n;

		while (n > 0 && name.p[n - 1] != sep)
			n--;
		if (n <= 1 || (n - 1 < ns->info.prefix.n && name.n > ns->info.prefix.n && ns->owner == NULL))
			break;
		name = span_sub(name, 0, n - 1);
		if (span_ieq(name, SPAN("INBOX")) && ns->info.inbox)
			name = SPAN("INBOX");
		info = entry_get(l, name, sep, &is_new);
		if (info == NULL)
			return -1;
		if (info->attrs & MBOX_CHILDREN)
			break;		/* its parents know */
		info->attrs |= MBOX_CHILDREN;
	}
	return 0;
}

/* A list that can not be read gives no rights. */
static bool
may_see(struct lister *l, const struct namespace *ns, struct span inner)
{
	unsigned rights = 0;
	struct err e = ERR_INIT;

	if (l->st->acl == NULL)
		return true;
	if (acl_rights(l->st, ns, inner, &rights, &e) == -1)
		log_error("%s", e.log);
	return (rights & ACL_LOOKUP) != 0;
}

/* The prefix, as the name that all of the namespace is below; list = children: only when there is something. */
static int
add_prefix(struct lister *l, const struct namespace *ns, bool found)
{
	struct span name = ns->info.prefix;
	uintptr_t at;
	bool is_inbox = ns->info.inbox && name.n == 6 && span_ieq(span_sub(name, 0, 5), SPAN("INBOX"));

	if (name.n > 0 && name.p[name.n - 1] == ns->info.separator)
		name.n--;
	if (is_inbox && found)
		return add(l, ns, SPAN("INBOX"), MBOX_CHILDREN, false);
	at = (uintptr_t)hash_get(l->by_name, name);
	if (at != 0 && ((struct mailbox_info *)array_at(&l->entries, at - 1))->attrs & MBOX_EXISTS)
		return 0;	/* another user's INBOX */
	if (name.n == 0 || is_inbox || (!found && ns->list != LIST_YES_ALL))
		return 0;
	return add(l, ns, name, MBOX_NOSELECT | (found ? MBOX_CHILDREN : 0), true);
}

static int
list_namespace(struct lister *l, struct namespace *ns)
{
	struct buf name = BUF_INIT(4096);
	struct arena *a = arena_new((size_t)256 << 20);
	struct box_entry *list;
	struct span *subs;
	const struct namespace *of = ns->alias != NULL ? ns->alias : ns;
	size_t count = 0;
	bool found = false;
	int rc = a == NULL ? err_set(l->e, ERR_TEMP, "out of memory") : 0;

	if (rc == 0 && ns->store->drv->list(ns->store->handle, a, &list, &count, l->e) != DRV_OK)
		rc = -1;
	for (size_t i = 0; i < count && rc == 0; i++) {
		buf_reset(&name);
		if (!storage_visible(ns, list[i].name, &name) || !may_see(l, ns, list[i].name))
			continue;
		found = found || !span_eq(buf_span(&name), SPAN("INBOX"));
		rc = add(l, ns, buf_span(&name), (list[i].selectable ? MBOX_EXISTS : MBOX_NOSELECT) |
		    (list[i].leaf ? MBOX_NOINFERIORS : 0), true);
	}
	for (size_t i = 0; i < of->special_count && rc == 0; i++) {
		const struct special *sp = &of->specials[i];
		bool automatic = sp->automatic != AUTO_NO;

		buf_reset(&name);
		if (!storage_visible(ns, span_str(sp->inner), &name) || (automatic && !may_see(l, ns, span_str(sp->inner))))
			continue;
		found = found || automatic;
		if (automatic)
			rc = add(l, ns, buf_span(&name), MBOX_EXISTS | (sp->automatic == AUTO_SUBSCRIBE ? MBOX_SUBSCRIBED : 0), true);
		uintptr_t at = (uintptr_t)hash_get(l->by_name, buf_span(&name));

		if (at != 0)
			((struct mailbox_info *)array_at(&l->entries, at - 1))->attrs |= sp->use;
	}
	if (rc == 0)
		rc = add_prefix(l, ns, found);
	count = 0;
	if (rc == 0 && ns->info.subscriptions)
		rc = subscriptions_read(ns->store, a, &subs, &count, l->e);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct namespace *home = ns;

		buf_reset(&name);
		if (storage_subscribed_visible(l->st, ns, subs[i], &home, &name))
			rc = add(l, home, buf_span(&name), MBOX_SUBSCRIBED, false);	/* it may not be there */
	}
	arena_free(a);
	buf_clear(&name);
	return rc;
}

/* What other users give; who can not be looked at is left out. */
static int
list_shared(struct lister *l, struct namespace *template)
{
	struct arena *a = arena_new((size_t)16 << 20);
	struct span *users;
	size_t count = 0;
	bool found = false;
	int rc = a == NULL ? err_set(l->e, ERR_TEMP, "out of memory") : shared_dict_users(l->st, a, &users, &count, l->e);

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct err e = ERR_INIT;
		struct namespace *ns = shared_open(l->st, template, users[i], &e);
		size_t before = l->entries.n;

		if (ns == NULL) {
			if (e.code != ERR_NOTFOUND)
				log_error("mail of %.*s: %s", SPAN_ARG(users[i]), e.log);
			continue;
		}
		rc = list_namespace(l, ns);
		found = found || l->entries.n > before;
	}
	if (rc == 0)
		rc = add_prefix(l, template, found);
	arena_free(a);
	return rc;
}

/* INBOX first; else by name, with the separator before every other octet so that children follow their parent. */
static int
info_cmp(const void *a, const void *b)
{
	const struct mailbox_info *x = a, *y = b;
	bool xi = span_eq(x->name, SPAN("INBOX")), yi = span_eq(y->name, SPAN("INBOX"));
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;

	if (xi != yi)
		return xi ? -1 : 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)x->name.p[i], d = (unsigned char)y->name.p[i];

		if (c == d)
			continue;
		if (c == (unsigned char)x->separator)
			return -1;
		if (d == (unsigned char)y->separator)
			return 1;
		return c < d ? -1 : 1;
	}
	return x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
}

/* A namespace with list = no is shown to who asks for names that begin with its prefix. */
static bool
is_listed(const struct namespace *ns, const struct span *starts, size_t count)
{
	for (size_t i = 0; i < count && !ns->info.list; i++)
		if (ns->info.prefix.n > 0 && span_starts(starts[i], ns->info.prefix))
			return true;
	return ns->info.list;
}

int
storage_list(struct storage *st, struct arena *a, struct mailbox_info **out, size_t *count_out, struct err *e)
{
	return storage_list_starting(st, NULL, 0, a, out, count_out, e);
}

int
storage_list_starting(struct storage *st, const struct span *starts, size_t start_count, struct arena *a,
    struct mailbox_info **out, size_t *count_out, struct err *e)
{
	struct lister l = { .st = st, .a = a, .by_name = hash_new(LIST_MAX), .e = e,
		.entries = ARRAY_INIT(struct mailbox_info, LIST_MAX) };
	struct mailbox_info *list = NULL;
	int rc = l.by_name == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	for (size_t i = 0; i < st->ns_count && rc == 0; i++)
		if (is_listed(&st->ns[i], starts, start_count))
			rc = namespace_is_template(&st->ns[i]) ? list_shared(&l, &st->ns[i]) : list_namespace(&l, &st->ns[i]);
	if (rc == 0 && (list = arena_alloc(a, l.entries.n + 1, sizeof(*list))) == NULL)
		rc = err_set(e, ERR_LIMIT, "the list of mailboxes is too large");
	if (rc == 0) {
		for (size_t i = 0; i < l.entries.n; i++) {
			list[i] = *(struct mailbox_info *)array_at(&l.entries, i);
			if (!(list[i].attrs & MBOX_CHILDREN))
				list[i].attrs |= MBOX_NO_CHILDREN;
		}
		qsort(list, l.entries.n, sizeof(*list), info_cmp);
		*out = list;
		*count_out = l.entries.n;
	}
	array_clear(&l.entries);
	hash_free(l.by_name);
	return rc;
}

/* Another user's mailbox that the dictionary does not tell of; one in a namespace that is not listed (an alias for old names). */
static unsigned
unlisted_attrs(struct storage *st, struct span name)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	struct err e = ERR_INIT;
	const struct special *sp;
	unsigned attrs = 0;
	int there;

	if (storage_resolve(st, name, &ns, &inner, &e) == 0 && (ns->owner != NULL ? st->acl != NULL : !ns->info.list) &&
	    acl_require(st, ns, buf_span(&inner), ACL_LOOKUP, &e) == 0) {
		there = ns->store->drv->exists(ns->store->handle, buf_span(&inner));
		sp = storage_special(ns, buf_span(&inner));
		if (there == 1 || (there == 0 && sp != NULL && sp->automatic != AUTO_NO))
			attrs = MBOX_EXISTS;
		else if (there == 2 && ns->owner == NULL)
			attrs = MBOX_NOSELECT;
	}
	buf_clear(&inner);
	return attrs;
}

struct span
storage_listed_name(struct storage *st, struct span name, struct buf *room)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct err none = ERR_INIT;
	struct namespace *ns;
	bool ok = span_istarts(name, SPAN("INBOX")) && storage_resolve(st, name, &ns, &inner, &none) == 0 &&
	    storage_visible(ns, buf_span(&inner), room);

	buf_clear(&inner);
	return ok ? buf_span(room) : name;
}

int
storage_mailbox_info(struct storage *st, struct span name, struct mailbox_info *out, struct err *e)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct buf room = BUF_INIT(4096);
	struct mailbox_info *list;
	struct span listed = storage_listed_name(st, name, &room);
	size_t count;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : storage_list_starting(st, &listed, 1, a, &list, &count, e);

	*out = (struct mailbox_info){ .name = name, .separator = storage_separator(st, name) };
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (span_eq(list[i].name, listed) || (span_ieq(name, SPAN("INBOX")) && span_eq(list[i].name, SPAN("INBOX")))) {
			out->attrs = list[i].attrs;
			break;
		}
	}
	if (rc == 0 && out->attrs == 0)
		out->attrs = unlisted_attrs(st, name);
	buf_clear(&room);
	arena_free(a);
	return rc;
}
