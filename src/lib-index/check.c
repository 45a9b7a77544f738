/* SPDX-License-Identifier: MIT */
/* A pass over each database, in the order of its keys: all but two are ordered by mailbox, and so is the list of what was found. */
#include "lib-index/check-priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib-mail/summary.h"

#define TOLD_MAX 20	/* lines about one mailbox; the rest is counted */

static bool
room_for(void **p, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap == 0 ? 64 : *cap * 2;
	void *q;

	if (n < *cap)
		return true;
	q = realloc(*p, more * size);
	if (q == NULL)
		return false;
	*p = q;
	*cap = more;
	return true;
}

/* The name that leads to b, when its state can not say. */
static struct span
name_leading_to(struct check *c, const struct box_check *b, char room[INDEX_NAME_MAX])
{
	struct span name = SPAN_NONE, value;
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(c->txn, c->env->dbi[DB_MAILBOX], &cursor);

	if (rc != 0)
		return SPAN_NONE;
	while (name.n == 0 && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		value = span_of(v.mv_data, v.mv_size);
		if (k.mv_size > INDEX_NAME_MAX || !idx_value_open(DB_MAILBOX, span_of(k.mv_data, k.mv_size), &value) ||
		    value.n != 4 || be32_get(value.p) != b->id)
			continue;
		memcpy(room, k.mv_data, k.mv_size);
		name = span_of(room, k.mv_size);
	}
	mdb_cursor_close(cursor);
	return name;
}

struct span
check_name(struct check *c, const struct box_check *b, char room[INDEX_NAME_MAX])
{
	char key[IDX_KEY_ID];
	MDB_val k = { sizeof(key), key }, v;
	struct idx_state st;
	struct span value;

	be32_put(key, b->id);
	if (mdb_get(c->txn, c->env->dbi[DB_STATE], &k, &v) != 0)
		return SPAN_NONE;
	value = span_of(v.mv_data, v.mv_size);
	if (!idx_value_open(DB_STATE, span_of(key, sizeof(key)), &value) ||
	    !idx_state_unpack(span_of(key, sizeof(key)), value, &st))
		return name_leading_to(c, b, room);
	memcpy(room, st.name, st.name_n);
	return span_of(room, st.name_n);
}

