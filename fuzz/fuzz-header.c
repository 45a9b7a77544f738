/* SPDX-License-Identifier: MIT */
/* The fields of a header lie one behind the other, and with and without names are the whole of it. */
#include <stdlib.h>

#include "lib-mail/crlf.h"
#include "lib-mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span names[] = { { "subject", 7 }, { "from", 4 } };
	struct span in = span_of(data, size);
	struct buf with = BUF_INIT(4 * size + 100), without = BUF_INIT(4 * size + 100), text = BUF_INIT(size);
	struct header_iter it;
	struct header_field f;
	size_t pos = 0;

	header_begin(&it, in, 1000, size);
	while (header_next(&it, &f)) {
		if (f.raw.p != in.p + pos || f.raw.n == 0)
			abort();
		pos += f.raw.n;
		buf_reset(&text);
		header_unfold(&text, f.value);
		if (text.failed || memchr(buf_span(&text).p == NULL ? "" : text.p, '\n', text.n) != NULL)
			abort();
	}
	if (!it.truncated && it.pos != header_size(in))
		abort();
	header_fields_write(&with, in, names, 2, false, 1000, size);
	header_fields_write(&without, in, names, 2, true, 1000, size);
	/* Together: the header with CRLF line ends, an empty line, and perhaps the line end that was missing. */
	pos = header_size(in);
	if (with.failed || without.failed || (!it.truncated && (with.n + without.n < crlf_size(span_sub(in, 0, pos)) ||
		with.n + without.n > crlf_size(span_sub(in, 0, pos)) + 6)))
		abort();
	buf_clear(&with);
	buf_clear(&without);
	buf_clear(&text);
	return 0;
}
