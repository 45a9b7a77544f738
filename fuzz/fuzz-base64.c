/* SPDX-License-Identifier: MIT */
/* Base64 and hexadecimal: what is written is read back; the strict decoder takes only what the encoder writes. */
#include <stdlib.h>
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a = BUF_INIT(1 << 22), b = BUF_INIT(1 << 22), c = BUF_INIT(1 << 22);
	struct span in = span_of(data, size);

	base64_encode(&a, in);
	if (!base64_decode(&b, buf_span(&a)) || !span_eq(buf_span(&b), in))
		abort();
	buf_reset(&b);
	base64_decode_mime(&b, buf_span(&a));
	if (!span_eq(buf_span(&b), in))
		abort();

	/* the input as coded text */
	buf_reset(&a);
	buf_reset(&b);
	base64_decode_mime(&b, in);
	if (b.failed || b.n > size / 4 * 3 + 2)
		abort();
	if (base64_decode(&a, in)) {
		if (!span_eq(buf_span(&a), buf_span(&b)))
			abort();
		base64_encode(&c, buf_span(&a));
		if (!span_eq(buf_span(&c), in))
			abort();
	}

	buf_reset(&a);
	buf_reset(&b);
	hex_encode(&a, in);
	if (!hex_decode(&b, buf_span(&a)) || !span_eq(buf_span(&b), in))
		abort();
	buf_reset(&a);
	if (hex_decode(&a, in) && a.n != size / 2)
		abort();
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&c);
	return 0;
}
