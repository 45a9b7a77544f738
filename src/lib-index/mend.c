/* SPDX-License-Identifier: MIT */
/*
 * Putting right what check.c found.  What is gone comes from the mail again: the state says IDX_STATE_UNSCANNED, and the
 * records that stayed keep their UIDs and the flags that wait to be written.
 */
#include "lib-index/check-priv.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-index/change.h"
#include "lib-index/total.h"

struct mend {
	struct check *c;
	struct index_txn *t;
	struct err *e;
};

/* Removes the entries of one database that belong to id, or of them those that `is_bad' says. */
static int
remove_entries(struct mend *m, enum idx_db db, const struct box_check *b, bool (*is_bad)(struct mend *, const struct box_check *,
    struct span key, struct span value))
{
	struct index_cursor *cur = index_cursor_open(m->t, db, m->e);
	char from[IDX_KEY_ID];
	struct span key, value;
	int rc;

	if (cur == NULL)
		return -1;
	index_cursor_unchecked(cur);
	be32_put(from, b->id);
	rc = index_cursor_seek(cur, span_of(from, sizeof(from)), &key, &value, m->e);
	while (rc == 1 && key.n >= IDX_KEY_ID && be32_get(key.p) == b->id) {
		if ((is_bad == NULL || is_bad(m, b, key, value)) && index_cursor_del(cur, m->e) == -1) {
			rc = -1;
			break;
		}
		rc = index_cursor_next(cur, &key, &value, m->e);
	}
	index_cursor_close(cur);
	return rc == -1 ? -1 : 0;
}

static bool
is_bad_message(struct mend *m, const struct box_check *b, struct span key, struct span value)
{
	struct idx_message rec;

	(void)m;
	(void)b;
	return key.n != IDX_KEY_MESSAGE || be32_get(key.p + 4) == 0 || !idx_value_open(DB_MESSAGE, key, &value) ||
	    !idx_message_unpack(value, &rec);
}

static bool
is_bad_summary(struct mend *m, const struct box_check *b, struct span key, struct span value)
{
	struct idx_message rec;
	struct err e = ERR_INIT;

	return key.n != IDX_KEY_MESSAGE || !idx_value_open(DB_SUMMARY, key, &value) || !idx_entry_is_valid(DB_SUMMARY, key, value) ||
	    index_message_get(m->t, b->id, be32_get(key.p + 4), &rec, &e) != 1;
}

/* All records: no entry of the log any more; with lift each counts as changed at that modseq. */
static int
records_unlog(struct index_txn *t, uint32_t id, uint64_t lift, struct err *e)
{
	struct index_cursor *cur = index_cursor_open(t, DB_MESSAGE, e);
	char from[IDX_KEY_MESSAGE], room[IDX_MESSAGE_MAX];
	struct idx_message rec;
	struct span key, value;
	int rc;

	if (cur == NULL)
		return -1;
	idx_key_message(from, id, 0);
	rc = index_cursor_seek(cur, span_of(from, sizeof(from)), &key, &value, e);
	while (rc == 1 && key.n == IDX_KEY_MESSAGE && be32_get(key.p) == id) {
		if (!idx_message_unpack(value, &rec)) {
			rc = err_set(e, ERR_CORRUPT, "index: the record of message %u is damaged", be32_get(key.p + 4));
			break;
		}
		if (lift != 0 || rec.bits & IDX_CHANGED) {
			char same[IDX_KEY_MESSAGE];

			memcpy(same, key.p, sizeof(same));
			rec.bits &= (uint8_t)~IDX_CHANGED;
			if (lift != 0)
				rec.modseq = lift;
			if (index_cursor_replace(cur, span_of(same, sizeof(same)), span_of(room, idx_message_pack(room, &rec)),
			    e) == -1) {
				rc = -1;
				break;
			}
		}
		rc = index_cursor_next(cur, &key, &value, e);
	}
	index_cursor_close(cur);
	return rc == -1 ? -1 : 0;
}

static int
log_drop(struct index_txn *t, struct idx_state *st, uint64_t lift, struct err *e)
{
	struct mend m = { .t = t, .e = e };
	struct box_check b = { .id = st->id };
	char view[IDX_KEY_VIEW];

	/* A view that was kept goes on by the log. */
	idx_key_view(view, st->id);
	if (index_del(t, DB_META, span_of(view, sizeof(view)), e) == -1 || remove_entries(&m, DB_CHANGE, &b, NULL) == -1 ||
	    records_unlog(t, st->id, lift, e) == -1)
		return -1;
	st->tombstones = 0;
	st->pruned_to = st->highestmodseq;
	return 0;
}

