/* SPDX-License-Identifier: MIT */
/* Whatever a rule calls an address: what is taken for one is printable, of bounded length, and the same when it is read again. */
#include <stdlib.h>

#include "lib-mail/address-single.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(64 << 10);
	struct span once, twice;

	if (address_single_parse(a, span_of(data, size), &once) == 0) {
		if (once.n < 3 || once.n > ADDRESS_SINGLE_MAX || address_single_parse(a, once, &twice) == -1 || !span_eq(once, twice))
			abort();
		for (size_t i = 0; i < once.n; i++)
			if (once.p[i] < ' ' || once.p[i] > '~')
				abort();
	}
	arena_free(a);
	return 0;
}
