/* SPDX-License-Identifier: MIT */
#include "lib-index/change.h"
#include "lib-index/total.h"

#define PURGE_BATCH 20000	/* records in one transaction */

struct apply {
	struct index_txn *t;
	struct box_change *c;
	struct idx_state *st;
	struct index_cursor *messages;
	uint64_t modseq;	/* 0: not taken yet */
	struct err *e;
};

void
index_count(struct idx_state *st, uint32_t uid, const struct idx_message *m, int sign)
{
	uint32_t one = (uint32_t)sign;		/* adding 2^32 - 1 takes one away */
	uint64_t physical = m->physical_size == IDX_SIZE_UNKNOWN ? 0 : m->physical_size;

	if (sign > 0 && !(m->flags & IDX_SEEN) && (st->unseen == 0 || uid < st->unseen_from))
		st->unseen_from = uid;
	st->physical += sign > 0 ? physical : -physical;
	st->messages += one;
	if (!(m->flags & IDX_SEEN))
		st->unseen += one;
	if (m->flags & IDX_DELETED)
		st->deleted += one;
	if (m->bits & IDX_DIRTY)
		st->dirty += one;
	if (m->size == IDX_SIZE_UNKNOWN) {
		st->unsized += one;
		st->unsized_bytes += sign > 0 ? physical : -physical;
	} else {
		st->bytes += sign > 0 ? m->size : -m->size;
	}
}

static uint64_t
take_modseq(struct apply *a)
{
	if (a->modseq == 0)
		a->modseq = ++a->st->highestmodseq;
	return a->modseq;
}

static int
log_put(struct apply *a, uint32_t uid, enum idx_change what)
{
	char key[IDX_KEY_CHANGE], value = (char)what;

	idx_key_change(key, a->st->id, a->modseq, uid);
	return index_put(a->t, DB_CHANGE, span_of(key, sizeof(key)), span_of(&value, 1), a->e);
}

static int
log_del(struct apply *a, uint32_t uid, const struct idx_message *m)
{
	char key[IDX_KEY_CHANGE];

	if (!(m->bits & IDX_CHANGED))
		return 0;
	idx_key_change(key, a->st->id, m->modseq, uid);
	return index_del(a->t, DB_CHANGE, span_of(key, sizeof(key)), a->e);
}

static int
find(struct apply *a, uint32_t uid, struct idx_message *m)
{
	char key[IDX_KEY_MESSAGE];
	struct span v;
	int rc;

	idx_key_message(key, a->st->id, uid);
	rc = index_cursor_find(a->messages, span_of(key, sizeof(key)), &v, a->e);
	if (rc == 1 && !idx_message_unpack(v, m)) {
		index_mark_suspect(index_txn_index(a->t));
		return err_set(a->e, ERR_CORRUPT, "index: the record of message %u is damaged", uid);
	}
	return rc;
}

/* The entry the cursor stands on.  m may point into its old value. */
static int
replace(struct apply *a, uint32_t uid, const struct idx_message *m)
{
	char key[IDX_KEY_MESSAGE], room[IDX_MESSAGE_MAX];

	idx_key_message(key, a->st->id, uid);
	return index_cursor_replace(a->messages, span_of(key, sizeof(key)), span_of(room, idx_message_pack(room, m)), a->e);
}

