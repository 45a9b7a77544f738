/* SPDX-License-Identifier: MIT */
/*
 * The view: the UIDs that a session's sequence numbers stand for, and the modseq up to which it has been told of changes.
 * collect() is the one implementation of "changes since modseq": the change log from there on; when that has been pruned,
 * the records are compared with the view.  A session's sync, one that wakes up and one that resynchronises all ask it.
 */
#include <stdlib.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-storage/storage-priv.h"

#define VIEW_MAX 0x7fffffff
#define UNSEEN_STEPS 64		/* walked to the first unseen message: with more than this the way is noted */

/*
 * The UIDs are kept as runs without a gap, each with the sequence number of its first: a mailbox of which nothing was
 * expunged is one run, whatever its size.
 */
bool
view_reserve(struct view *v, size_t more)
{
	size_t cap = v->cap == 0 ? 16 : v->cap;
	struct view_run *room;

	while (cap - v->n < more)
		cap *= 2;
	if (cap == v->cap)
		return true;
	room = cap > VIEW_MAX ? NULL : realloc(v->runs, cap * sizeof(*room));
	if (room == NULL)
		return false;
	v->runs = room;
	v->cap = cap;
	return true;
}

/* Both above every UID of the view. */
bool
view_push(struct view *v, uint32_t first, uint32_t last)
{
	if (v->n > 0 && v->runs[v->n - 1].last + 1 == first) {
		v->runs[v->n - 1].last = last;
	} else {
		if (!view_reserve(v, 1))
			return false;
		v->runs[v->n++] = (struct view_run){ first, last, v->count + 1 };
	}
	v->count += last - first + 1;
	return true;
}

void
view_clear(struct view *v)
{
	free(v->runs);
	array_clear(&v->pending);
	array_clear(&v->recent);
	array_clear(&v->flags);
	array_clear(&v->expunged);
	*v = (struct view){ 0 };
}

/* The first run that does not end below uid; v->n when all do. */
static size_t
run_of(const struct view *v, uint32_t uid)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->runs[mid].last < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
view_has(const struct view *v, uint32_t uid)
{
	size_t i = run_of(v, uid);

	return i < v->n && v->runs[i].first <= uid;
}

/* How many messages of the view have a UID below uid. */
static uint32_t
count_below(const struct view *v, uint32_t uid)
{
	size_t i = run_of(v, uid);

	if (i == v->n)
		return v->count;
	return v->runs[i].seq - 1 + (uid > v->runs[i].first ? uid - v->runs[i].first : 0);
}

static void
add_recent(struct view *v, uint32_t first, uint32_t last)
{
	struct uid_range *r = v->recent.n == 0 ? NULL : array_at(&v->recent, v->recent.n - 1);

	if (r != NULL && first >= r->first && first - 1 <= r->last)
		r->last = last > r->last ? last : r->last;
	else if ((r = array_push(&v->recent)) != NULL)
		*r = (struct uid_range){ first, last };
}

