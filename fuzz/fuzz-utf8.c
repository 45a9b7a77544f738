/* SPDX-License-Identifier: MIT */
/*
 * UTF-8: the ways to read it agree with each other; what was repaired is valid; cutting a valid text spoils at most the
 * character that was cut.
 */
#include <stdlib.h>
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf repaired = BUF_INIT(1 << 22), single = BUF_INIT(1 << 22);
	struct span in = span_of(data, size);
	bool valid = utf8_is_valid(in), all_good = true;
	size_t pos = 0, last = 0;

	utf8_put_valid(&repaired, in);
	while (pos < in.n) {
		uint32_t cp = 0;
		bool good;

		last = pos;
		good = utf8_next(in, &pos, &cp);
		if (pos <= last || pos > in.n)
			abort();
		all_good = all_good && good;
		utf8_put(&single, good ? cp : 0xfffd);
	}
	if (valid != all_good || !utf8_is_valid(buf_span(&repaired)) ||
	    !span_eq(buf_span(&repaired), buf_span(&single)) || (valid && !span_eq(buf_span(&repaired), in)))
		abort();
	for (size_t n = 0; valid && n < in.n && n < 300; n++) {
		size_t whole = n;

		while (whole > 0 && ((unsigned char)in.p[whole] & 0xc0) == 0x80)
			whole--;
		if (!utf8_is_valid(span_of(in.p, whole)) || utf8_is_valid(span_of(in.p, n)) != (whole == n))
			abort();
	}
	buf_clear(&repaired);
	buf_clear(&single);
	return 0;
}
