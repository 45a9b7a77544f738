/* SPDX-License-Identifier: MIT */
/*
 * MAILBOXID (RFC 8474): "M" and the number that the mailbox has in its index, which stays with it when it is renamed.  Numbers
 * are an index's own, so those of other namespaces have a digest of the prefix behind them.
 */
#include <stdio.h>
#include "lib-storage/storage-priv.h"

#define LOOK_MAX 2000	/* mailboxes that a search for an unknown id opens, which are new to the index */

static uint32_t
prefix_digest(struct span prefix)
{
	uint32_t h = 2166136261u;	/* FNV-1a */

	for (size_t i = 0; i < prefix.n; i++)
		h = (h ^ (unsigned char)prefix.p[i]) * 16777619u;
	return h;
}

static bool
is_of_inbox(const struct storage *st, const struct namespace *ns)
{
	for (size_t i = 0; i < st->ns_count; i++)
		if (st->ns[i].info.inbox)
			return st->ns[i].store == ns->store;
	return false;
}

void
mailbox_id_write(const struct storage *st, const struct namespace *ns, uint32_t id, char out[MAILBOX_ID_MAX])
{
	const struct namespace *of = ns->alias != NULL ? ns->alias : ns;

	if (is_of_inbox(st, ns))
		snprintf(out, MAILBOX_ID_MAX, "M%08x", id);
	else
		snprintf(out, MAILBOX_ID_MAX, "M%08x-%08x", id, prefix_digest(of->info.prefix));
}

void
mailbox_object_id(const struct mailbox *box, char out[MAILBOX_ID_MAX])
{
	mailbox_id_write(box->st, box->ns, box->id, out);
}

int
storage_mailbox_id(struct storage *st, struct span name, char out[MAILBOX_ID_MAX], struct err *e)
{
	struct mailbox *box;

	if (mailbox_open_needing(st, name, MAILBOX_SAVE, 0, &box, e) == -1)
		return -1;
	mailbox_object_id(box, out);
	mailbox_close(box);
	return 0;
}

static bool
take_hex(struct span *in, uint32_t *out)
{
	uint32_t v = 0;

	if (in->n < 8)
		return false;
	for (size_t i = 0; i < 8; i++) {
		char c = ascii_lower(in->p[i]);
		int digit = ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		v = v << 4 | (uint32_t)digit;
	}
	*in = span_from(*in, 8);
	*out = v;
	return true;
}

/* The name of the mailbox with that number.  1, 0 there is none, -1. */
static int
name_in(struct namespace *ns, uint32_t id, struct buf *inner, struct err *e)
{
	struct index_txn *t;
	struct idx_state s;
	int rc;

	if (index_read(ns->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, id, &s, e);
	if (rc == 1)
		buf_add(inner, idx_state_name(&s));
	index_read_end(ns->store->ix);
	return rc == 1 ? ns->store->drv->exists(ns->store->handle, buf_span(inner)) == 1 : rc;
}

/* Gives a number to each mailbox that the index does not know: it was made anew, or other programs made the mailbox. */
static int
number_all(struct storage *st, struct namespace *ns, struct arena *a, struct err *e)
{
	struct box_entry *list;
	struct buf name = BUF_INIT(4096);
	size_t count, opened = 0;
	int rc = ns->store->drv->list(ns->store->handle, a, &list, &count, e) == DRV_OK ? 0 : -1;

	for (size_t i = 0; rc != -1 && i < count && opened < LOOK_MAX; i++) {
		struct mailbox *box;
		struct index_txn *t;
		struct err ignored = ERR_INIT;
		uint32_t id;

		if (!list[i].selectable || (rc = index_read(ns->store->ix, &t, e)) == -1)
			continue;
		rc = index_mailbox_find(t, list[i].name, &id, e);
		index_read_end(ns->store->ix);
		buf_reset(&name);
		if (rc != 0 || !storage_visible(ns, list[i].name, &name))
			continue;
		opened++;
		if (mailbox_open_needing(st, buf_span(&name), MAILBOX_SAVE, 0, &box, &ignored) == 0)
			mailbox_close(box);
	}
	buf_clear(&name);
	return rc == -1 ? -1 : 0;
}

static int
find_in(struct storage *st, struct namespace *ns, uint32_t id, struct arena *a, struct span *name_out, struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX), name = BUF_INIT(4096);
	int rc = name_in(ns, id, &inner, e);

	if (rc == 0) {
		buf_reset(&inner);
		if (number_all(st, ns, a, e) == -1 || (rc = name_in(ns, id, &inner, e)) == -1)
			rc = -1;
	}
	if (rc == 1 && (!storage_visible(ns, buf_span(&inner), &name) || acl_require(st, ns, buf_span(&inner), ACL_LOOKUP, e) == -1))
		rc = 0;
	if (rc == 1) {
		*name_out = arena_dup(a, buf_span(&name));
		if (name_out->p == NULL)
			rc = err_set(e, ERR_LIMIT, "out of memory");
	} else if (rc == 0) {
		rc = err_set(e, ERR_NOTFOUND, "no mailbox has that id");
	}
	buf_clear(&inner);
	buf_clear(&name);
	return rc == 1 ? 0 : -1;
}

int
storage_mailbox_by_id(struct storage *st, struct span id, struct arena *a, struct span *name_out, struct err *e)
{
	uint32_t number, digest;
	bool elsewhere;

	if (id.n == 0 || id.p[0] != 'M')
		return err_set(e, ERR_NOTFOUND, "no mailbox has such an id");
	id = span_from(id, 1);
	if (!take_hex(&id, &number) || (id.n > 0 && id.p[0] != '-'))
		return err_set(e, ERR_NOTFOUND, "no mailbox has such an id");
	elsewhere = id.n > 0;
	id = span_from(id, elsewhere);
	if (elsewhere && (!take_hex(&id, &digest) || id.n > 0))
		return err_set(e, ERR_NOTFOUND, "no mailbox has such an id");
	for (size_t i = 0; i < st->ns_count; i++) {
		struct namespace *ns = &st->ns[i];

		if (ns->store == NULL || ns->alias != NULL || namespace_is_template(ns))
			continue;
		if (elsewhere ? !is_of_inbox(st, ns) && prefix_digest(ns->info.prefix) == digest : ns->info.inbox)
			return find_in(st, ns, number, a, name_out, e);
	}
	return err_set(e, ERR_NOTFOUND, "no mailbox has that id");
}

static uint32_t
store_index(const struct storage *st, const struct store *store)
{
	uint32_t i = 0;

	while (i < st->stores.n && *(struct store **)array_at(&st->stores, i) != store)
		i++;
	return i;
}

static uint64_t
number_of(const struct storage *st, const struct store *store, uint32_t id)
{
	return (uint64_t)store_index(st, store) << 32 | id;
}

uint64_t
storage_mailbox_number(struct storage *st, struct span name)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	struct index_txn *t;
	struct err e = ERR_INIT;
	uint32_t id = 0;
	int rc = 0;

	if (storage_resolve(st, name, &ns, &inner, &e) == 0 && index_read(ns->store->ix, &t, &e) == 0) {
		rc = index_mailbox_find(t, buf_span(&inner), &id, &e);
		index_read_end(ns->store->ix);
	}
	buf_clear(&inner);
	return rc == 1 ? number_of(st, ns->store, id) : 0;
}

uint64_t
mailbox_number(const struct mailbox *box)
{
	return number_of(box->st, box->ns->store, box->id);
}