int
index_settle(struct index_txn *t, struct idx_state *st, uint32_t uidnext, uint64_t modseq, struct err *e)
{
	if (st->uidnext < uidnext)
		st->uidnext = uidnext;
	if (st->highestmodseq < modseq)
		st->highestmodseq = modseq;
	st->highestmodseq++;
	if (log_drop(t, st, st->highestmodseq, e) == -1)
		return -1;
	st->bits = (st->bits & ~(uint32_t)IDX_STATE_DOUBT) | IDX_STATE_UNSCANNED;
	memset(st->stamp, 0, sizeof(st->stamp));
	return index_state_put(t, st, e);
}

int
index_recount(struct index_txn *t, struct idx_state *st, struct err *e)
{
	struct index_walk w;
	int more = index_walk_begin(&w, t, st->id, 0, e);

	st->messages = st->unseen = st->deleted = st->unsized = st->dirty = 0;
	st->bytes = st->physical = st->unsized_bytes = 0;
	while (more != -1 && (more = index_walk_next(&w, e)) == 1)
		index_count(st, w.uid, &w.m, 1);
	index_walk_end(&w);
	return more;
}

/* Nothing of the mailbox stays: its driver makes it anew when its name is opened. */
static int
box_remove(struct mend *m, uint32_t id)
{
	struct box_check b = { .id = id };
	char view[IDX_KEY_VIEW];

	idx_key_view(view, id);
	if (index_del(m->t, DB_META, span_of(view, sizeof(view)), m->e) == -1)
		return -1;
	for (int db = 0; db < DB_COUNT; db++)
		if (idx_db_by_mailbox((enum idx_db)db) && remove_entries(m, (enum idx_db)db, &b, NULL) == -1)
			return -1;
	return 0;
}

static int
box_name(struct mend *m, struct box_check *b, struct idx_state *st, bool *removed)
{
	char id[4];
	uint32_t there;
	int rc;

	if (b->named)
		return 0;
	rc = index_mailbox_find(m->t, idx_state_name(st), &there, m->e);
	/* The name belongs to another that says so as well: this one is left over. */
	if (rc == 1 && there != b->id) {
		*removed = true;
		return box_remove(m, b->id);
	}
	be32_put(id, b->id);
	return rc == -1 ? -1 : index_put(m->t, DB_MAILBOX, idx_state_name(st), span_of(id, 4), m->e);
}

static int
box_mend(struct mend *m, struct box_check *b, bool *rescan_out)
{
	bool rescan = (b->bad & (BAD_MESSAGES | BAD_COUNTS | BAD_NUMBERS)) != 0, removed = false;
	struct idx_state st;

	*rescan_out = true;
	if (b->bad & BAD_STATE)
		return box_remove(m, b->id);
	if (index_state_get(m->t, b->id, &st, m->e) != 1 || box_name(m, b, &st, &removed) == -1)
		return -1;
	if (removed)
		return 0;
	*rescan_out = rescan;
	if (b->bad & BAD_MESSAGES && remove_entries(m, DB_MESSAGE, b, is_bad_message) == -1)
		return -1;
	if (b->bad & (BAD_SUMMARIES | BAD_MESSAGES) && remove_entries(m, DB_SUMMARY, b, is_bad_summary) == -1)
		return -1;
	if (b->bad & BAD_KEYWORDS && remove_entries(m, DB_KEYWORD, b, NULL) == -1)
		return -1;
	if (st.uidnext <= b->last_uid)
		st.uidnext = b->last_uid + 1;
	if (st.recent_uid > st.uidnext)
		st.recent_uid = st.uidnext;
	if (st.highestmodseq < b->last_modseq)
		st.highestmodseq = b->last_modseq;
	if (b->bad & (BAD_NUMBERS | BAD_KEYWORDS))
		st.bits |= IDX_STATE_DOUBT;
	if (rescan) {
		st.bits |= IDX_STATE_UNSCANNED;
		memset(st.stamp, 0, sizeof(st.stamp));
	}
	if ((rescan || b->bad & BAD_LOG) && log_drop(m->t, &st, 0, m->e) == -1)
		return -1;
	if (index_recount(m->t, &st, m->e) == -1)
		return -1;
	return index_state_put(m->t, &st, m->e);
}

/* Names that lead nowhere, and damaged values of meta. */
static int
names_mend(struct mend *m)
{
	static const enum idx_db dbs[] = { DB_MAILBOX, DB_META };
	int rc = 0;

	for (size_t i = 0; i < 2 && rc != -1; i++) {
		struct index_cursor *cur = index_cursor_open(m->t, dbs[i], m->e);
		struct span key, value;
		struct idx_state st;

		if (cur == NULL)
			return -1;
		index_cursor_unchecked(cur);
		for (rc = index_cursor_seek(cur, SPAN("\0"), &key, &value, m->e); rc == 1;
		    rc = index_cursor_next(cur, &key, &value, m->e)) {
			struct err e = ERR_INIT;
			bool sound = idx_value_open(dbs[i], key, &value);

			if (dbs[i] == DB_META ? sound || span_eq(key, SPAN("version")) : sound && value.n == 4 &&
			    index_state_get(m->t, be32_get(value.p), &st, &e) == 1 && span_eq(idx_state_name(&st), key))
				continue;
			if (index_cursor_del(cur, m->e) == -1) {
				rc = -1;
				break;
			}
		}
		index_cursor_close(cur);
	}
	return rc == -1 ? -1 : 0;
}

