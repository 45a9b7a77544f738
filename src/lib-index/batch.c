/* SPDX-License-Identifier: MIT */
/*
 * Several messages that come at once, and come all or not at all: MULTIAPPEND, COPY.  Where a driver has to make them
 * visible one by one, it first notes here, in a transaction of its own, that they are under way; the note goes in the
 * transaction that records them.  Of a process that died in between the note stays, and tells the next scan which files
 * are a half.
 *
 * A note is good only in an index that has not gone back in time: after a power cut it may be there again although the
 * messages were acknowledged.  So a scan that makes the index anew forgets it.
 */
#include "lib-index/change.h"

#define PREFIX_LEN 6
#define KEY_LEN (PREFIX_LEN + 16)

static void
key_of(char key[KEY_LEN], const struct idx_batch *b)
{
	memcpy(key, "batch", PREFIX_LEN);
	be32_put(key + PREFIX_LEN, b->id);
	be32_put(key + PREFIX_LEN + 4, b->pid);
	be64_put(key + PREFIX_LEN + 8, (uint64_t)b->begun_us);
}

int
index_batch_begin(struct index *ix, const struct idx_batch *b, struct err *e)
{
	char key[KEY_LEN], value[4];
	struct index_txn *t;

	if (index_write(ix, &t, e) == -1)
		return -1;
	key_of(key, b);
	be32_put(value, b->count);
	if (index_put(t, DB_META, span_of(key, sizeof(key)), span_of(value, sizeof(value)), e) == 0)
		return index_commit(t, e);
	index_abort(t);
	return -1;
}

int
index_batch_end(struct index_txn *t, const struct idx_batch *b, struct err *e)
{
	char key[KEY_LEN];

	key_of(key, b);
	return index_del(t, DB_META, span_of(key, sizeof(key)), e);
}

int
index_batch_list(struct index_txn *t, uint32_t id, struct idx_batch *out, size_t room, size_t *count_out, struct err *e)
{
	struct index_cursor *c = index_cursor_open(t, DB_META, e);
	char from[KEY_LEN];
	struct span key, value;
	int rc;

	*count_out = 0;
	if (c == NULL)
		return -1;
	key_of(from, &(struct idx_batch){ .id = id });
	index_cursor_unchecked(c);	/* what follows may be the version, which has no checksum */
	rc = index_cursor_seek(c, span_of(from, sizeof(from)), &key, &value, e);
	while (rc == 1 && *count_out < room && key.n == KEY_LEN && memcmp(key.p, from, PREFIX_LEN + 4) == 0) {
		if (!idx_value_open(DB_META, key, &value) || value.n != 4) {
			rc = err_set(e, ERR_CORRUPT, "index: a note of messages under way is damaged");
			break;
		}
		out[(*count_out)++] = (struct idx_batch){ .id = id, .pid = be32_get(key.p + PREFIX_LEN + 4),
			.begun_us = (int64_t)be64_get(key.p + PREFIX_LEN + 8), .count = be32_get(value.p) };
		rc = index_cursor_next(c, &key, &value, e);
	}
	index_cursor_close(c);
	return rc == -1 ? -1 : 0;
}
