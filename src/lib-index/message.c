/* SPDX-License-Identifier: MIT */
/* Typed values: mailboxes' states and messages' records. */
#include <time.h>
#include "lib-index/index-priv.h"

#define NUMBER_AHEAD (365 * 86400)

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
