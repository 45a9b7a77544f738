/* SPDX-License-Identifier: MIT */
/*
 * Any octets as a value of any database: refused, or read, and then written again to the same octets.  The first octet
 * chooses the database, the second the length of the key.
 */
#include <stdlib.h>
#include "lib-index/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
