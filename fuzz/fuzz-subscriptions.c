/* SPDX-License-Identifier: MIT */
/* The first octet says how to read; each name that comes out is written so that it reads the same. */
#include <stdlib.h>
#include "lib/encode.h"
#include "lib-storage/subscription-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf name = BUF_INIT(4096), text = BUF_INIT(1 << 20), again = BUF_INIT(4096);
	struct subscription_reader r, r2;
	bool utf8 = size > 0 && data[0] & 1, courier = size > 0 && data[0] & 2;

	if (size == 0)
		return 0;
	subscriptions_begin(&r, span_of(data + 1, size - 1), data[0] & 4 ? '/' : '.', utf8, courier);
	while (subscriptions_next(&r, &name)) {
		if (name.n == 0 || !utf8_is_valid(buf_span(&name)))
			abort();
		buf_reset(&text);
		buf_adds(&text, SUBSCRIPTIONS_HEAD);
		subscription_put(&text, buf_span(&name), utf8);
		subscriptions_begin(&r2, buf_span(&text), '.', utf8, false);
		if (!subscriptions_next(&r2, &again) || !span_eq(buf_span(&again), buf_span(&name)))
			abort();
	}
	buf_clear(&name);
	buf_clear(&text);
	buf_clear(&again);
	return 0;
}
