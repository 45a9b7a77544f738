/* SPDX-License-Identifier: MIT */
/* The file of a user's own \Seen: what is read is written in one form, which reads the same. */
#include <stdlib.h>
#include "lib-storage/seen-set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen_set set = SEEN_SET_INIT, again = SEEN_SET_INIT;
	struct buf text = BUF_INIT(SEEN_FILE_MAX), second = BUF_INIT(SEEN_FILE_MAX);

	if (seen_parse(&set, span_of(data, size))) {
		seen_write(&text, &set);
		if (!seen_parse(&again, buf_span(&text)))
			abort();
		seen_write(&second, &again);
		if (!span_eq(buf_span(&text), buf_span(&second)))
			abort();
	}
	seen_clear(&set);
	seen_clear(&again);
	buf_clear(&text);
	buf_clear(&second);
	return 0;
}
