/* SPDX-License-Identifier: MIT */
/* Typed values: mailboxes' states and messages' records. */
#include <sys/random.h>
#include <time.h>
#include "lib-index/index-priv.h"
#include "lib-index/total.h"

#define NUMBER_AHEAD (365 * 86400)
#define NUMBER_SPREAD (1 << 20)	/* twelve days: few losses of the index are closer, and still meet the same number */

int
index_state_get(struct index_txn *t, uint32_t id, struct idx_state *out, struct err *e)
{
	char key[IDX_KEY_ID];
	struct span v;
	int rc;

	be32_put(key, id);
	rc = index_get(t, DB_STATE, span_of(key, sizeof(key)), &v, e);
	if (rc != 1)
		return rc;
	if (!idx_state_unpack(span_of(key, sizeof(key)), v, out)) {
		index_mark_suspect(t->ix);
		return err_set(e, ERR_CORRUPT, "index: the state of mailbox %u is damaged", id);
	}
	return 1;
}

int
index_state_put(struct index_txn *t, const struct idx_state *st, struct err *e)
{
	char key[IDX_KEY_ID], room[IDX_STATE_MAX];

	be32_put(key, st->id);
	if (index_total_change(t, st, e) == -1)
		return -1;
	return index_put(t, DB_STATE, span_of(key, sizeof(key)), span_of(room, idx_state_pack(room, st)), e);
}

int
index_mailbox_find(struct index_txn *t, struct span name, uint32_t *id_out, struct err *e)
{
	struct span v;
	int rc = index_get(t, DB_MAILBOX, name, &v, e);

	if (rc != 1)
		return rc;
	if (v.n != 4) {
		index_mark_suspect(t->ix);
		return err_set(e, ERR_CORRUPT, "index: the entry of mailbox %.*s is damaged", SPAN_ARG(name));
	}
	*id_out = be32_get(v.p);
	return 1;
}

static int
message_damaged(struct index_txn *t, uint32_t id, uint32_t uid, struct err *e)
{
	index_mark_suspect(t->ix);
	return err_set(e, ERR_CORRUPT, "index: the record of message %u in mailbox %u is damaged", uid, id);
}

int
index_message_get(struct index_txn *t, uint32_t id, uint32_t uid, struct idx_message *out, struct err *e)
{
	char key[IDX_KEY_MESSAGE];
	struct span v;
	int rc;

	idx_key_message(key, id, uid);
	rc = index_get(t, DB_MESSAGE, span_of(key, sizeof(key)), &v, e);
	if (rc != 1)
		return rc;
	return idx_message_unpack(v, out) ? 1 : message_damaged(t, id, uid, e);
}

int
index_message_put(struct index_txn *t, uint32_t id, uint32_t uid, const struct idx_message *m, struct err *e)
{
	char key[IDX_KEY_MESSAGE], room[IDX_MESSAGE_MAX];

	idx_key_message(key, id, uid);
	return index_put(t, DB_MESSAGE, span_of(key, sizeof(key)), span_of(room, idx_message_pack(room, m)), e);
}

int
index_each_uid(struct index_txn *t, uint32_t id, uint32_t from_uid, index_uid_fn *fn, void *ctx, struct err *e)
{
	char from[IDX_KEY_MESSAGE];
	MDB_val k = { sizeof(from), from }, v;
	MDB_cursor *c;
	struct idx_message m;
	int rc = mdb_cursor_open(t->txn, t->ix->env->dbi[DB_MESSAGE], &c);

	if (rc != 0)
		return index_err(e, rc, "message");
	idx_key_message(from, id, from_uid);
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size != IDX_KEY_MESSAGE || !idx_message_peek(span_of(v.mv_data, v.mv_size), &m)) {
			rc = MDB_CORRUPTED;
			break;
		}
		if (be32_get(k.mv_data) != id || !fn(ctx, be32_get((const char *)k.mv_data + 4), m.flags))
			break;
	}
	mdb_cursor_close(c);
	if (rc != 0 && rc != MDB_NOTFOUND) {
		index_mark_suspect(t->ix);
		return index_err(e, rc, "message");
	}
	return 0;
}