static bool
is_touched(const struct change_flags *f, uint32_t uid)
{
	size_t lo = 0, hi = f->touch_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->touch[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->touch_count && f->touch[lo] == uid;
}

static int
apply_flags_one(struct apply *a, struct change_flags *f, uint32_t uid)
{
	struct idx_message m, old;
	int rc = find(a, uid, &m);

	if (rc != 1)
		return rc;
	if (f->conditional && m.modseq > f->unchanged_since) {
		if (f->failed != NULL)
			f->failed[f->failed_count] = uid;
		f->failed_count++;
		return 0;
	}
	old = m;
	switch (f->op) {
	case CHANGE_ADD:
		m.flags |= f->flags;
		m.keywords |= f->keywords;
		break;
	case CHANGE_REMOVE:
		m.flags &= (uint8_t)~f->flags;
		m.keywords &= ~f->keywords;
		break;
	case CHANGE_SET:
		m.flags = (uint8_t)((f->flags & ~f->keep) | (m.flags & f->keep));
		if (!f->keep_keywords)
			m.keywords = f->keywords;
		break;
	}
	if (m.flags == old.flags && m.keywords == old.keywords && !is_touched(f, uid))
		return 0;
	m.modseq = take_modseq(a);
	m.bits |= IDX_CHANGED;
	if (f->dirty && (m.flags != old.flags || m.keywords != old.keywords))
		m.bits |= IDX_DIRTY;
	index_count(a->st, uid, &old, -1);
	index_count(a->st, uid, &m, 1);
	if (f->changed != NULL)
		f->changed[f->changed_count] = uid;
	f->changed_count++;
	if (replace(a, uid, &m) == -1 || log_del(a, uid, &old) == -1)
		return -1;
	return log_put(a, uid, IDX_CHANGE_FLAGS);
}

static int
apply_seen_one(struct apply *a, struct change_seen *s)
{
	struct idx_message old;
	int rc = find(a, s->uid, &old);

	if (rc != 1)
		return rc;
	s->rec.modseq = s->flags_changed ? take_modseq(a) : old.modseq;
	s->rec.bits = (uint8_t)((s->rec.bits & ~IDX_CHANGED) | (s->flags_changed ? IDX_CHANGED : old.bits & IDX_CHANGED));
	index_count(a->st, s->uid, &old, -1);
	index_count(a->st, s->uid, &s->rec, 1);
	if (s->flags_changed && (log_del(a, s->uid, &old) == -1 || log_put(a, s->uid, IDX_CHANGE_FLAGS) == -1))
		return -1;
	return index_message_put(a->t, a->st->id, s->uid, &s->rec, a->e);
}

static int
apply_expunge_one(struct apply *a, uint32_t uid)
{
	char key[IDX_KEY_MESSAGE];
	struct idx_message m;
	int rc = find(a, uid, &m);

	if (rc != 1)
		return rc;
	take_modseq(a);
	index_count(a->st, uid, &m, -1);
	a->st->tombstones++;
	a->c->expunged++;
	if (log_del(a, uid, &m) == -1 || log_put(a, uid, IDX_CHANGE_EXPUNGED) == -1 ||
	    index_cursor_del(a->messages, a->e) == -1)
		return -1;
	idx_key_message(key, a->st->id, uid);
	return index_del(a->t, DB_SUMMARY, span_of(key, sizeof(key)), a->e);
}

static int
apply_add_one(struct apply *a, struct change_add *add)
{
	if (add->uid == 0 || add->uid == UINT32_MAX)
		return err_set(a->e, ERR_LIMIT, "mailbox %u has no UIDs left", a->st->id);
	add->rec.modseq = take_modseq(a);
	add->rec.bits &= (uint8_t)~IDX_CHANGED;
	index_count(a->st, add->uid, &add->rec, 1);
	if (add->uid >= a->st->uidnext)
		a->st->uidnext = add->uid + 1;
	if (index_message_put(a->t, a->st->id, add->uid, &add->rec, a->e) == -1)
		return -1;
	return add->summary.n == 0 ? 0 : index_summary_put(a->t, a->st->id, add->uid, add->summary, a->e);
}

static int
apply_all(struct apply *a)
{
	struct box_change *c = a->c;

	for (size_t i = 0; i < c->seen_count; i++)
		if (apply_seen_one(a, &c->seen[i]) == -1)
			return -1;
	for (size_t i = 0; c->flags != NULL && i < c->flags->count; i++)
		if (apply_flags_one(a, c->flags, c->flags->uids[i]) == -1)
			return -1;
	for (size_t i = 0; i < c->expunge_count; i++)
		if (apply_expunge_one(a, c->expunges[i]) == -1)
			return -1;
	for (size_t i = 0; i < c->add_count; i++)
		if (apply_add_one(a, &c->adds[i]) == -1)
			return -1;
	return 0;
}

int
index_apply(struct index_txn *t, struct box_change *c, struct idx_state *st, struct err *e)
{
	struct apply a = { .t = t, .c = c, .st = st, .e = e };
	struct idx_total before = idx_state_total(st), after;
	int rc;

	c->modseq = 0;
	c->expunged = 0;
	if (c->flags != NULL)
		c->flags->failed_count = c->flags->changed_count = 0;
	a.messages = index_cursor_open(t, DB_MESSAGE, e);
	if (a.messages == NULL)
		return -1;
	rc = apply_all(&a);
	index_cursor_close(a.messages);
	if (rc == -1)
		return -1;
	c->modseq = a.modseq;
	if (index_state_put(t, st, e) == -1)
		return -1;
	after = idx_state_total(st);
	c->delta = (struct idx_total){ .messages = after.messages - before.messages, .bytes = after.bytes - before.bytes,
		.physical = after.physical - before.physical };
	return c->guard == NULL ? 0 : c->guard->allows(c->guard, t, c, e);
}

int
index_mailbox_make(struct index_txn *t, const struct idx_state *st, struct err *e)
{
	char id[4];

	be32_put(id, st->id);
	if (index_put(t, DB_MAILBOX, idx_state_name(st), span_of(id, 4), e) == -1)
		return -1;
	return index_state_put(t, st, e);
}

int
index_mailbox_rename(struct index_txn *t, uint32_t id, struct span to, struct err *e)
{
	struct idx_state st;
	uint32_t there;
	char idv[4];
	int rc = index_state_get(t, id, &st, e);

	if (rc != 1)
		return rc;
	/* The old name may belong to another mailbox already. */
	rc = index_mailbox_find(t, idx_state_name(&st), &there, e);
	if (rc == -1 || (rc == 1 && there == id && index_del(t, DB_MAILBOX, idx_state_name(&st), e) == -1))
		return -1;
	be32_put(idv, id);
	idx_state_set_name(&st, to);
	if (index_put(t, DB_MAILBOX, to, span_of(idv, 4), e) == -1)
		return -1;
	return index_state_put(t, &st, e);
}

int
index_mailbox_remove(struct index_txn *t, struct span name, struct err *e)
{
	char key[IDX_KEY_ID], view[IDX_KEY_VIEW];
	uint32_t id;
	int rc = index_mailbox_find(t, name, &id, e);

	if (rc != 1)
		return rc;
	be32_put(key, id);
	idx_key_view(view, id);
	if (index_total_forget(t, id, e) == -1 || index_del(t, DB_META, span_of(view, sizeof(view)), e) == -1)
		return -1;
	if (index_del(t, DB_MAILBOX, name, e) == -1 || index_del(t, DB_KEYWORD, span_of(key, 4), e) == -1)
		return -1;
	return index_del(t, DB_STATE, span_of(key, 4), e);
}

int
index_mailbox_drop(struct index_txn *t, struct span name, struct err *e)
{
	uint32_t id;
	int rc = index_mailbox_find(t, name, &id, e);

	if (rc != 1)
		return rc;
	return index_mailbox_remove(t, name, e) == -1 || index_mailbox_purge(t, id, SIZE_MAX, e) == -1 ? -1 : 0;
}

int
index_mailbox_purge(struct index_txn *t, uint32_t id, size_t most, struct err *e)
{
	static const enum idx_db dbs[] = { DB_MESSAGE, DB_CHANGE, DB_SUMMARY };
	char from[IDX_KEY_ID];
	size_t done = 0;

	be32_put(from, id);
	for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
		struct index_cursor *c = index_cursor_open(t, dbs[i], e);
		struct span key, value;
		int rc;

		if (c == NULL)
			return -1;
		index_cursor_unchecked(c);
		rc = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
		while (rc == 1 && done < most && key.n >= 4 && be32_get(key.p) == id) {
			done++;
			rc = index_cursor_del(c, e);
			if (rc == 0)
				rc = index_cursor_next(c, &key, &value, e);
		}
		index_cursor_close(c);
		if (rc == -1)
			return -1;
	}
	return done == most;
}