static void
tell(struct check *c, const struct box_check *b, struct span name, bool rescan, const char *why)
{
	char more[40] = "";

	if (b->findings > 1)
		snprintf(more, sizeof(more), " (and %zu more)", b->findings - 1);
	log_warning("index %s: %s: mailbox %.*s: %s%s: put right, %u messages kept%s", c->env->path, why, SPAN_ARG(name), b->first,
	    more, b->bad & BAD_STATE ? 0 : b->messages, rescan ? "; the mail itself is looked at for the rest" : "");
}

int
mend_apply(struct check *c, const char *why, struct err *e)
{
	struct index ix = { .env = c->env };
	struct index_txn t = { .ix = &ix, .txn = c->txn, .write = true };
	struct mend m = { .c = c, .t = &t, .e = e };

	for (size_t i = 0; i < c->count; i++) {
		struct box_check *b = &c->boxes[i];
		char room[INDEX_NAME_MAX];
		struct span name;
		bool rescan;

		if (b->bad == 0)
			continue;
		name = check_name(c, b, room);
		if (box_mend(&m, b, &rescan) == -1)
			return -1;
		tell(c, b, name, rescan, why);
	}
	for (size_t i = 0; i < c->strays_n; i++)
		if (box_remove(&m, c->strays[i]) == -1)
			return -1;
	if (c->strays_n > 0)
		log_info("index %s: what was left of %zu deleted mailboxes is removed", c->env->path, c->strays_n);
	/* States have gone, here and in names that led nowhere: their sum is made anew. */
	return names_mend(&m) == -1 ? -1 : index_total_recount(&t, e);
}

bool
mend_env(struct index_env *env, const char *why, struct index_verdict *out)
{
	struct check c = { .env = env };
	struct err e = ERR_INIT;
	bool ok;

	/* First without the lock: there is mostly nothing to mend. */
	if (!index_free_list_is_sound(env) || mdb_txn_begin(env->env, NULL, MDB_RDONLY, &c.txn) != 0)
		return false;
	ok = check_run(&c);
	mdb_txn_abort(c.txn);
	*out = c.v;
	check_clear(&c);
	if (!ok || c.v.findings == 0)
		return ok;
	c = (struct check){ .env = env };
	if (index_env_room(env, &e) == -1 || mdb_txn_begin(env->env, NULL, 0, &c.txn) != 0)
		return false;
	ok = check_run(&c) && mend_apply(&c, why, &e) == 0;
	if (ok)
		ok = mdb_txn_commit(c.txn) == 0;
	else
		mdb_txn_abort(c.txn);
	check_clear(&c);
	return ok;
}

int
index_mend(struct index *ix, uint32_t id, struct err *e)
{
	struct check c = { .only = id };
	struct err why = *e;
	struct index_txn *t;
	bool pages;

	index_read_end(ix);
	if (index_write(ix, &t, e) == -1)
		return e->code == ERR_CORRUPT ? index_recover(ix, e) : -1;
	c.env = ix->env;
	c.txn = t->txn;
	pages = !index_free_list_is_sound(ix->env) || !check_run(&c);
	if (pages || mend_apply(&c, why.log, e) == -1) {
		check_clear(&c);
		index_abort(t);
		if (c.no_memory)
			return err_set(e, ERR_TEMP, "out of memory");
		return pages || e->code == ERR_CORRUPT ? index_recover(ix, &why) : -1;
	}
	check_clear(&c);
	ix->env->suspect = false;
	/* Nothing wrong is an answer too: another process was here first. */
	return index_commit(t, e);
}

int
index_forget(struct index *ix, uint32_t id, struct err *e)
{
	struct box_check b = { .id = id };
	struct index_txn *t;
	struct idx_state st;
	int rc = index_write(ix, &t, e);

	if (rc == -1)
		return -1;
	struct mend m = { .t = t, .e = e };

	rc = index_state_get(t, id, &st, e);
	if (rc == 0)
		rc = err_set(e, ERR_NOTFOUND, "mailbox was deleted");
	if (rc == 1 && remove_entries(&m, DB_MESSAGE, &b, NULL) == 0 && remove_entries(&m, DB_SUMMARY, &b, NULL) == 0 &&
	    log_drop(t, &st, 0, e) == 0 && index_recount(t, &st, e) == 0) {
		st.bits |= IDX_STATE_UNSCANNED;
		memset(st.stamp, 0, sizeof(st.stamp));
		rc = index_state_put(t, &st, e);
		if (rc == 0)
			return index_commit(t, e);
	}
	index_abort(t);
	return -1;
}
