/* SPDX-License-Identifier: MIT */
/*
 * What changes in the file: the fields that clients do not see (UID, flags, keywords, X-IMAPbase), written before the others
 * in a message's header, and messages that go.  Where new fields take the room of the old ones, since these had spaces to
 * spare, they are written over them, and nothing moves; else what is behind moves, by the journal.
 *
 * X-IMAPbase is in the first message, or in a pseudo message before it: when the first one goes, the next gets it.
 *
 * The file first, then the index.  A crash between the two: the next sync reads the file, and finds each message by its UID.
 */
#include "lib-storage/mbox/mbox.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"

#define ITEMS_MAX MBOX_MESSAGES_MAX
#define SEGS_MAX 20000000u
#define DATA_MAX ((size_t)2 << 30)
#define SPARE_MOST 512		/* more room than this is given back */
#define LINE_ENDS 4		/* octets of those put behind a message that had none */
#define BEHIND_WAIT_MS 2000	/* others may have the file locked: then later */

struct item {
	struct mbox_msg m;	/* uid 0: the pseudo message */
	uint64_t to;		/* its new place */
	uint32_t new_hdr_len;
	uint8_t bits;
	bool gone, wrote, plain;	/* wrote: it has a new header; plain: without a blank line before */
	bool gap;			/* those between it and the next were left out: they must stay where they are */
};

struct rewriting {
	struct mbox_box *box;
	struct array items;
	struct mbox_plan plan;
	struct mbox_keywords kw;
	struct idx_state st;
	struct buf header;
	struct arena *a;
};

static struct item *
item_at(const struct rewriting *w, size_t i)
{
	return array_at(&w->items, i);
}

/* ---- what there is ---- */

static bool
needs_header(const struct rewriting *w, uint32_t uid, uint8_t bits)
{
	return bits & (IDX_DIRTY | IDX_NEW) || (uid < w->st.recent_uid && uid >= w->st.stamp[1].nsec);
}

static int
load_item(struct rewriting *w, struct index_txn *t, uint32_t uid, struct err *e)
{
	struct item *it = array_push(&w->items);
	struct idx_message m;
	int rc = it == NULL ? err_set(e, ERR_LIMIT, "%s: too many messages", w->box->path) :
	    index_message_get(t, w->box->id, uid, &m, e);

	if (rc == 1 && !mbox_place_parse(m.name, &it->m))
		rc = err_set(e, ERR_CORRUPT, "index: the place of message %u of %s is damaged", uid, w->box->name);
	if (rc != 1)
		return -1;
	it->m.uid = uid;
	it->m.flags = m.flags;
	it->m.keywords = m.keywords;
	it->bits = m.bits;
	it->new_hdr_len = it->m.hdr_len;
	return 1;
}

/*
 * The messages that change: mostly few in a large file, and what is before the first that goes stays where it is, if the new
 * headers have room.  all: all of them, since it does not.
 */
static int
load_items(struct rewriting *w, const struct box_change *c, bool all, struct err *e)
{
	struct index_txn *t;
	struct index_walk walk = { 0 };
	size_t next = 0;
	int rc = index_read(w->box->store->ix, &t, e);

	w->items.n = 0;
	mbox_keywords_clear(&w->kw);

	if (rc == 0)
		rc = index_state_get(t, w->box->id, &w->st, e);
	if (rc == 0)
		err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", w->box->name);
	rc = rc != 1 || mbox_keywords_load(&w->kw, w->box, t, e) == -1 || index_walk_begin(&walk, t, w->box->id, 1, e) == -1 ?
	    -1 : 1;
	walk.brief = true;
	while (rc == 1 && (rc = index_walk_next(&walk, e)) == 1) {
		struct item *it;

		if (!all && w->items.n > 0 && !needs_header(w, walk.uid, walk.m.bits) &&
		    (c->expunge_count == 0 || walk.uid < c->expunges[0])) {
			it = array_at(&w->items, w->items.n - 1);
			it->gap = true;
			continue;
		}
		if (load_item(w, t, walk.uid, e) == -1) {
			rc = -1;
			break;
		}
		it = array_at(&w->items, w->items.n - 1);
		while (next < c->expunge_count && c->expunges[next] < walk.uid)
			next++;
		it->gone = next < c->expunge_count && c->expunges[next] == walk.uid;
	}
	index_walk_end(&walk);
	index_read_end(w->box->store->ix);
	return rc == -1 ? -1 : 0;
}

/* ---- new headers ---- */

/*
 * The new header of a message into w->header.  1: it is another than the old, 0: the same, -1.  base: it carries X-IMAPbase.
 */