void
index_mailbox_sweep(struct index *ix, uint32_t id)
{
	struct err e = ERR_INIT;
	struct index_txn *t;
	int more = 1;

	while (more == 1) {
		if (index_write(ix, &t, &e) == -1)
			break;
		more = index_mailbox_purge(t, id, PURGE_BATCH, &e);
		if (more == -1)
			index_abort(t);
		else if (index_commit(t, &e) == -1)
			more = -1;
	}
	if (more != 0)
		index_mark_suspect(ix);
}

int
index_changes_since(struct index_txn *t, uint32_t id, uint64_t modseq, bool *complete_out, change_fn *on_change,
    void *ctx, struct err *e)
{
	char from[IDX_KEY_CHANGE];
	struct idx_state st;
	struct index_cursor *c;
	struct span key, value;
	int rc = index_state_get(t, id, &st, e);

	if (rc == -1)
		return -1;
	*complete_out = rc == 1 && modseq >= st.pruned_to;
	if (!*complete_out || modseq >= st.highestmodseq)
		return 0;
	c = index_cursor_open(t, DB_CHANGE, e);
	if (c == NULL)
		return -1;
	idx_key_change(from, id, modseq + 1, 0);
	rc = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
	while (rc == 1 && key.n == IDX_KEY_CHANGE && be32_get(key.p) == id && value.n == 1) {
		if (!on_change(ctx, be64_get(key.p + 4), be32_get(key.p + 12), (enum idx_change)value.p[0]))
			break;
		rc = index_cursor_next(c, &key, &value, e);
	}
	index_cursor_close(c);
	return rc == -1 ? -1 : 0;
}

