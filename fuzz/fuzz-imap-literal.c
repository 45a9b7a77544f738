/* SPDX-License-Identifier: MIT */
/* Cutting the input can delay the verdict, never change it; and a head that is parsed is found at the end of its line. */
#include <stdlib.h>
#include "lib-protocol/imap-literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_literal lit, tail;
	size_t used = 0, part = 0;
	enum parse whole = imap_literal_parse(span_of(data, size), 1 << 20, &lit, &used);

	for (size_t n = 0; n < size && n < 64; n++) {
		enum parse cut = imap_literal_parse(span_of(data, n), 1 << 20, &lit, &part);

		if (cut != PARSE_MORE && (cut != whole || (cut == PARSE_DONE && part != used)))
			abort();
	}
	if (whole == PARSE_DONE) {
		struct span head = span_trim(span_of(data, used));

		imap_literal_parse(span_of(data, size), 1 << 20, &lit, &used);
		if (!imap_literal_tail(head, &tail) || tail.size != lit.size || tail.nonsync != lit.nonsync)
			abort();
	}
	imap_literal_tail(span_of(data, size), &tail);
	return 0;
}
