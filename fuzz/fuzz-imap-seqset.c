/* SPDX-License-Identifier: MIT */
/* A set is in order and merged, and what is written of it reads as the same set. */
#include <stdlib.h>
#include "lib-protocol/imap-seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	struct buf b = BUF_INIT(1 << 20);
	struct imap_set set, again;

	if (imap_set_parse(span_of(data, size), 77, 1000, a, &set) == IMAP_SET_OK && set.n > 0) {
		for (size_t i = 0; i < set.n; i++) {
			if (set.r[i].first == 0 || set.r[i].first > set.r[i].last ||
			    (i > 0 && set.r[i].first <= set.r[i - 1].last + 1) || !imap_set_has(&set, set.r[i].first) ||
			    !imap_set_has(&set, set.r[i].last))
				abort();
		}
		imap_set_write(&b, &set);
		if (imap_set_parse(buf_span(&b), 77, 1000, a, &again) != IMAP_SET_OK || again.n != set.n ||
		    memcmp(again.r, set.r, set.n * sizeof(*set.r)) != 0)
			abort();
	}
	buf_clear(&b);
	arena_free(a);
	return 0;
}
