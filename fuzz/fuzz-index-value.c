/* SPDX-License-Identifier: MIT */
/*
 * Any octets as a value of any database: refused, or read, and then written again to the same octets; with a checksum they
 * are what they were, and with one bit changed they are not.  The first octet
 * chooses the database, the second the length of the key.
 */
#include <stdlib.h>
#include "lib-index/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_sum(enum idx_db db, struct span key, struct span value)
{
	char *stored = malloc(value.n + IDX_SUM_LEN);
	struct span v = span_of(stored, value.n + IDX_SUM_LEN);
	size_t at;

	if (stored == NULL)
		abort();
	if (value.n > 0)
		memcpy(stored, value.p, value.n);
	be32_put(stored + value.n, idx_sum(db, key, value));
	if (!idx_value_open(db, key, &v) || !span_eq(v, value))
		abort();
	at = (key.n * 31 + value.n * 7) % (value.n + IDX_SUM_LEN);
	stored[at] = (char)(stored[at] ^ 4);
	v = span_of(stored, value.n + IDX_SUM_LEN);
	if (idx_value_open(db, key, &v))
		abort();
	free(stored);
	v = value;
	idx_value_open(db, key, &v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in, key, value;
	struct idx_message m;
	struct idx_state st;
	char room[IDX_MESSAGE_MAX], state_room[IDX_STATE_MAX];

	if (size < 2)
		return 0;
	in = span_of(data + 2, size - 2);
	key = span_sub(in, 0, data[1]);
	value = span_from(in, key.n);
	check_sum((enum idx_db)(data[0] % DB_COUNT), key, value);
	idx_entry_is_valid((enum idx_db)(data[0] % DB_COUNT), key, value);
	if (idx_message_unpack(value, &m)) {
		size_t n = idx_message_pack(room, &m);

		/* The fourth octet is not used. */
		if (n != value.n || memcmp(room, value.p, 3) != 0 || memcmp(room + 4, value.p + 4, n - 4) != 0)
			abort();
	}
	if (idx_state_unpack(key, value, &st)) {
		struct idx_state again;
		size_t n = idx_state_pack(state_room, &st);

		if (n != value.n || !idx_state_unpack(key, span_of(state_room, n), &again) ||
		    !span_eq(idx_state_name(&st), idx_state_name(&again)))
			abort();
	}
	return 0;
}