static int
make_header(struct rewriting *w, struct item *it, bool base, struct err *e)
{
	struct buf old = BUF_INIT(MBOX_HEADER_MAX + 1);
	struct mbox_header h;
	struct mbox_fields f = { .uid = it->m.uid, .keyword_names = w->kw.name, .keyword_count = w->kw.count,
		.flags = it->m.flags, .keywords = it->m.keywords };
	size_t min, was;
	int rc;

	if (!buf_grow(&old, it->m.hdr_len + 1u))
		return err_set(e, ERR_TEMP, "out of memory");
	rc = mbox_pread(w->box, old.p, it->m.hdr_len, it->m.off + it->m.from_len, e);
	old.n = it->m.hdr_len;
	if (rc == 0) {
		mbox_header_parse(buf_span(&old), true, &h);
		f.crlf = h.crlf;
		f.old = h.old || it->m.uid < w->st.recent_uid;
		f.has_length = h.has_length && h.content_length == it->m.body_len;
		f.content_length = h.content_length;
		f.pseudo = it->m.uid == 0;
		if (base) {
			f.uidvalidity = w->st.uidvalidity;
			f.last_uid = w->st.uidnext - 1;
		}
		was = h.length - h.visible;
		buf_reset(&w->header);
		mbox_fields_write(&w->header, &f, 1);
		min = w->header.n;
		buf_reset(&w->header);
		mbox_fields_write(&w->header, &f, min <= was && was - min <= SPARE_MOST ? was : 0);
		mbox_header_visible(buf_span(&old), &w->header);
		/* A header that only the next message ends gets its blank line, or what follows would be lost in it. */
		it->plain = !h.ended && it->m.hdr_len < MBOX_HEADER_MAX / 2;
		if (it->plain && w->header.n > 0 && w->header.p[w->header.n - 1] != '\n')
			buf_adds(&w->header, f.crlf ? "\r\n" : "\n");
		if (it->plain)
			buf_adds(&w->header, f.crlf ? "\r\n" : "\n");
		if (w->header.failed || w->header.n > MBOX_HEADER_MAX)
			rc = err_set(e, ERR_LIMIT, "%s: a header is too large", w->box->path);
		else
			rc = !span_eq(buf_span(&w->header), buf_span(&old));
	}
	buf_clear(&old);
	return rc;
}

/* ---- the plan ---- */

static int
plan_copy(struct rewriting *w, uint64_t from, uint64_t to, uint64_t n, struct err *e)
{
	struct mbox_segment *s = w->plan.segs.n == 0 ? NULL : array_at(&w->plan.segs, w->plan.segs.n - 1);

	if (n == 0 || from == to)	/* it stays */
		return 0;
	if (s != NULL && !s->is_data && s->from + s->n == from && s->to + s->n == to) {
		s->n += n;
		return 0;
	}
	s = array_push(&w->plan.segs);
	if (s == NULL)
		return err_set(e, ERR_LIMIT, "%s: too many messages change at once", w->box->path);
	*s = (struct mbox_segment){ .from = from, .to = to, .n = n };
	return 0;
}

static int
plan_data(struct rewriting *w, uint64_t to, struct span data, struct err *e)
{
	struct mbox_segment *s = array_push(&w->plan.segs);

	if (s != NULL)
		*s = (struct mbox_segment){ .to = to, .n = data.n, .data_at = (uint32_t)w->plan.data.n, .is_data = true };
	buf_add(&w->plan.data, data);
	return s == NULL || w->plan.data.failed ? err_set(e, ERR_LIMIT, "%s: too much changes at once", w->box->path) : 0;
}

/*
 * One message to its new place; *to moves behind it.  All goes with it up to `end', where the next one begins: line ends may
 * have been put in there, behind a message whose last line had none.
 */
static int
plan_item(struct rewriting *w, struct item *it, bool base, uint64_t end, uint64_t *to, struct err *e)
{
	uint64_t header_at = it->m.off + it->m.from_len, body_at = header_at + it->m.hdr_len;
	int changed = 0;

	it->to = *to;
	if (base || needs_header(w, it->m.uid, it->bits))
		changed = make_header(w, it, base, e);
	if (changed == -1 || plan_copy(w, it->m.off, *to, it->m.from_len, e) == -1)
		return -1;
	*to += it->m.from_len;
	it->wrote = changed == 1;
	if (changed == 1) {
		it->new_hdr_len = (uint32_t)w->header.n;
		if (plan_data(w, *to, buf_span(&w->header), e) == -1)
			return -1;
	} else if (plan_copy(w, header_at, *to, it->m.hdr_len, e) == -1) {
		return -1;
	}
	*to += it->new_hdr_len;
	if (end < body_at)
		return err_set(e, ERR_CORRUPT, "index: messages of %s lie one over the other", w->box->name);
	if (plan_copy(w, body_at, *to, end - body_at, e) == -1)
		return -1;
	*to += end - body_at;
	return 0;
}

