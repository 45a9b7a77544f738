/* SPDX-License-Identifier: MIT */
/* Any HTML: its text is not longer than it, and UTF-8 when it was. */
#include <stdlib.h>
#include "lib-mail/html-text.h"
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(2 * size + 16);
	struct span in = span_of(data, size);

	html_to_text(&out, in);
	if (out.failed || out.n > size + size / 2 + 1 || (utf8_is_valid(in) && !utf8_is_valid(buf_span(&out))))
		abort();
	buf_clear(&out);
	return 0;
}
