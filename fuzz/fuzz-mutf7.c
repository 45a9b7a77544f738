/* SPDX-License-Identifier: MIT */
/* Modified UTF-7: what is taken is the one spelling of its name, and every name has one. */
#include <stdlib.h>
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf name = BUF_INIT(1 << 20), coded = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
	struct span in = span_of(data, size);

	if (mutf7_decode(&name, in)) {
		if (!utf8_is_valid(buf_span(&name)) || !mutf7_encode(&coded, buf_span(&name)) ||
		    !span_eq(buf_span(&coded), in))
			abort();
	}
	buf_reset(&coded);
	if (mutf7_encode(&coded, in) != utf8_is_valid(in))
		abort();
	if (utf8_is_valid(in) && (!mutf7_decode(&back, buf_span(&coded)) || !span_eq(buf_span(&back), in)))
		abort();
	buf_clear(&name);
	buf_clear(&coded);
	buf_clear(&back);
	return 0;
}