/* What stands before the first message: a pseudo message, or blank lines. */
static int
plan_front(struct rewriting *w, uint64_t *to, bool *has_pseudo, struct err *e)
{
	uint64_t first = w->items.n > 0 ? item_at(w, 0)->m.off : w->plan.old_size;
	struct mbox_reading r;
	int rc = 0;

	*to = first;
	*has_pseudo = false;
	if (first == 0)
		return 0;
	mbox_reading_init(&r);
	if (mbox_read(w->box, 0, first, &r, e) == -1) {
		e->code = ERR_NONE;		/* blank lines alone */
	} else if (r.pseudo) {
		struct item it = { .m = r.first };

		*has_pseudo = true;
		it.m.uid = 0;
		it.m.flags = r.first.flags;
		it.new_hdr_len = it.m.hdr_len;
		*to = it.m.off;
		rc = plan_item(w, &it, true, first, to, e);
	}
	mbox_reading_clear(&r);
	return rc;
}

/* 1: something moves that was left out, and all must be known. */
static int
make_plan(struct rewriting *w, struct err *e)
{
	bool has_base;
	uint64_t to;

	w->plan.segs.n = 0;
	buf_reset(&w->plan.data);
	if (plan_front(w, &to, &has_base, e) == -1)
		return -1;
	for (size_t i = 0; i < w->items.n; i++) {
		struct item *it = item_at(w, i);

		uint64_t end = i + 1 < w->items.n ? item_at(w, i + 1)->m.off : w->plan.old_size, own = mbox_msg_end(&it->m);

		if (it->gone) {
			/* What is more than line ends is mail that the index does not know: it is nobody's to remove. */
			if (end <= own + LINE_ENDS)
				continue;
			if (plan_copy(w, own, to, end - own, e) == -1)
				return -1;
			to += end - own;
			continue;
		}
		if (plan_item(w, it, !has_base, end, &to, e) == -1)
			return -1;
		if (it->gap && to != end)
			return 1;
		has_base = true;
	}
	w->plan.new_size = to;
	return 0;
}

/* ---- the index ---- */

static int
record(struct rewriting *w, struct index_txn *t, struct idx_state *st, struct box_change *c, struct err *e)
{
	struct array seen = ARRAY_INIT(struct change_seen, ITEMS_MAX);
	int rc = 0;

