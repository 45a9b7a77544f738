/* SPDX-License-Identifier: MIT */
/* RENAME (RFC 3501 section 6.3.5): a mailbox with all below it, or the mail of INBOX. */
#include "lib-storage/storage-priv.h"

/* All mail of INBOX goes to a new mailbox; INBOX stays (RFC 3501 section 6.3.5). */
static int
rename_inbox(struct storage *st, struct span to, struct err *e)
{
	struct mailbox *inbox = NULL, *target = NULL;
	struct arena *a = arena_new((size_t)256 << 20);
	struct copy_result result;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	if (rc == 0)
		rc = storage_create(st, to, false, e);
	if (rc == 0)
		rc = mailbox_open(st, SPAN("INBOX"), MAILBOX_READ, &inbox, e);
	if (rc == 0)
		rc = mailbox_open(st, to, MAILBOX_SAVE, &target, e);
	if (rc == 0) {
		uint32_t count = mailbox_count(inbox), *uids = arena_alloc(a, (size_t)count + 1, sizeof(*uids));

		inbox->mode = MAILBOX_WRITE;
		for (uint32_t seq = 1; uids != NULL && seq <= count; seq++)
			uids[seq - 1] = mailbox_uid(inbox, seq);
		rc = uids == NULL ? err_set(e, ERR_LIMIT, "too many messages") :
		    mailbox_copy(inbox, uids, count, target, true, a, &result, e);
	}
	mailbox_close(target);
	mailbox_close(inbox);
	arena_free(a);
	return rc;
}

/* A mailbox with all below it; where the directories are not nested, one by one. */
static int
rename_tree(struct storage *st, struct namespace *ns, struct span from, struct span to, struct err *e)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct buf name = BUF_INIT(4096);
	struct box_entry *list = NULL;
	size_t count = 0, renamed = 0;
	struct err none = ERR_INIT;
	int rc = 0;

	/* One that is made of its own accord is listed before it is.  Others may have mailboxes below them. */
	if (ns->store->drv->exists(ns->store->handle, from) == 0)
		storage_ensure_auto(st, ns, from, &none);
	if (a == NULL || ns->store->drv->list(ns->store->handle, a, &list, &count, e) != DRV_OK)
		rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : -1;
	/* Names are checked before the first is changed. */
	for (int pass = 0; pass < 2 && rc == 0; pass++) {
		for (size_t i = 0; i < count && rc == 0; i++) {
			struct span old = list[i].name;
			struct change_set cs = { .op = MAILBOX_RENAME, .name = old };

			if (!span_eq(old, from) && !(span_starts(old, from) && old.p[from.n] == '/'))
				continue;
			buf_reset(&name);
			buf_add(&name, to);
			buf_add(&name, span_from(old, from.n));
			cs.new_name = buf_span(&name);
			if (name.failed || name.n > INDEX_NAME_MAX)
				rc = err_set(e, ERR_LIMIT, "the name of a mailbox below it would be too long");
			else if (pass == 0 && ns->store->drv->exists(ns->store->handle, cs.new_name) != 0)
				rc = err_set(e, ERR_EXISTS, "%.*s exists", SPAN_ARG(cs.new_name));
			else if (pass == 1 && !(ns->store->fs_layout && !span_eq(old, from)))
				rc = store_commit(ns->store, &cs, e);
			else if (pass == 1)
				rc = storage_index_rename(ns->store, old, cs.new_name, e);
			renamed++;
		}
	}
	if (rc == 0 && renamed == 0)
		rc = err_set(e, ERR_NOTFOUND, "there is no such mailbox");
	if (renamed > 0)	/* where it failed in the middle, too */
		store_announce_list(st, ns->store);
	buf_clear(&name);
	arena_free(a);
	return rc;
}

static bool
is_own_inbox(const struct namespace *ns)
{
	return ns->info.inbox || (ns->alias != NULL && ns->alias->info.inbox);
}

int
storage_rename(struct storage *st, struct span from, struct span to, struct err *e)
{
	struct buf a = BUF_INIT(INDEX_NAME_MAX), b = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns, *to_ns;
	int rc = storage_with_name(st, from, &ns, &a, e);

	if (rc == 0)
		rc = storage_with_name(st, to, &to_ns, &b, e);
	if (rc == 0 && span_eq(buf_span(&b), SPAN("INBOX")))
		rc = err_set(e, ERR_EXISTS, "INBOX is always there");
	else if (rc == 0 && span_eq(buf_span(&a), SPAN("INBOX")) && !is_own_inbox(ns))
		rc = err_set(e, ERR_DENIED, "another user's INBOX stays");
	else if (rc == 0 && span_eq(buf_span(&a), SPAN("INBOX")))
		rc = rename_inbox(st, to, e);
	else if (rc == 0 && ns->store != to_ns->store)
		rc = err_set(e, ERR_DENIED, "the mailbox would move to another storage");
	else if (rc == 0 && (span_eq(buf_span(&a), buf_span(&b)) ||
	    (span_starts(buf_span(&b), buf_span(&a)) && b.p[a.n] == '/')))
		rc = err_set(e, ERR_DENIED, "the new name is below the old one");
	else if (rc == 0 && acl_require(st, ns, buf_span(&a), ACL_DELETE, e) == 0 &&
	    acl_require_create(st, to_ns, buf_span(&b), e) == 0)
		rc = rename_tree(st, ns, buf_span(&a), buf_span(&b), e);
	else
		rc = -1;
	buf_clear(&a);
	buf_clear(&b);
	return rc == 0 ? 0 : err_wrap(e, "rename %.*s", SPAN_ARG(from));
}

bool
storage_can_rename(struct storage *st, struct span from, struct span to)
{
	struct buf inner = BUF_INIT(2 * INDEX_NAME_MAX);
	struct namespace *a, *b;
	struct err e = ERR_INIT;
	bool can = true;

	if (storage_resolve(st, from, &a, &inner, &e) == 0 && !span_eq(buf_span(&inner), SPAN("INBOX"))) {
		buf_reset(&inner);
		can = storage_resolve(st, to, &b, &inner, &e) == -1 || a->store == b->store;
	}
	buf_clear(&inner);
	return can;
}

/* The directory moved with its parent's: only the index's name is left to change. */
int
storage_index_rename(struct store *s, struct span from, struct span to, struct err *e)
{
	struct index_txn *t;
	uint32_t id;
	int rc;

	if (index_write(s->ix, &t, e) == -1)
		return -1;
	rc = index_mailbox_find(t, from, &id, e);
	if (rc == 1)
		rc = index_mailbox_rename(t, id, to, e) == -1 ? -1 : 1;
	if (rc == 1)
		return index_commit(t, e);
	index_abort(t);
	return rc;
}
