/* SPDX-License-Identifier: MIT */
#include "lib-index/total.h"

#define TOTAL_LEN 24

static void
add(struct idx_total *to, const struct idx_total *from)
{
	to->messages += from->messages;
	to->bytes += from->bytes;
	to->physical += from->physical;
}

static void
subtract(struct idx_total *to, const struct idx_total *from)
{
	to->messages -= from->messages;
	to->bytes -= from->bytes;
	to->physical -= from->physical;
}

static bool
is_same(const struct idx_total *a, const struct idx_total *b)
{
	return a->messages == b->messages && a->bytes == b->bytes && a->physical == b->physical;
}

static int
put(struct index_txn *t, const struct idx_total *total, struct err *e)
{
	char room[TOTAL_LEN];

	be64_put(room, total->messages);
	be64_put(room + 8, total->bytes);
	be64_put(room + 16, total->physical);
	return index_put(t, DB_META, SPAN(INDEX_TOTAL_KEY), span_of(room, sizeof(room)), e);
}

int
index_total_sum(struct index_txn *t, struct idx_total *out, struct err *e)
{
	struct index_cursor *c = index_cursor_open(t, DB_STATE, e);
	struct span key, value;
	struct idx_state st;
	int rc;

	if (c == NULL)
		return -1;
	*out = (struct idx_total){ 0 };
	index_cursor_unchecked(c);
	rc = index_cursor_seek(c, SPAN("\0\0\0\0"), &key, &value, e);
	while (rc == 1) {
		struct idx_total one;

		/* What a damaged one counts is found out when it is put right. */
		if (idx_value_open(DB_STATE, key, &value) && idx_state_unpack(key, value, &st)) {
			one = idx_state_total(&st);
			add(out, &one);
		} else {
			index_mark_suspect(index_txn_index(t));
		}
		rc = index_cursor_next(c, &key, &value, e);
	}
	index_cursor_close(c);
	return rc;
}

int
index_total_get(struct index_txn *t, struct idx_total *out, struct err *e)
{
	struct span v;
	struct err why = ERR_INIT;
	int rc = index_get(t, DB_META, SPAN(INDEX_TOTAL_KEY), &v, &why);

	if (rc == -1 && why.code != ERR_CORRUPT) {
		*e = why;
		return -1;
	}
	if (rc != 1 || v.n != TOTAL_LEN)
		return index_total_sum(t, out, e);
	*out = (struct idx_total){ .messages = be64_get(v.p), .bytes = be64_get(v.p + 8), .physical = be64_get(v.p + 16) };
	return 0;
}

int
index_total_recount(struct index_txn *t, struct err *e)
{
	struct idx_total total;

	return index_total_sum(t, &total, e) == -1 ? -1 : put(t, &total, e);
}

/* The total with what mailbox id has now taken out, and `now' put in its place. */
static int
change(struct index_txn *t, uint32_t id, const struct idx_total *now, struct err *e)
{
	struct idx_state old;
	struct idx_total total, before = { 0 };
	struct err why = ERR_INIT;
	int rc = index_state_get(t, id, &old, &why);

	if (rc == -1 && why.code != ERR_CORRUPT) {
		*e = why;
		return -1;
	}
	/* Nobody knows what a damaged state counted: without the record the total is the sum of what is there. */
	if (rc == -1)
		return index_del(t, DB_META, SPAN(INDEX_TOTAL_KEY), e);
	if (rc == 1)
		before = idx_state_total(&old);
	if (is_same(&before, now))
		return 0;
	if (index_total_get(t, &total, e) == -1)
		return -1;
	subtract(&total, &before);
	add(&total, now);
	return put(t, &total, e);
}

int
index_total_change(struct index_txn *t, const struct idx_state *st, struct err *e)
{
	struct idx_total now = idx_state_total(st);

	return change(t, st->id, &now, e);
}

int
index_total_forget(struct index_txn *t, uint32_t id, struct err *e)
{
	static const struct idx_total none;

	return change(t, id, &none, e);
}
