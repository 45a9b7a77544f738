/* SPDX-License-Identifier: MIT */
/* The head of a message in the queue: cutting it delays the verdict and never changes it; what was read is written as it was. */
#include <stdlib.h>
#include "lib-deliver/queue-head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct queue_head h, again;
	size_t used = 0, part;
	struct buf text = BUF_INIT(65536);
	int whole = queue_head_parse(span_of(data, size), &h, &used);

	for (size_t n = 0; n < size && n < 600; n++) {
		int cut = queue_head_parse(span_of(data, n), &again, &part);

		if (cut != 0 && (cut != whole || (cut == 1 && part != used)))
			abort();
	}
	if (whole == 1) {
		queue_head_write(&text, &h);
		if (text.failed || (text.n < QUEUE_HEAD_MAX && (queue_head_parse(buf_span(&text), &again, &part) != 1 ||
		    !span_eq(h.recipient, again.recipient) || !span_eq(h.dsn.notify, again.dsn.notify) ||
		    !span_eq(h.dsn.ret, again.dsn.ret) || !span_eq(h.dsn.orcpt, again.dsn.orcpt) ||
		    !span_eq(h.dsn.envid, again.dsn.envid) || !span_eq(h.dsn.by, again.dsn.by) || !span_eq(h.sender, again.sender) || h.size != again.size)))
			abort();
	}
	buf_clear(&text);
	return 0;
}
