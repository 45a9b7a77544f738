/* SPDX-License-Identifier: MIT */
/*
 * The view: the UIDs that a session's sequence numbers stand for, and the modseq up to which it has been told of changes.
 * view_catch_up() is the one implementation of "changes since modseq": the change log from there on, and the messages
 * from uidnext on.  When the log has been pruned beyond the view, the records themselves are compared.
 */
#include <stdlib.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-storage/storage-priv.h"

#define VIEW_MAX 0x7fffffff

static bool
view_push(struct view *v, uint32_t uid)
{
	if (v->count == v->cap) {
		size_t cap = v->cap == 0 ? 256 : v->cap * 2;
		uint32_t *more = cap > VIEW_MAX ? NULL : realloc(v->uids, cap * sizeof(*more));

		if (more == NULL)
			return false;
		v->uids = more;
		v->cap = cap;
	}
	v->uids[v->count++] = uid;
	return true;
}

void
view_clear(struct view *v)
{
	free(v->uids);
	array_clear(&v->pending);
	array_clear(&v->recent);
	array_clear(&v->flags);
	array_clear(&v->expunged);
	*v = (struct view){ 0 };
}

/* The index of uid, or of where it would be. */
static size_t
view_find(const struct view *v, uint32_t uid)
{
	size_t lo = 0, hi = v->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
view_has(const struct view *v, uint32_t uid)
{
	size_t i = view_find(v, uid);

	return i < v->count && v->uids[i] == uid;
}

/* EXAMINE: what is nobody's yet is shown as \Recent, and stays nobody's. */
static void
see_recent(struct view *v, const struct idx_state *st)
{
	struct uid_range *r = v->recent.n == 0 ? array_push(&v->recent) : array_at(&v->recent, 0);

	if (r == NULL)
		return;
	if (r->first == 0)
		r->first = st->recent_uid;
	r->last = st->uidnext - 1;
}

/* Takes what is nobody's \Recent yet; only a session that may write does. */
static int
claim_recent(struct mailbox *box, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	struct uid_range *r;
	int rc;

	if (box->mode != MAILBOX_WRITE)
		return 0;
	if (index_write(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	if (rc != 1 || st.recent_uid >= st.uidnext) {
		index_abort(t);
		return rc == -1 ? -1 : 0;
	}
	r = box->view.recent.n == 0 ? NULL : array_at(&box->view.recent, box->view.recent.n - 1);
	if (r != NULL && r->last + 1 == st.recent_uid)
		r->last = st.uidnext - 1;
	else if ((r = array_push(&box->view.recent)) != NULL)
		*r = (struct uid_range){ st.recent_uid, st.uidnext - 1 };
	st.recent_uid = st.uidnext;
	if (index_state_put(t, &st, e) == -1) {
		index_abort(t);
		return -1;
	}
	return index_commit(t, e);
}

struct loading {
	struct view *v;
	bool uids, failed;
	uint32_t seq;
};

static bool
on_load(void *ctx, uint32_t uid, uint8_t flags)
{
	struct loading *l = ctx;

	l->seq++;
	if (l->v->first_unseen == 0 && !(flags & IDX_SEEN))
		l->v->first_unseen = l->seq;
	if (l->uids && !view_push(l->v, uid))
		l->failed = true;
	return !l->failed && (l->uids || l->v->first_unseen == 0);
}

/* Where no UID is missing between the first and the last the records need not be walked, but up to the first unseen. */
static int
load_uids(struct mailbox *box, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	struct loading l = { .v = &box->view };
	uint32_t first, last;

	l.v->count = 0;
	l.v->first_unseen = 0;
	if (index_uid_bounds(t, box->id, &first, &last, e) == -1)
		return -1;
	l.uids = last == 0 || last < first || last - first != st->messages - 1;
	if (!l.uids) {
		uint32_t *more = realloc(l.v->uids, (size_t)st->messages * sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		l.v->uids = more;
		l.v->cap = l.v->count = st->messages;
		for (uint32_t i = 0; i < st->messages; i++)
			more[i] = first + i;
	}
	if ((l.uids || st->unseen > 0) && index_each_uid(t, box->id, 1, on_load, &l, e) == -1)
		return -1;
	return l.failed ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

int
view_load(struct mailbox *box, struct err *e)
{
	struct view *v = &box->view;
	struct index_txn *t;
	struct idx_state st;
	int rc;

	index_read_end(box->store->ix);
	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	if (rc == -1)
		return -1;
	if (load_uids(box, t, &st, e) == -1)
		return -1;
	v->modseq = st.highestmodseq;
	v->uidvalidity = st.uidvalidity;
	v->uidnext = st.uidnext;
	v->pending = ARRAY_INIT(uint32_t, VIEW_MAX);
	v->flags = ARRAY_INIT(uint32_t, VIEW_MAX);
	v->expunged = ARRAY_INIT(struct view_change, VIEW_MAX);
	if (v->recent.size == 0)
		v->recent = ARRAY_INIT(struct uid_range, 1000000);
	if (box->mode == MAILBOX_READ && st.recent_uid < st.uidnext)
		see_recent(v, &st);
	return st.recent_uid < st.uidnext ? claim_recent(box, e) : 0;
}

struct catching {
	struct view *v;
	bool failed;
};

static void
push_uid(struct catching *c, struct array *a, uint32_t uid)
{
	uint32_t *slot = array_push(a);

	if (slot == NULL)
		c->failed = true;
	else
		*slot = uid;
}

static bool
on_change(void *ctx, uint64_t modseq, uint32_t uid, enum idx_change what)
{
	struct catching *c = ctx;

	(void)modseq;
	if (view_has(c->v, uid))
		push_uid(c, what == IDX_CHANGE_EXPUNGED ? &c->v->pending : &c->v->flags, uid);
	return !c->failed;
}

/* The log does not reach back: records against the view. */
static int
compare_all(struct mailbox *box, struct index_txn *t, struct catching *c, struct err *e)
{
	struct view *v = &box->view;
	struct index_walk w;
	size_t i = 0;
	int rc;

	v->pending.n = 0;
	if (index_walk_begin(&w, t, box->id, 1, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1 && w.uid < v->uidnext) {
		for (; i < v->count && v->uids[i] < w.uid; i++)
			push_uid(c, &v->pending, v->uids[i]);
		if (i < v->count && v->uids[i] == w.uid) {
			if (w.m.modseq > v->modseq)
				push_uid(c, &v->flags, w.uid);
			i++;
		}
	}
	for (; i < v->count && rc != -1; i++)
		push_uid(c, &v->pending, v->uids[i]);
	index_walk_end(&w);
	return rc == -1 ? -1 : 0;
}

static int
uid_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorted, each once. */
static void
sort_uids(struct array *a)
{
	uint32_t *u = a->p;
	size_t n = 0;

	if (a->n > 1)
		qsort(u, a->n, sizeof(*u), uid_cmp);
	for (size_t i = 0; i < a->n; i++)
		if (n == 0 || u[n - 1] != u[i])
			u[n++] = u[i];
	a->n = n;
}

/* Everything since v->modseq, up to what one read transaction shows.  False in *there_out: the mailbox is gone. */
static int
view_catch_up(struct mailbox *box, bool *there_out, struct err *e)
{
	struct view *v = &box->view;
	struct catching c = { .v = v };
	struct index_txn *t;
	struct idx_state st;
	bool complete;
	int rc;

	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	*there_out = rc == 1 && st.uidvalidity == v->uidvalidity;
	if (rc == -1 || !*there_out)
		return rc == -1 ? -1 : 0;
	if (st.highestmodseq == v->modseq && st.uidnext == v->uidnext)
		return 0;
	if (index_changes_since(t, box->id, v->modseq, &complete, on_change, &c, e) == -1)
		return -1;
	if (!complete && compare_all(box, t, &c, e) == -1)
		return -1;
	if (st.uidnext > v->uidnext) {
		struct index_walk w;

		if (index_walk_begin(&w, t, box->id, v->uidnext, e) == -1)
			return -1;
		w.brief = true;
		while ((rc = index_walk_next(&w, e)) == 1 && !c.failed)
			c.failed = !view_push(v, w.uid);
		index_walk_end(&w);
		if (rc == -1)
			return -1;
	}
	if (c.failed)
		return err_set(e, ERR_TEMP, "out of memory");
	sort_uids(&v->pending);
	sort_uids(&v->flags);
	v->modseq = st.highestmodseq;
	v->uidnext = st.uidnext;
	if (box->mode == MAILBOX_READ && st.recent_uid < st.uidnext)
		see_recent(v, &st);
	return st.recent_uid < st.uidnext ? claim_recent(box, e) : 0;
}

/* Takes the expunged ones out of the view, in one pass. */
static int
apply_expunges(struct view *v, struct err *e)
{
	const uint32_t *gone = v->pending.p;
	size_t kept = 0, g = 0;

	if (!array_reserve(&v->expunged, v->pending.n))
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < v->count; i++) {
		struct view_change *c;

		if (g < v->pending.n && gone[g] == v->uids[i]) {
			c = array_push(&v->expunged);
			*c = (struct view_change){ v->uids[i], (uint32_t)i + 1 };
			g++;
			continue;
		}
		v->uids[kept++] = v->uids[i];
	}
	v->count = kept;
	v->pending.n = 0;
	/* From the last to the first: then each has the number that it had before. */
	for (size_t i = 0, n = v->expunged.n; i < n / 2; i++) {
		struct view_change *a = array_at(&v->expunged, i), *b = array_at(&v->expunged, n - 1 - i), tmp = *a;

		*a = *b;
		*b = tmp;
	}
	return 0;
}

/* A message whose flags changed and that was expunged then has nothing left to tell. */
static void
drop_gone_flags(struct view *v)
{
	const uint32_t *gone = v->pending.p;
	uint32_t *flags = v->flags.p;
	size_t n = 0, g = 0;

	for (size_t i = 0; i < v->flags.n; i++) {
		while (g < v->pending.n && gone[g] < flags[i])
			g++;
		if (g < v->pending.n && gone[g] == flags[i])
			continue;
		flags[n++] = flags[i];
	}
	v->flags.n = n;
}

/* Rights may be taken while the mailbox is open.  A list that can not be read gives none. */
static bool
may_read_still(struct mailbox *box)
{
	int64_t now = clock_ms();
	struct err e = ERR_INIT;

	if (now - box->rights_at >= acl_cache_ms(box->st)) {
		box->rights_at = now;
		if (acl_rights(box->st, box->ns, span_str(box->inner), &box->rights, &e) == -1) {
			box->rights = 0;
			log_error("%s", e.log);
		}
	}
	return (box->rights & ACL_READ) != 0;
}

int
mailbox_sync(struct mailbox *box, bool expunges, struct view_changes *out, struct err *e)
{
	struct view *v = &box->view;
	uint32_t old_next = v->uidnext;
	bool there = true;
	enum drv_rc drc;

	*out = (struct view_changes){ .old_count = (uint32_t)v->count };
	if (mailbox_made_flush(box, e) == -1)
		return -1;
	index_read_end(box->store->ix);
	if (box->st->acl != NULL && !may_read_still(box)) {
		out->gone = true;
		return 0;
	}
	drc = box->drv->sync(box->handle, false, e);
	if (drc != DRV_OK && drc != DRV_GONE)
		return -1;
	v->flags.n = v->expunged.n = 0;
	if (drc == DRV_GONE)
		there = false;
	else if (view_catch_up(box, &there, e) == -1)
		return -1;
	if (!there) {
		out->gone = true;
		return 0;
	}
	drop_gone_flags(v);
	if (expunges && v->pending.n > 0 && apply_expunges(v, e) == -1)
		return -1;
	if (mailbox_load_keywords(box, &out->keywords_changed, e) == -1)
		return -1;
	out->expunged = v->expunged.p;
	out->expunged_count = v->expunged.n;
	out->flags = v->flags.p;
	out->flags_count = v->flags.n;
	out->exists_changed = v->count > 0 && v->uids[v->count - 1] >= old_next;
	return 0;
}

struct since {
	struct arena *a;
	struct array uids;
	uint32_t first, last;
	bool failed;
};

static bool
on_since(void *ctx, uint64_t modseq, uint32_t uid, enum idx_change what)
{
	struct since *s = ctx;

	(void)modseq;
	if (what == IDX_CHANGE_EXPUNGED && uid >= s->first && uid <= s->last) {
		uint32_t *slot = array_push(&s->uids);

		if (slot == NULL)
			return !(s->failed = true);
		*slot = uid;
	}
	return true;
}

int
mailbox_expunged_since(struct mailbox *box, uint64_t modseq, uint32_t first, uint32_t last, struct arena *a,
    uint32_t **uids_out, size_t *count_out, bool *complete_out, struct err *e)
{
	struct since s = { .a = a, .uids = ARRAY_INIT(uint32_t, VIEW_MAX), .first = first, .last = last };
	struct index_txn *t;
	uint32_t *copy = NULL;
	int rc = index_read(box->store->ix, &t, e);

	if (rc == 0)
		rc = index_changes_since(t, box->id, modseq, complete_out, on_since, &s, e);
	sort_uids(&s.uids);
	if (rc == 0)
		copy = arena_alloc(a, s.uids.n == 0 ? 1 : s.uids.n, sizeof(*copy));
	if (rc == 0 && (s.failed || copy == NULL))
		rc = err_set(e, ERR_LIMIT, "too many expunged messages to tell");
	if (rc == 0) {
		if (s.uids.n > 0)
			memcpy(copy, s.uids.p, s.uids.n * sizeof(*copy));
		*uids_out = copy;
		*count_out = s.uids.n;
	}
	array_clear(&s.uids);
	return rc;
}

uint32_t
mailbox_count(const struct mailbox *box)
{
	return (uint32_t)box->view.count;
}

uint32_t
mailbox_uid(const struct mailbox *box, uint32_t seq)
{
	return seq == 0 || seq > box->view.count ? 0 : box->view.uids[seq - 1];
}

uint32_t
mailbox_seq(const struct mailbox *box, uint32_t uid)
{
	size_t i = view_find(&box->view, uid);

	return i < box->view.count && box->view.uids[i] == uid ? (uint32_t)i + 1 : 0;
}

uint32_t
mailbox_seq_from(const struct mailbox *box, uint32_t uid)
{
	return (uint32_t)view_find(&box->view, uid) + 1;
}

bool
mailbox_is_recent(const struct mailbox *box, uint32_t uid)
{
	for (size_t i = 0; i < box->view.recent.n; i++) {
		const struct uid_range *r = array_at(&box->view.recent, i);

		if (uid >= r->first && uid <= r->last)
			return true;
	}
	return false;
}

void
mailbox_view_state(struct mailbox *box, struct mailbox_view_state *out)
{
	const struct view *v = &box->view;
	uint32_t recent = 0;

	for (size_t i = 0; i < v->recent.n; i++) {
		const struct uid_range *r = array_at(&v->recent, i);

		recent += (uint32_t)(view_find(v, r->last == UINT32_MAX ? r->last : r->last + 1) - view_find(v, r->first));
	}
	*out = (struct mailbox_view_state){
		.uidvalidity = v->uidvalidity, .uidnext = v->uidnext, .recent = recent,
		.first_unseen = v->first_unseen, .mailbox_id = box->id, .highestmodseq = v->modseq,
	};
}
