/* SPDX-License-Identifier: MIT */
/*
 * Copying what is sound of an index that may hold anything, mailbox by mailbox, so that a damaged page costs only those whose
 * entries were on it.  An entry is copied when its checksum and its form are right; whether the entries of a mailbox
 * agree with each other is looked at afterwards, in the copy (mend.c).
 */
#include "lib-index/index-priv.h"

#include <stdlib.h>
#include "lib-index/total.h"

#define IDS_MAX 1000000

struct copy {
	struct index_env *from, *into;
	enum idx_db db;
	uint32_t id;			/* 0: the whole database */
	MDB_txn *txn, *out;
	MDB_cursor *cursor;
	uint32_t *ids;			/* of mailboxes that were met */
	size_t ids_n, ids_cap;
	size_t good, bad;
	bool full;			/* the copy can not be written */
	bool doubt;			/* more numbers may have been given than this knows of */
};

static void
id_add(struct copy *c, uint32_t id)
{
	if (c->ids_n == c->ids_cap) {
		size_t cap = c->ids_cap == 0 ? 256 : c->ids_cap * 2;
		uint32_t *more = cap > IDS_MAX ? NULL : realloc(c->ids, cap * sizeof(*more));

		if (more == NULL)
			return;
		c->ids = more;
		c->ids_cap = cap;
	}
	c->ids[c->ids_n++] = id;
}

static bool
put(struct copy *c, MDB_val *k, MDB_val *v)
{
	int rc = mdb_put(c->out, c->into->dbi[c->db], k, v, MDB_APPEND);

	if (rc == MDB_KEYEXIST)
		rc = mdb_put(c->out, c->into->dbi[c->db], k, v, 0);
	c->full = rc != 0;
	return rc == 0;
}

static bool
pass(void *ctx)
{
	struct copy *c = ctx;
	char last[512], from[IDX_KEY_ID];
	size_t last_n = 0, steps = 0;
	MDB_stat st;
	MDB_val k = { sizeof(from), from }, v;
	int rc;

	if ((c->txn == NULL && mdb_txn_begin(c->from->env, NULL, MDB_RDONLY, &c->txn) != 0) ||
	    mdb_stat(c->txn, c->from->dbi[c->db], &st) != 0 ||
	    mdb_cursor_open(c->txn, c->from->dbi[c->db], &c->cursor) != 0)
		return false;
	be32_put(from, c->id);
	for (rc = mdb_cursor_get(c->cursor, &k, &v, c->id == 0 ? MDB_FIRST : MDB_SET_RANGE); rc == 0;
	    rc = mdb_cursor_get(c->cursor, &k, &v, MDB_NEXT)) {
		struct span key = span_of(k.mv_data, k.mv_size), value = span_of(v.mv_data, v.mv_size);

		if (++steps > st.ms_entries || key.n == 0 || key.n > 511 ||
		    (last_n > 0 && span_cmp(span_of(last, last_n), key) >= 0))
			return false;
		memcpy(last, key.p, key.n);
		last_n = key.n;
		if (c->id != 0 && (key.n < IDX_KEY_ID || be32_get(key.p) != c->id))
			return true;
		/*
		 * Of what was under way, or known, an index that may have gone back in time can say nothing; the sum of what is
		 * taken over, and views of it, are made anew.
		 */
		if (c->db == DB_META && (span_eq(key, SPAN("version")) || span_eq(key, SPAN(INDEX_TOTAL_KEY)) ||
		    span_starts(key, SPAN("view")) ||
		    ((c->doubt || c->into->private) && !span_eq(key, SPAN("number")))))
			continue;
		/* Reads every octet: what follows meets no more surprises. */
		if (!idx_value_open(c->db, key, &value) || !idx_entry_is_valid(c->db, key, value)) {
			c->bad++;
			continue;
		}
		if (c->db == DB_STATE)
			id_add(c, be32_get(key.p));
		else if (c->db == DB_MAILBOX)
			id_add(c, be32_get(value.p));
		if (!put(c, &k, &v))
			return false;
		c->good++;
	}
	return rc == MDB_NOTFOUND && (c->id != 0 || steps == st.ms_entries);
}