	for (size_t i = 0; i < w->items.n && rc == 0; i++) {
		struct item *it = item_at(w, i);
		char room[MBOX_PLACE_MAX];
		struct mbox_msg m = it->m;
		struct change_seen *s;
		bool clean = needs_header(w, it->m.uid, it->bits);

		if (it->gone || (!clean && !it->wrote && it->to == m.off))
			continue;
		s = array_push(&seen);
		if (s == NULL || index_message_get(t, w->box->id, m.uid, &s->rec, e) != 1) {
			rc = s == NULL ? err_set(e, ERR_TEMP, "out of memory") : -1;
			break;
		}
		m.off = it->to;
		m.hdr_len = it->new_hdr_len;
		s->uid = m.uid;
		s->rec.name = arena_dup(w->a, mbox_place_write(room, &m));
		if (s->rec.bits & IDX_UIDL)
			s->rec.uidl = arena_dup(w->a, s->rec.uidl);
		/* Flags that were changed while we wrote wait for the next time. */
		if (clean && s->rec.flags == m.flags && s->rec.keywords == m.keywords)
			s->rec.bits &= (uint8_t)~IDX_DIRTY;
		if (clean)
			s->rec.bits &= (uint8_t)~IDX_NEW;
		if (it->wrote && it->plain) {
			s->rec.physical_size = IDX_SIZE_UNKNOWN;
			s->rec.size = IDX_SIZE_UNKNOWN;
			s->rec.bits &= (uint8_t)~IDX_DIGEST;
		}
		if (s->rec.name.p == NULL)
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	c->seen = seen.p;
	c->seen_count = seen.n;
	st->dev = 0;
	st->stamp[1].nsec = w->st.recent_uid;
	if (rc == 0)
		rc = mbox_stamp_set(w->box, st, e);
	if (rc == 0)
		rc = index_apply(t, c, st, e);
	c->seen = NULL;
	c->seen_count = 0;
	array_clear(&seen);
	return rc;
}

/*
 * With the lock for writing, the index as the file is.  c: messages that go; its answers are filled in.
 */
enum drv_rc
mbox_rewrite(struct mbox_box *box, struct box_change *c, struct err *e)
{
	struct rewriting w = { .box = box, .items = ARRAY_INIT(struct item, ITEMS_MAX), .header = BUF_INIT(MBOX_HEADER_MAX * 2),
		.plan = { .segs = ARRAY_INIT(struct mbox_segment, SEGS_MAX), .data = BUF_INIT(DATA_MAX) } };
	struct index_txn *t;
	struct idx_state st;
	struct stat sb;
	enum drv_rc drc;
	int rc = fstat(box->fd, &sb) == -1 ? err_errno(e, "stat %s", box->path) : 0;

	w.a = arena_new(SIZE_MAX / 2);
	if (w.a == NULL)
		rc = err_set(e, ERR_TEMP, "out of memory");
	w.plan.old_size = (uint64_t)sb.st_size;
	for (int all = 0; all < 2 && rc != -1; all++) {
		rc = load_items(&w, c, all != 0, e) == -1 ? -1 : make_plan(&w, e);
		if (rc == 0)
			break;
	}
	/* Room for the change's MODSEQ, before anything is done. */
	drc = rc == -1 ? mbox_rc(e) : mbox_has_room(&w.st, 0) ? DRV_OK : mbox_reserve(box, 0, e);
	if (drc == DRV_OK && mbox_plan_run(box, &w.plan, e) == -1)
		drc = mbox_rc(e);
	if (drc == DRV_OK)
		drc = mbox_begin(box, 0, &t, &st, e);
	if (drc == DRV_OK) {
		if (record(&w, t, &st, c, e) == -1) {
			index_abort(t);
			drc = mbox_rc(e);
		} else if (index_commit(t, e) == -1) {
			drc = mbox_rc(e);
		}
	}
	array_clear(&w.items);
	array_clear(&w.plan.segs);
	buf_clear(&w.plan.data);
	buf_clear(&w.header);
	mbox_keywords_clear(&w.kw);
	arena_free(w.a);
	return drc;
}

static bool
is_pending(const struct idx_state *st)
{
	return st->dirty > 0 || st->dev != 0 || st->stamp[1].nsec < st->recent_uid || st->bits & IDX_STATE_UNSCANNED;
}

enum drv_rc
mbox_write_behind(struct mbox_box *box, int wait_ms, struct err *e)
{
	struct box_change c = { .id = box->id };
	struct index_txn *t;
	struct idx_state st;
	enum drv_rc drc;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);

	index_read_end(box->store->ix);
	box->due = false;
	if (rc != 1 || !is_pending(&st) || box->readonly || index_is_private(box->store->ix))
		return rc == -1 ? mbox_rc(e) : DRV_OK;
	if (mbox_lock(box, MBOX_WRITE, wait_ms, e) == -1) {
		/* Another program works on it, or nobody may: the index keeps what is to be written. */
		box->due = e->code == ERR_INUSE;
		if (wait_ms < 0 || (e->code != ERR_INUSE && e->code != ERR_DENIED))
			return mbox_rc(e);
		e->code = ERR_NONE;
		return DRV_OK;
	}
	drc = mbox_sync_locked(box, false, &st, e);
	if (drc == DRV_OK)
		drc = mbox_rewrite(box, &c, e);
	mbox_unlock(box);
	return drc;
}

enum drv_rc
mbox_maintain(void *b, struct err *e)
{
	struct mbox_box *box = b;
	struct index_txn *t;
	struct idx_state st;
	enum drv_rc drc = mbox_write_behind(box, BEHIND_WAIT_MS, e);
	int rc;

	if (drc != DRV_OK)
		return drc;
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	index_read_end(box->store->ix);
	if (rc != 1 || st.tombstones <= MBOX_TOMBSTONES_MAX)
		return rc == -1 ? mbox_rc(e) : DRV_OK;
	drc = mbox_begin(box, 0, &t, &st, e);
	if (drc != DRV_OK)
		return drc;
	if (index_prune(t, &st, MBOX_TOMBSTONES_MAX, e) == -1) {
		index_abort(t);
		return mbox_rc(e);
	}
	return index_commit(t, e) == 0 ? DRV_OK : mbox_rc(e);
}

bool
mbox_is_due(void *b)
{
	struct mbox_box *box = b;

	return box->due && !index_is_private(box->store->ix);
}