/* Clears the mark of a message whose entry goes: its record must not point to one that is not there. */
static int
prune_flags_entry(struct index_txn *t, uint32_t id, uint64_t modseq, uint32_t uid, struct err *e)
{
	struct idx_message m;
	int rc = index_message_get(t, id, uid, &m, e);

	if (rc != 1 || m.modseq != modseq || !(m.bits & IDX_CHANGED))
		return rc == -1 ? -1 : 0;
	char name[INDEX_FILE_NAME_MAX], uidl[256];

	memcpy(name, m.name.p, m.name.n);
	m.name.p = name;
	if (m.bits & IDX_UIDL) {
		memcpy(uidl, m.uidl.p, m.uidl.n);
		m.uidl.p = uidl;
	}
	m.bits &= (uint8_t)~IDX_CHANGED;
	return index_message_put(t, id, uid, &m, e);
}

int
index_prune(struct index_txn *t, struct idx_state *st, uint32_t most, struct err *e)
{
	char from[IDX_KEY_CHANGE];
	struct index_cursor *c;
	struct span key, value;
	uint32_t keep = most / 2;
	int rc;

	if (st->tombstones <= most)
		return 0;
	c = index_cursor_open(t, DB_CHANGE, e);
	if (c == NULL)
		return -1;
	idx_key_change(from, st->id, 0, 0);
	rc = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
	while (rc == 1 && key.n == IDX_KEY_CHANGE && be32_get(key.p) == st->id && value.n == 1) {
		uint64_t modseq = be64_get(key.p + 4);
		uint32_t uid = be32_get(key.p + 12);

		/* Whole modseqs only: the mark must not fall between two changes of one. */
		if (st->tombstones <= keep && modseq != st->pruned_to)
			break;
		st->pruned_to = modseq;
		if (value.p[0] == IDX_CHANGE_EXPUNGED)
			st->tombstones -= st->tombstones > 0;
		else if (prune_flags_entry(t, st->id, modseq, uid, e) == -1) {
			rc = -1;
			break;
		}
		rc = index_cursor_del(c, e);
		if (rc == 0)
			rc = index_cursor_next(c, &key, &value, e);
	}
	index_cursor_close(c);
	return rc == -1 ? -1 : index_state_put(t, st, e);
}

int
index_keywords_get(struct index_txn *t, uint32_t id, struct span *value_out, struct err *e)
{
	char key[IDX_KEY_ID];

	be32_put(key, id);
	return index_get(t, DB_KEYWORD, span_of(key, 4), value_out, e);
}

int
index_keywords_put(struct index_txn *t, uint32_t id, struct span value, struct err *e)
{
	char key[IDX_KEY_ID];

	be32_put(key, id);
	return value.n == 0 ? index_del(t, DB_KEYWORD, span_of(key, 4), e) :
	    index_put(t, DB_KEYWORD, span_of(key, 4), value, e);
}

int
index_view_get(struct index_txn *t, uint32_t id, struct span *value_out, struct err *e)
{
	char key[IDX_KEY_VIEW];

	idx_key_view(key, id);
	return index_get(t, DB_META, span_of(key, sizeof(key)), value_out, e);
}

int
index_view_put(struct index_txn *t, uint32_t id, struct span value, struct err *e)
{
	char key[IDX_KEY_VIEW];

	idx_key_view(key, id);
	return index_put(t, DB_META, span_of(key, sizeof(key)), value, e);
}

int
index_summary_get(struct index_txn *t, uint32_t id, uint32_t uid, struct span *value_out, struct err *e)
{
	char key[IDX_KEY_MESSAGE];

	idx_key_message(key, id, uid);
	return index_get(t, DB_SUMMARY, span_of(key, sizeof(key)), value_out, e);
}

int
index_summary_put(struct index_txn *t, uint32_t id, uint32_t uid, struct span value, struct err *e)
{
	char key[IDX_KEY_MESSAGE];

	idx_key_message(key, id, uid);
	return index_put(t, DB_SUMMARY, span_of(key, sizeof(key)), value, e);
}
