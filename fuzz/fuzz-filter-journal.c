/* SPDX-License-Identifier: MIT */
/* The journal of a user's filter: any line is refused or read; what was read is written and read again as it was. */
#include <stdlib.h>
#include "lib-deliver/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_same(struct span a, struct span b)
{
	/* Values are cut when they are written. */
	return b.n <= a.n && span_eq(span_sub(a, 0, b.n), b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	struct buf text = BUF_INIT(1 << 20);
	struct journal_entry first, again;

	if (a != NULL && journal_parse(span_of(data, size), a, &first)) {
		journal_write(&text, &first);
		if (text.failed || text.n == 0 || span_chr(buf_span(&text), '\n') != text.n - 1)
			abort();
		text.n--;
		if (!journal_parse(buf_span(&text), a, &again) || again.time != first.time ||
		    !is_same(first.message_id, again.message_id) || !is_same(first.recipient, again.recipient) ||
		    again.step_count > first.step_count)
			abort();
	}
	buf_clear(&text);
	arena_free(a);
	return 0;
}