/* Takes what is nobody's \Recent yet. */
static int
claim_recent(struct mailbox *box, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	uint32_t first;
	int rc;

	if (index_write(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	if (rc != 1 || st.recent_uid >= st.uidnext) {
		index_abort(t);
		return rc == -1 ? -1 : 0;
	}
	first = st.recent_uid;
	st.recent_uid = st.uidnext;
	if (index_state_put(t, &st, e) == -1) {
		index_abort(t);
		return -1;
	}
	if (index_commit(t, e) == -1)
		return -1;
	add_recent(&box->view, first, st.uidnext - 1);
	return 0;
}

/* A session that may write takes it; else (EXAMINE, a full disk) it is shown as \Recent, and stays nobody's. */
static void
take_recent(struct mailbox *box, const struct idx_state *st)
{
	struct err e = ERR_INIT;

	if (st->recent_uid >= st->uidnext || (box->mode == MAILBOX_WRITE && claim_recent(box, &e) == 0))
		return;
	add_recent(&box->view, st->recent_uid, st->uidnext - 1);
}

struct loading {
	struct view *v;
	const struct mailbox *box;	/* of on_unseen */
	bool failed;
	uint32_t steps, unseen_uid;
};

static bool
on_load(void *ctx, uint32_t uid, uint8_t flags)
{
	struct loading *l = ctx;

	(void)flags;
	l->failed = !view_push(l->v, uid, uid);
	return !l->failed;
}

static bool
on_unseen(void *ctx, uint32_t uid, uint8_t flags)
{
	struct loading *l = ctx;

	l->steps++;
	if (l->box->private != NULL ? !private_seen(l->box, uid) : !(flags & IDX_SEEN))
		l->unseen_uid = uid;
	return l->unseen_uid == 0;
}

/* What happened after a modseq, as UIDs in the order of the log. */
struct delta {
	const struct view *v;
	uint64_t modseq;
	struct array *gone, *changed;
	bool gone_in_view;	/* gone: those that the view still has; else those that it has no more */
	bool failed;
};

static void
push_uid(struct delta *d, struct array *a, uint32_t uid)
{
	uint32_t *slot = array_push(a);

	if (slot == NULL)
		d->failed = true;
	else
		*slot = uid;
}

static bool
on_change(void *ctx, uint64_t modseq, uint32_t uid, enum idx_change what)
{
	struct delta *d = ctx;
	bool has = view_has(d->v, uid);

	(void)modseq;
	if (what == IDX_CHANGE_EXPUNGED && has == d->gone_in_view)
		push_uid(d, d->gone, uid);
	else if (what == IDX_CHANGE_FLAGS && has)
		push_uid(d, d->changed, uid);
	return !d->failed;
}

/* The log does not reach back: records against the view, which must be of the same moment or older. */
static int
compare_all(struct mailbox *box, struct index_txn *t, struct delta *d, struct err *e)
{
	const struct view *v = d->v;
	size_t i = 0;
	uint32_t next = v->n > 0 ? v->runs[0].first : 0;	/* of the view, to be compared */
	struct index_walk w;
	int rc;

	if (d->gone_in_view)
		d->gone->n = 0;
	if (index_walk_begin(&w, t, box->id, 1, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1 && i < v->n) {
		while (i < v->n && next <= w.uid) {
			if (next == w.uid && w.m.modseq > d->modseq)
				push_uid(d, d->changed, next);
			else if (next != w.uid && d->gone_in_view)
				push_uid(d, d->gone, next);
			if (next++ == v->runs[i].last && ++i < v->n)
				next = v->runs[i].first;
		}
	}
	index_walk_end(&w);
	while (i < v->n && rc != -1) {
		if (d->gone_in_view)
			push_uid(d, d->gone, next);
		if (next++ == v->runs[i].last && ++i < v->n)
			next = v->runs[i].first;
	}
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

/*
 * The one implementation of changes since a modseq, as one read transaction shows them: expunges, and messages of the view
 * whose flags changed.  False in *complete_out: the log has been pruned beyond it; what is not in the view any more is not
 * known then.
 */
static int
collect(struct mailbox *box, struct index_txn *t, struct delta *d, bool *complete_out, struct err *e)
{
	if (index_changes_since(t, box->id, d->modseq, complete_out, on_change, d, e) == -1)
		return -1;
	if (!*complete_out && compare_all(box, t, d, e) == -1)
		return -1;
	if (d->failed)
		return err_set(e, ERR_TEMP, "out of memory");
	sort_uids(d->gone);
	sort_uids(d->changed);
	return 0;
}

static int
append_new(struct mailbox *box, struct index_txn *t, struct err *e)
{
	struct loading l = { .v = &box->view };

	if (index_each_uid(t, box->id, box->view.uidnext, on_load, &l, e) == -1)
		return -1;
	return l.failed ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

/* Brings the view up to what one read transaction shows.  False in *there_out: the mailbox is gone. */
static int
view_catch_up(struct mailbox *box, bool *there_out, struct err *e)
{
	struct view *v = &box->view;
	struct delta d = { .v = v, .modseq = v->modseq, .gone = &v->pending, .changed = &v->flags, .gone_in_view = true };
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
	/* An index that is being made anew does not know them all yet: they are not expunged. */
	if (st.bits & IDX_STATE_UNSCANNED)
		return 0;
	if (collect(box, t, &d, &complete, e) == -1)
		return -1;
	if (st.uidnext > v->uidnext && append_new(box, t, e) == -1)
		return -1;
	v->modseq = st.highestmodseq;
	v->uidnext = st.uidnext;
	/* A message below the UIDs that were told can not be told: the client has to begin anew. */
	if (v->count - v->pending.n != st.messages) {
		log_warning("mailbox %s: %u messages, where %zu were expected", box->name, st.messages,
		    v->count - v->pending.n);
		*there_out = false;
		return 0;
	}
	take_recent(box, &st);
	return 0;
}

/* Takes the expunged ones out of the view, in one pass from the first of them on. */
static int
apply_expunges(struct view *v, struct err *e)
{
	const uint32_t *gone = v->pending.p;
	size_t g = 0, count = v->pending.n, at = run_of(v, gone[0]), from;
	uint32_t removed = 0;

	if (!array_reserve(&v->expunged, count) || !view_reserve(v, count))
		return err_set(e, ERR_TEMP, "out of memory");
	/* The runs still to be looked at wait at the end of the room: each expunge makes one more at most. */
	from = at + count;
	memmove(v->runs + from, v->runs + at, (v->n - at) * sizeof(*v->runs));
	for (size_t n = v->n + count; from < n; from++) {
		struct view_run r = v->runs[from];
		uint32_t first = r.first;

		for (; g < count && gone[g] <= r.last; g++) {
			struct view_change *c = array_push(&v->expunged);

			*c = (struct view_change){ gone[g], r.seq + (gone[g] - r.first) };
			if (gone[g] > first)
				v->runs[at++] = (struct view_run){ first, gone[g] - 1, r.seq + (first - r.first) - removed };
			removed++;
			first = gone[g] + 1;
		}
		if (first <= r.last)
			v->runs[at++] = (struct view_run){ first, r.last, r.seq + (first - r.first) - removed };
	}
	v->n = at;
	v->count -= removed;
	v->pending.n = 0;
	/* From the last to the first: then each has the number that it had before. */
	for (size_t i = 0, n = v->expunged.n; i < n / 2; i++) {
		struct view_change *a = array_at(&v->expunged, i), *b = array_at(&v->expunged, n - 1 - i), tmp = *a;

		*a = *b;
		*b = tmp;
	}
	return 0;
}

/* From the cache and what happened since.  1, 0 when that can not be. */
static int
load_cached(struct mailbox *box, struct index_txn *t, const struct idx_state *st, bool *stale_out, struct err *e)
{
	struct view *v = &box->view;
	struct delta d = { .v = v, .gone = &v->pending, .changed = &v->flags, .gone_in_view = true };
	uint32_t before;
	bool complete;
	int rc = view_cache_get(t, box->id, v, e);

	if (rc != 1 || v->uidvalidity != st->uidvalidity || v->uidnext > st->uidnext || v->modseq > st->highestmodseq)
		return rc == -1 ? -1 : 0;
	d.modseq = v->modseq;
	if (index_changes_since(t, box->id, v->modseq, &complete, on_change, &d, e) == -1)
		return -1;
	before = v->count;
	if (!complete || d.failed || append_new(box, t, e) == -1)
		return complete ? err_set(e, ERR_TEMP, "out of memory") : 0;
	*stale_out = v->pending.n + v->flags.n + (v->count - before) > box->st->conf.cache_least / 2;
	sort_uids(&v->pending);
	if (v->pending.n > 0 && apply_expunges(v, e) == -1)
		return -1;
	return v->count == st->messages;
}

/* Where no UID is missing between the first and the last the records need not be walked. */
static int
load_uids(struct mailbox *box, struct index_txn *t, const struct idx_state *st, bool *stale_out, struct err *e)
{
	struct view *v = &box->view;
	struct loading l = { .v = v };
	uint32_t first, last;
	int rc = 0;

	*stale_out = false;
	v->n = 0;
	v->count = 0;
	if (index_uid_bounds(t, box->id, &first, &last, e) == -1)
		return -1;
	if (last > 0 && last >= first && last - first == st->messages - 1)
		return view_push(v, first, last) ? 0 : err_set(e, ERR_TEMP, "out of memory");
	if (st->messages >= box->st->conf.cache_least)
		rc = load_cached(box, t, st, stale_out, e);
	v->pending.n = v->flags.n = v->expunged.n = 0;
	if (rc != 0)
		return rc == -1 ? -1 : 0;
	*stale_out = st->messages >= box->st->conf.cache_least;
	v->n = 0;
	v->count = 0;
	if (index_each_uid(t, box->id, 1, on_load, &l, e) == -1)
		return -1;
	return l.failed ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

/* Notes for the next one how far everything is seen (0: no news), and the UIDs; not worth more than a try. */
static void
note_loaded(struct mailbox *box, const struct idx_state *seen, uint32_t unseen_from, bool uids)
{
	struct err e = ERR_INIT;
	struct index_txn *t;
	struct idx_state st;

	if (box->mode != MAILBOX_WRITE || index_write(box->store->ix, &t, &e) == -1)
		return;
	if (index_state_get(t, box->id, &st, &e) != 1 || st.highestmodseq != seen->highestmodseq ||
	    st.uidvalidity != seen->uidvalidity || (uids && view_cache_put(t, box->id, &box->view, &e) == -1)) {
		index_abort(t);
		return;
	}
	if (unseen_from != 0)
		st.unseen_from = unseen_from;
	if (index_state_put(t, &st, &e) == -1)
		index_abort(t);
	else
		index_commit(t, &e);
}

/* The UID of the first message without \Seen, 0 when there is none: usually the one that the state names. */
static int
find_unseen(struct mailbox *box, struct index_txn *t, const struct idx_state *st, struct loading *l, struct err *e)
{
	*l = (struct loading){ .v = &box->view, .box = box };
	if (box->private != NULL)
		return index_each_uid(t, box->id, 1, on_unseen, l, e);
	if (st->unseen == 0)
		return 0;
	if (index_each_uid(t, box->id, st->unseen_from, on_unseen, l, e) == -1)
		return -1;
	return l->unseen_uid != 0 ? 0 : index_each_uid(t, box->id, 1, on_unseen, l, e);
}

int
view_load(struct mailbox *box, struct err *e)
{
	struct view *v = &box->view;
	struct loading unseen;
	struct index_txn *t;
	struct idx_state st;
	bool stale, far;
	int rc;

	index_read_end(box->store->ix);
	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	if (rc == -1)
		return -1;
	if (v->recent.size == 0) {
		v->pending = ARRAY_INIT(uint32_t, VIEW_MAX);
		v->flags = ARRAY_INIT(uint32_t, VIEW_MAX);
		v->expunged = ARRAY_INIT(struct view_change, VIEW_MAX);
		v->recent = ARRAY_INIT(struct uid_range, 1000000);
	}
	if (load_uids(box, t, &st, &stale, e) == -1 || find_unseen(box, t, &st, &unseen, e) == -1)
		return -1;
	v->first_unseen = unseen.unseen_uid == 0 ? 0 : count_below(v, unseen.unseen_uid) + 1;
	v->modseq = st.highestmodseq;
	v->uidvalidity = st.uidvalidity;
	v->uidnext = st.uidnext;
	far = unseen.steps > UNSEEN_STEPS && box->private == NULL && unseen.unseen_uid != 0;
	if (far || stale)
		note_loaded(box, &st, far ? unseen.unseen_uid : 0, stale);
	take_recent(box, &st);
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

	*out = (struct view_changes){ .old_count = v->count };
	/* What can not be kept is made again when it is asked for. */
	if (mailbox_made_flush(box, e) == -1)
		*e = (struct err)ERR_INIT;
	index_read_end(box->store->ix);
	if (box->private != NULL && private_refresh(box, e) == -1)
		return -1;
	if (box->st->acl != NULL && !may_read_still(box)) {
		out->gone = true;
		return 0;
	}
	drc = mailbox_driver_sync(box, false, e);
	if (drc != DRV_OK && drc != DRV_GONE)
		return -1;
	v->flags.n = v->expunged.n = 0;
	/* Before the view moves: what it moved over is told, or lost to the client. */
	if (drc == DRV_OK && mailbox_load_keywords(box, &out->keywords_changed, e) == -1)
		return -1;
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
	out->expunged = v->expunged.p;
	out->expunged_count = v->expunged.n;
	out->flags = v->flags.p;
	out->flags_count = v->flags.n;
	out->exists_changed = v->n > 0 && v->runs[v->n - 1].last >= old_next;
	return 0;
}

/* Messages added after modseq are the last ones: a later one has a later modseq. */
static int
add_newer(struct mailbox *box, struct index_txn *t, struct delta *d, struct err *e)
{
	for (uint32_t seq = d->v->count; seq > 0 && !d->failed; seq--) {
		struct idx_message m;
		uint32_t uid = mailbox_uid(box, seq);
		int rc = index_message_get(t, box->id, uid, &m, e);

		if (rc == -1)
			return -1;
		if (rc == 1 && m.modseq <= d->modseq)
			break;
		if (rc == 1)
			push_uid(d, d->changed, uid);
	}
	sort_uids(d->changed);
	return d->failed ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

static int
uids_out(struct array *from, struct arena *a, struct uid_list *out, struct err *e)
{
	out->uids = arena_alloc(a, from->n + 1, sizeof(*out->uids));
	out->count = 0;
	if (out->uids == NULL)
		return err_set(e, ERR_LIMIT, "too many changes to tell");
	if (from->n > 0)
		memcpy(out->uids, from->p, from->n * sizeof(*out->uids));
	out->count = from->n;
	return 0;
}

int
mailbox_since(struct mailbox *box, uint64_t modseq, struct arena *a, struct mailbox_since *out, struct err *e)
{
	struct array gone = ARRAY_INIT(uint32_t, VIEW_MAX), changed = ARRAY_INIT(uint32_t, VIEW_MAX);
	struct delta d = { .v = &box->view, .modseq = modseq, .gone = &gone, .changed = &changed };
	struct index_txn *t;
	int rc = index_read(box->store->ix, &t, e);

	if (rc == 0)
		rc = collect(box, t, &d, &out->complete, e);
	if (rc == 0 && out->complete)
		rc = add_newer(box, t, &d, e);
	if (rc == 0)
		rc = uids_out(&gone, a, &out->expunged, e);
	if (rc == 0)
		rc = uids_out(&changed, a, &out->changed, e);
	array_clear(&gone);
	array_clear(&changed);
	return rc;
}

/* Those of uids that the view does not have. */
static bool
pend_missing(struct view *v, const struct uid_range *uids, size_t count)
{
	struct delta d = { .v = v };

	v->pending.n = 0;
	for (size_t i = 0, at = 0; i < count; i++) {
		uint32_t uid = uids[i].first;

		for (; at < v->n && v->runs[at].last < uid; at++)
			;
		for (size_t r = at; uid <= uids[i].last && !d.failed; r++) {
			uint32_t until = r < v->n && v->runs[r].first <= uids[i].last ? v->runs[r].first : uids[i].last + 1;

			for (; uid < until && !d.failed; uid++)
				push_uid(&d, &v->pending, uid);
			if (r < v->n && v->runs[r].last >= uid)
				uid = v->runs[r].last + 1;
		}
	}
	return !d.failed;
}

int
mailbox_view_restore(struct mailbox *box, const struct uid_range *uids, size_t count, uint32_t uidnext, uint64_t modseq,
    struct err *e)
{
	struct view *v = &box->view;

	if (uidnext == 0 || uidnext > v->uidnext)
		return err_set(e, ERR_GONE, "%s: its UIDs have begun anew", box->name);
	for (size_t i = 0; i < count; i++)
		if (uids[i].first == 0 || uids[i].first > uids[i].last || uids[i].last >= uidnext ||
		    (i > 0 && uids[i].first <= uids[i - 1].last))
			return err_set(e, ERR_SYNTAX, "malformed UIDs of a view");
	/* Expunges that it had not been told lie before modseq: what the mailbox has no more is known from its own view. */
	if (!pend_missing(v, uids, count))
		return err_set(e, ERR_TEMP, "out of memory");
	v->n = 0;
	v->count = 0;
	for (size_t i = 0; i < count; i++)
		if (!view_push(v, uids[i].first, uids[i].last))
			return err_set(e, ERR_TEMP, "out of memory");
	/* A modseq from a future that is lost: then all of it may have changed. */
	v->modseq = modseq > v->modseq ? 0 : modseq;
	v->uidnext = uidnext;
	return 0;
}

size_t
mailbox_view_runs(const struct mailbox *box, size_t at, struct uid_range *out, size_t room)
{
	const struct view *v = &box->view;
	size_t n = 0;

	for (; n < room && at + n < v->n; n++)
		out[n] = (struct uid_range){ v->runs[at + n].first, v->runs[at + n].last };
	return n;
}

uint32_t
mailbox_count(const struct mailbox *box)
{
	return box->view.count;
}

uint32_t
mailbox_uid(const struct mailbox *box, uint32_t seq)
{
	const struct view *v = &box->view;
	size_t lo = 0, hi = v->n;

	if (seq == 0 || seq > v->count)
		return 0;
	/* The last run that begins with seq or below. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->runs[mid].seq <= seq)
			lo = mid;
		else
			hi = mid;
	}
	return v->runs[lo].first + (seq - v->runs[lo].seq);
}

uint32_t
mailbox_seq(const struct mailbox *box, uint32_t uid)
{
	return view_has(&box->view, uid) ? count_below(&box->view, uid) + 1 : 0;
}

uint32_t
mailbox_seq_from(const struct mailbox *box, uint32_t uid)
{
	return count_below(&box->view, uid) + 1;
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

		recent += count_below(v, r->last == UINT32_MAX ? r->last : r->last + 1) - count_below(v, r->first);
	}
	*out = (struct mailbox_view_state){
		.uidvalidity = v->uidvalidity, .uidnext = v->uidnext, .recent = recent,
		.first_unseen = v->first_unseen, .mailbox_id = box->id, .highestmodseq = v->modseq,
	};
}