int
index_uid_bounds(struct index_txn *t, uint32_t id, uint32_t *first_out, uint32_t *last_out, struct err *e)
{
	char key[IDX_KEY_MESSAGE];
	MDB_val k = { sizeof(key), key }, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->txn, t->ix->env->dbi[DB_MESSAGE], &c);

	*first_out = *last_out = 0;
	if (rc != 0)
		return index_err(e, rc, "message");
	idx_key_message(key, id, 0);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == 0 && k.mv_size == IDX_KEY_MESSAGE && be32_get(k.mv_data) == id) {
		*first_out = be32_get((const char *)k.mv_data + 4);
		/* The one before the first that is not this mailbox's. */
		idx_key_message(key, id, UINT32_MAX);
		k = (MDB_val){ sizeof(key), key };
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
		rc = mdb_cursor_get(c, &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
		if (rc == 0 && k.mv_size == IDX_KEY_MESSAGE && be32_get(k.mv_data) == id)
			*last_out = be32_get((const char *)k.mv_data + 4);
	}
	mdb_cursor_close(c);
	return rc == 0 || rc == MDB_NOTFOUND ? 0 : index_err(e, rc, "message");
}

int
index_walk_begin(struct index_walk *w, struct index_txn *t, uint32_t id, uint32_t from_uid, struct err *e)
{
	*w = (struct index_walk){ .id = id, .uid = from_uid };
	w->c = index_cursor_open(t, DB_MESSAGE, e);
	return w->c == NULL ? -1 : 0;
}

int
index_walk_next(struct index_walk *w, struct err *e)
{
	char from[IDX_KEY_MESSAGE];
	struct span key;
	int rc;

	w->c->brief = w->brief;
	if (w->started) {
		rc = index_cursor_next(w->c, &key, &w->raw, e);
	} else {
		idx_key_message(from, w->id, w->uid);
		rc = index_cursor_seek(w->c, span_of(from, sizeof(from)), &key, &w->raw, e);
		w->started = true;
	}
	if (rc != 1)
		return rc;
	if (key.n != IDX_KEY_MESSAGE)
		return err_set(e, ERR_CORRUPT, "index: a message's key is damaged");
	if (be32_get(key.p) != w->id)
		return 0;
	w->uid = be32_get(key.p + 4);
	if (w->brief ? !idx_message_peek(w->raw, &w->m) : !idx_message_unpack(w->raw, &w->m))
		return err_set(e, ERR_CORRUPT, "index: the record of message %u in mailbox %u is damaged", w->uid, w->id);
	return 1;
}

void
index_walk_end(struct index_walk *w)
{
	index_cursor_close(w->c);
	w->c = NULL;
}

/* An index that is new, or may have gone back in time, does not know how far numbers have been given: it leaves some out. */
static int
skip_some(struct index_txn *t, uint32_t *number, struct err *e)
{
	uint32_t some = 0;
	struct span v;
	int rc = index_get(t, DB_META, SPAN("skipped"), &v, e);

	if (rc != 0)
		return rc == -1 ? -1 : 0;
	/* Not for ever: an index that is lost again and again stays below what index_number_seen believes. */
	if (getrandom(&some, sizeof(some), GRND_NONBLOCK) == sizeof(some) && *number < (uint32_t)time(NULL) + NUMBER_AHEAD / 2)
		*number += some % NUMBER_SPREAD;
	return index_put(t, DB_META, SPAN("skipped"), SPAN("1"), e);
}

/* Seconds since 1970, or the number behind the last one: also after the index was lost, time has gone on. */
int
index_new_number(struct index_txn *t, uint32_t *out, struct err *e)
{
	uint32_t number = (uint32_t)time(NULL);
	struct span v;
	int rc = index_get(t, DB_META, SPAN("number"), &v, e);

	if (rc == -1)
		return -1;
	if (rc == 1 && v.n == 4 && be32_get(v.p) >= number)
		number = be32_get(v.p) + 1;
	if (skip_some(t, &number, e) == -1)
		return -1;
	*out = number;
	return index_number_seen(t, number, e);
}

int
index_number_seen(struct index_txn *t, uint32_t number, struct err *e)
{
	char room[4];
	struct span v;
	int rc;

	if (number > (uint32_t)time(NULL) + NUMBER_AHEAD)
		return 0;	/* a control file that somebody made up must not use all numbers up */
	rc = index_get(t, DB_META, SPAN("number"), &v, e);

	if (rc == -1)
		return -1;
	if (rc == 1 && v.n == 4 && be32_get(v.p) >= number)
		return 0;
	be32_put(room, number);
	return index_put(t, DB_META, SPAN("number"), span_of(room, 4), e);
}