static void found(struct check *c, struct box_check *b, unsigned what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
found(struct check *c, struct box_check *b, unsigned what, const char *fmt, ...)
{
	char text[200], room[INDEX_NAME_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->v.findings++;
	if (b != NULL) {
		b->bad |= what;
		if (b->findings++ == 0)
			snprintf(b->first, sizeof(b->first), "%s", text);
		if (b->findings > TOLD_MAX)
			return;
	}
	if (c->on_finding != NULL)
		c->on_finding(c->ctx, b == NULL ? SPAN_NONE : check_name(c, b, room), text);
}

static struct box_check *
box_at(struct check *c, uint32_t id)
{
	size_t lo = 0, hi = c->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->boxes[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->count && c->boxes[lo].id == id ? &c->boxes[lo] : NULL;
}

static bool
has_uid(const struct check *c, const struct box_check *b, uint32_t uid)
{
	size_t lo = b->uids_at, hi = b->uids_at + b->uids_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->uids_at + b->uids_n && c->uids[lo] == uid;
}

/* Sums of these over two sets are the same when the sets are. */
static uint64_t
change_hash(uint64_t modseq, uint32_t uid)
{
	uint64_t h = (modseq ^ (uint64_t)uid << 40) * 0x9fb21c651e98df25u;

	h = (h ^ h >> 29 ^ uid) * 0xd1342543de82ef95u;
	return h ^ h >> 32;
}

static void
on_state(struct check *c, struct span key, struct span value, bool sound)
{
	struct box_check *b;
	struct idx_state st;

	if (key.n != IDX_KEY_ID) {
		found(c, NULL, 0, "the key of a mailbox's state is damaged");
		return;
	}
	if (!room_for((void **)&c->boxes, c->count, &c->cap, sizeof(*b))) {
		c->no_memory = true;
		return;
	}
	b = &c->boxes[c->count++];
	*b = (struct box_check){ .id = be32_get(key.p) };
	if (!sound || !idx_state_unpack(key, value, &st)) {
		found(c, b, BAD_STATE, "the state of mailbox %u is damaged", b->id);
		return;
	}
	b->known = true;
	memcpy(&b->is, &st, offsetof(struct idx_state, name));
	c->v.mailboxes++;
	if (st.recent_uid > st.uidnext)
		found(c, b, BAD_NUMBERS, "\\Recent begins with UID %u, above uidnext %u", st.recent_uid, st.uidnext);
}

static void
on_mailbox(struct check *c, struct span key, struct span value, bool sound)
{
	char room[INDEX_NAME_MAX];
	struct box_check *b = sound && value.n == 4 ? box_at(c, be32_get(value.p)) : NULL;

	if (b == NULL || !b->known)
		found(c, NULL, 0, "the name %.*s leads to no mailbox", SPAN_ARG(key));
	else if (!span_eq(check_name(c, b, room), key))
		found(c, b, BAD_NAME, "the name %.*s leads to it as well", SPAN_ARG(key));
	else
		b->named = true;
}

static void
on_message(struct check *c, struct box_check *b, struct span key, struct span value, bool sound)
{
	uint32_t uid = key.n == IDX_KEY_MESSAGE ? be32_get(key.p + 4) : 0;
	struct idx_message m;
	uint64_t physical;

	if (uid == 0 || !sound || !idx_message_unpack(value, &m)) {
		b->lost++;
		found(c, b, BAD_MESSAGES, "the record of message %u is damaged", uid);
		return;
	}
	if (!room_for((void **)&c->uids, c->uids_n, &c->uids_cap, sizeof(*c->uids))) {
		c->no_memory = true;
		return;
	}
	if (b->uids_n++ == 0)
		b->uids_at = c->uids_n;
	c->uids[c->uids_n++] = uid;
	c->v.messages++;
	b->messages++;
	b->unseen += (m.flags & IDX_SEEN) == 0;
	b->deleted += (m.flags & IDX_DELETED) != 0;
	b->dirty += (m.bits & IDX_DIRTY) != 0;
	b->unsized += m.size == IDX_SIZE_UNKNOWN;
	b->bytes += m.size == IDX_SIZE_UNKNOWN ? 0 : m.size;
	physical = m.physical_size == IDX_SIZE_UNKNOWN ? 0 : m.physical_size;
	b->physical += physical;
	b->unsized_bytes += m.size == IDX_SIZE_UNKNOWN ? physical : 0;
	b->last_uid = uid;
	if (m.modseq > b->last_modseq)
		b->last_modseq = m.modseq;
	if (m.bits & IDX_CHANGED)
		b->changed_sum += change_hash(m.modseq, uid);
}

static void
on_change(struct check *c, struct box_check *b, struct span key, struct span value, bool sound)
{
	uint64_t modseq = key.n == IDX_KEY_CHANGE ? be64_get(key.p + 4) : 0;
	uint32_t uid = key.n == IDX_KEY_CHANGE ? be32_get(key.p + 12) : 0;

	if (modseq == 0 || !sound || !idx_entry_is_valid(DB_CHANGE, key, value)) {
		found(c, b, BAD_LOG, "an entry of the log of changes is damaged");
		return;
	}
	if (modseq > b->last_modseq)
		b->last_modseq = modseq;
	if (modseq <= b->is.pruned_to || uid >= b->is.uidnext)
		found(c, b, BAD_LOG, "the log of changes has UID %u at modseq %llu, which can not be", uid,
		    (unsigned long long)modseq);
	if (value.p[0] == IDX_CHANGE_FLAGS) {
		b->logged_sum += change_hash(modseq, uid);
		return;
	}
	b->tombstones++;
	if (has_uid(c, b, uid))
		found(c, b, BAD_LOG, "the log of changes has UID %u as expunged, and it is there", uid);
}

static void
on_summary(struct check *c, struct box_check *b, struct span key, struct span value, bool sound)
{
	uint32_t uid = key.n == IDX_KEY_MESSAGE ? be32_get(key.p + 4) : 0;

	c->v.summaries++;
	if (!sound || !idx_entry_is_valid(DB_SUMMARY, key, value))
		found(c, b, BAD_SUMMARIES, "the summary of message %u is damaged", uid);
	else if (!has_uid(c, b, uid))
		found(c, b, BAD_SUMMARIES, "there is a summary of message %u, and no such message", uid);
}

static void
on_entry(struct check *c, struct box_check *b, struct span key, struct span value, bool sound)
{
	switch (c->db) {
	case DB_STATE:
		on_state(c, key, value, sound);
		break;
	case DB_MAILBOX:
		on_mailbox(c, key, value, sound);
		break;
	case DB_MESSAGE:
		on_message(c, b, key, value, sound);
		break;
	case DB_CHANGE:
		on_change(c, b, key, value, sound);
		break;
	case DB_SUMMARY:
		on_summary(c, b, key, value, sound);
		break;
	case DB_KEYWORD:
		if (!sound || !idx_entry_is_valid(DB_KEYWORD, key, value))
			found(c, b, BAD_KEYWORDS, "the names of its keywords are damaged");
		break;
	case DB_META:
		if (!sound && !span_eq(key, SPAN("version")))
			found(c, NULL, 0, "the value of %.*s is damaged", SPAN_ARG(key));
		break;
	case DB_COUNT:
		break;
	}
}

/* Once for each mailbox that has entries but no state: a deletion that did not come to its end, or a state that was lost. */
static void
on_stray(struct check *c, uint32_t id)
{
	if (c->strays_n > 0 && c->strays[c->strays_n - 1] == id)
		return;
	for (size_t i = 0; i < c->strays_n; i++)
		if (c->strays[i] == id)
			return;
	if (!room_for((void **)&c->strays, c->strays_n, &c->strays_cap, sizeof(*c->strays))) {
		c->no_memory = true;
		return;
	}
	c->strays[c->strays_n++] = id;
	found(c, NULL, 0, "there are entries of mailbox %u, and no such mailbox", id);
}

/* Keys must ascend, and be as many as the tree says. */
static bool
pass(void *ctx)
{
	struct check *c = ctx;
	bool by_box = c->db != DB_META && c->db != DB_MAILBOX;
	char last[512], from[IDX_KEY_ID];
	size_t last_n = 0, steps = 0, at = 0;
	MDB_stat st;
	MDB_val k = { sizeof(from), from }, v;
	int rc;

	if (mdb_stat(c->txn, c->env->dbi[c->db], &st) != 0 || mdb_cursor_open(c->txn, c->env->dbi[c->db], &c->cursor) != 0)
		return false;
	be32_put(from, c->only);
	for (rc = mdb_cursor_get(c->cursor, &k, &v, c->only != 0 && by_box ? MDB_SET_RANGE : MDB_FIRST); rc == 0 &&
	    !c->no_memory; rc = mdb_cursor_get(c->cursor, &k, &v, MDB_NEXT)) {
		struct span key = span_of(k.mv_data, k.mv_size), value = span_of(v.mv_data, v.mv_size);
		bool sound;
		uint32_t id;

		if (++steps > st.ms_entries || key.n == 0 || key.n > 511 ||
		    (last_n > 0 && span_cmp(span_of(last, last_n), key) >= 0))
			return false;
		memcpy(last, key.p, key.n);
		last_n = key.n;
		if (by_box && key.n < IDX_KEY_ID) {
			found(c, NULL, 0, "there is a key in \"%s\" that can not be", index_db_names[c->db]);
			continue;
		}
		id = by_box ? be32_get(key.p) : 0;
		if (by_box && c->only != 0 && id != c->only)
			return true;
		sound = idx_value_open(c->db, key, &value);
		if (!by_box && c->only != 0 && (value.n != 4 || be32_get(value.p) != c->only))
			continue;
		if (!by_box || c->db == DB_STATE) {
			on_entry(c, NULL, key, value, sound);
			continue;
		}
		while (at < c->count && c->boxes[at].id < id)
			at++;
		if (at == c->count || c->boxes[at].id != id)
			on_stray(c, id);
		else if (c->boxes[at].known)
			on_entry(c, &c->boxes[at], key, value, sound);
	}
	return rc == MDB_NOTFOUND && (steps == st.ms_entries || (c->only != 0 && by_box));
}

static void
conclude(struct check *c, struct box_check *b)
{
	const struct idx_state *s = &b->is;

	if (!b->known)
		return;
	if (!b->named)
		found(c, b, BAD_NAME, "its name does not lead to it");
	if (s->messages != b->messages)
		found(c, b, BAD_COUNTS, "it counts %u messages, and has %u", s->messages, b->messages);
	else if (s->unseen != b->unseen || s->deleted != b->deleted || s->unsized != b->unsized || s->bytes != b->bytes)
		found(c, b, BAD_COUNTS, "its counts (unseen %u, deleted %u, octets %llu) should be %u, %u, %llu", s->unseen,
		    s->deleted, (unsigned long long)s->bytes, b->unseen, b->deleted, (unsigned long long)b->bytes);
	else if (s->physical != b->physical || s->unsized_bytes != b->unsized_bytes)
		found(c, b, BAD_COUNTS, "it counts %llu octets as stored, and has %llu", (unsigned long long)s->physical,
		    (unsigned long long)b->physical);
	else if (s->dirty != b->dirty)
		found(c, b, BAD_COUNTS, "it counts %u messages with flags to be written, and has %u", s->dirty, b->dirty);
	if (b->last_uid >= s->uidnext)
		found(c, b, BAD_NUMBERS, "it has UID %u, and uidnext is %u", b->last_uid, s->uidnext);
	if (b->last_modseq > s->highestmodseq)
		found(c, b, BAD_NUMBERS, "it has modseq %llu, and the highest should be %llu",
		    (unsigned long long)b->last_modseq, (unsigned long long)s->highestmodseq);
	if (b->changed_sum != b->logged_sum)
		found(c, b, BAD_LOG, "the log of changes and the messages do not agree");
	if (s->tombstones != b->tombstones)
		found(c, b, BAD_LOG, "it counts %u expunges in the log of changes, which has %u", s->tombstones, b->tombstones);
}

bool
check_run(struct check *c)
{
	static const enum idx_db order[] = { DB_META, DB_STATE, DB_MAILBOX, DB_MESSAGE, DB_CHANGE, DB_SUMMARY, DB_KEYWORD };
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof(order) / sizeof(order[0]); i++) {
		c->db = order[i];
		if (c->only != 0 && c->db == DB_META)
			continue;
		ok = index_run_guarded(pass, c) && !c->no_memory;
		if (c->cursor != NULL)
			mdb_cursor_close(c->cursor);
		c->cursor = NULL;
	}
	if (!ok && !c->no_memory) {
		c->v.pages = true;
		found(c, NULL, 0, "pages of \"%s\" are damaged", index_db_names[c->db]);
	}
	for (size_t i = 0; ok && i < c->count; i++)
		conclude(c, &c->boxes[i]);
	return ok;
}

void
check_clear(struct check *c)
{
	free(c->boxes);
	free(c->uids);
	free(c->strays);
	c->boxes = NULL;
	c->uids = c->strays = NULL;
	c->count = c->cap = c->uids_n = c->uids_cap = c->strays_n = c->strays_cap = 0;
}

int
index_verify(struct index *ix, uint32_t id, index_finding_fn *on_finding, void *ctx, struct index_verdict *out,
    struct err *e)
{
	struct index_txn *t;
	struct check c = { .only = id, .on_finding = on_finding, .ctx = ctx };
	bool ok;

	index_read_end(ix);
	if (index_read(ix, &t, e) == -1)
		return -1;
	c.env = ix->env;
	c.txn = t->txn;
	ok = check_run(&c);
	if (ok && id == 0 && !index_free_list_is_sound(ix->env)) {
		c.v.pages = true;
		found(&c, NULL, 0, "the list of free pages is damaged");
	}
	*out = c.v;
	check_clear(&c);
	index_read_end(ix);
	return c.no_memory ? err_set(e, ERR_TEMP, "out of memory") : 0;
}