/* One database, or one mailbox's part of it.  False: not all of it could be copied. */
static bool
copy(struct copy *c, enum idx_db db, uint32_t id)
{
	bool ok;

	c->db = db;
	c->id = id;
	c->good = c->bad = 0;
	ok = index_run_guarded(pass, c);
	if (c->cursor != NULL)
		mdb_cursor_close(c->cursor);
	c->cursor = NULL;
	if (!ok && c->txn != NULL) {
		mdb_txn_abort(c->txn);
		c->txn = NULL;
	}
	return ok && c->bad == 0;
}

static int
id_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* bits into the state of id, which says by its stamps that it agrees with no directory. */
static bool
state_mark(struct copy *c, uint32_t id, uint32_t bits)
{
	struct index ix = { .env = c->into };
	struct index_txn t = { .ix = &ix, .txn = c->out, .write = true };
	struct err e = ERR_INIT;
	struct idx_state st;

	if (index_state_get(&t, id, &st, &e) != 1)
		return false;
	st.bits |= bits;
	memset(st.stamp, 0, sizeof(st.stamp));
	return index_state_put(&t, &st, &e) == 0;
}

static bool
copy_box(struct copy *c, uint32_t id, bool doubt, bool summaries, struct salvaged *out)
{
	bool hurt = false;

	if (mdb_txn_begin(c->into->env, NULL, 0, &c->out) != 0)
		return false;
	for (int db = 0; db < DB_COUNT && !c->full; db++) {
		if (!idx_db_by_mailbox((enum idx_db)db) || db == DB_STATE || (db == DB_SUMMARY && !summaries))
			continue;
		if (!copy(c, (enum idx_db)db, id) && db != DB_SUMMARY)
			hurt = true;
		if (db == DB_MESSAGE)
			out->messages += c->good;
		else if (db == DB_SUMMARY)
			out->summaries += c->good;
	}
	if (hurt || doubt)
		state_mark(c, id, IDX_STATE_UNSCANNED | IDX_STATE_DOUBT);
	out->mailboxes++;
	out->hurt += hurt;
	if (!c->full && mdb_txn_commit(c->out) == 0)
		return true;
	if (c->full)
		mdb_txn_abort(c->out);
	return false;
}

bool
index_salvage(struct index_env *old, struct index_env *into, bool doubt, bool summaries, struct salvaged *out)
{
	struct copy c = { .from = old, .into = into, .doubt = doubt };
	bool ok;

	*out = (struct salvaged){ 0 };
	if (mdb_txn_begin(into->env, NULL, 0, &c.out) != 0)
		return false;
	for (int db = 0; db < DB_COUNT; db++)
		if (!idx_db_by_mailbox((enum idx_db)db) || db == DB_STATE)
			copy(&c, (enum idx_db)db, 0);
	/* Those behind a damaged page of states are found by the ids that names lead to. */
	if (c.ids_n > 1)
		qsort(c.ids, c.ids_n, sizeof(*c.ids), id_cmp);
	for (size_t i = 0; i < c.ids_n && !c.full; i++)
		if (i == 0 || c.ids[i] != c.ids[i - 1]) {
			size_t n = c.ids_n;

			copy(&c, DB_STATE, c.ids[i]);
			c.ids_n = n;
		}
	if (c.full)
		mdb_txn_abort(c.out);
	ok = !c.full && mdb_txn_commit(c.out) == 0;
	for (size_t i = 0; i < c.ids_n && ok; i++)
		if (i == 0 || c.ids[i] != c.ids[i - 1])
			ok = copy_box(&c, c.ids[i], doubt, summaries, out);
	if (c.txn != NULL)
		mdb_txn_abort(c.txn);
	free(c.ids);
	return ok;
}
