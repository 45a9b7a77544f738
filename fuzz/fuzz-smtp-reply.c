/* SPDX-License-Identifier: MIT */
/* Replies of mail servers: cutting one delays the verdict and never changes it. */
#include <stdlib.h>
#include "lib-protocol/smtp-reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply r, cut_r;
	struct span params;
	size_t used = 0, part = 0;
	int whole = smtp_reply_parse(span_of(data, size), &r, &used);

	for (size_t n = 0; n < size && n < 600; n++) {
		int cut = smtp_reply_parse(span_of(data, n), &cut_r, &part);

		if (cut != 0 && (cut != whole || (cut == 1 && part != used)))
			abort();
	}
	if (whole == 1 && (used > size || r.code < 200 || r.code > 599))
		abort();
	if (whole == 1)
		smtp_reply_has(&r, SPAN("SIZE"), &params);
	return 0;
}
