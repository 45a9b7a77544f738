/* SPDX-License-Identifier: MIT */
/*
 * autoexpunge, autoexpunge_max_mails: what is too old, or too much, goes at the end of a session.  Messages are looked at from
 * the first on, up to the first that stays, so that a mailbox in which nothing is due costs one record.
 */
#include <time.h>
#include "lib-storage/storage-priv.h"

#define MOST 10000		/* messages a session removes; the next goes on */

/* UIDs from the first on that are to go. */
static int
find_due(struct mailbox *box, const struct special *sp, size_t most, struct array *uids, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	struct index_walk w;
	int64_t before = sp->autoexpunge_s == 0 ? INT64_MIN : (int64_t)time(NULL) - sp->autoexpunge_s;
	uint32_t surplus;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);

	if (rc != 1 || st.messages == 0)
		return rc == -1 ? -1 : 0;
	surplus = sp->autoexpunge_max > 0 && st.messages > sp->autoexpunge_max ?
	    st.messages - (uint32_t)sp->autoexpunge_max : 0;
	if (index_walk_begin(&w, t, box->id, 1, e) == -1)
		return -1;
	while (uids->n < most && (rc = index_walk_next(&w, e)) == 1) {
		uint32_t *slot;

		if (uids->n >= surplus && w.m.save_date > before)
			break;
		slot = array_push(uids);
		if (slot == NULL) {
			rc = err_set(e, ERR_TEMP, "out of memory");
			break;
		}
		*slot = w.uid;
	}
	index_walk_end(&w);
	return rc == -1 ? -1 : 0;
}

static int
expunge_old(struct storage *st, struct span name, const struct special *sp, uint64_t *count, struct err *e)
{
	struct array uids = ARRAY_INIT(uint32_t, MOST);
	struct mailbox *box;
	int rc;

	if (mailbox_open_needing(st, name, MAILBOX_SAVE, ACL_READ | ACL_EXPUNGE, &box, e) == -1)
		/* Not there, or not this user's to clear up. */
		return e->code == ERR_NOTFOUND || e->code == ERR_DENIED ? 0 : -1;
	rc = box->drv->sync(box->handle, false, e) == DRV_OK ? 0 : -1;
	if (rc == 0)
		rc = find_due(box, sp, MOST > *count ? (size_t)(MOST - *count) : 0, &uids, e);
	if (rc == 0 && uids.n > 0)
		rc = mailbox_expunge(box, uids.p, uids.n, true, e);
	if (rc == 0)
		*count += uids.n;
	array_clear(&uids);
	mailbox_close(box);
	return rc;
}

static bool
is_pattern(const char *name)
{
	return strpbrk(name, "*%") != NULL;
}

/* "Trash/\*" has a mailbox block of its own for all that are below. */
static int
expunge_matching(struct storage *st, struct namespace *ns, const struct special *sp, uint64_t *count, struct err *e)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct buf name = BUF_INIT(4096);
	struct box_entry *list = NULL;
	size_t n = 0;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	if (rc == 0 && ns->store->drv->list(ns->store->handle, a, &list, &n, e) != DRV_OK)
		rc = -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		buf_reset(&name);
		if (list[i].selectable && list_match(span_str(sp->inner), list[i].name, '/') == LIST_YES &&
		    storage_visible(ns, list[i].name, &name))
			rc = expunge_old(st, buf_span(&name), sp, count, e);
	}
	buf_clear(&name);
	arena_free(a);
	return rc;
}

int
storage_autoexpunge(struct storage *st, uint64_t *count_out, struct err *e)
{
	struct buf name = BUF_INIT(4096);
	uint64_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < st->ns_count && rc == 0; i++) {
		struct namespace *ns = &st->ns[i];

		for (size_t k = 0; ns->alias == NULL && ns->store != NULL && k < ns->special_count && rc == 0; k++) {
			const struct special *sp = &ns->specials[k];

			if (sp->autoexpunge_s == 0 && sp->autoexpunge_max == 0)
				continue;
			buf_reset(&name);
			if (is_pattern(sp->inner))
				rc = expunge_matching(st, ns, sp, &count, e);
			else if (ns->store->drv->exists(ns->store->handle, span_str(sp->inner)) == 1 &&
			    storage_visible(ns, span_str(sp->inner), &name))
				rc = expunge_old(st, buf_span(&name), sp, &count, e);
		}
	}
	buf_clear(&name);
	*count_out = count;
	return rc == 0 ? 0 : err_wrap(e, "autoexpunge");
}
