/* SPDX-License-Identifier: MIT */
/*
 * Cutting the input can delay the verdict, never change it; and the message ends at the first CR LF . CR LF and nowhere
 * else, DATA's own CR LF included.
 */
#include <stdlib.h>
#include "lib/buf.h"
#include "lmtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
feed(struct span in, size_t step, struct smtp_data *d, struct buf *out)
{
	size_t at = 0;

	while (at < in.n && d->state != SMTP_DATA_END) {
		struct span piece = span_sub(in, at, step), rest = piece;
		char *room = malloc(piece.n + 1);

		if (room == NULL)
			abort();
		buf_add(out, span_of(room, smtp_data(d, &rest, room)));
		at += piece.n - rest.n;
		free(room);
	}
	return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_data d = { SMTP_DATA_START }, cut = { SMTP_DATA_START };
	struct buf out = BUF_INIT(1 << 20), cut_out = BUF_INIT(1 << 20), whole = BUF_INIT(1 << 20);
	struct span in;
	size_t used, end;

	if (size < 1 || size > 4096)
		return 0;
	in = span_of(data + 1, size - 1);
	buf_adds(&whole, "\r\n");
	buf_add(&whole, in);
	end = span_find(buf_span(&whole), SPAN("\r\n.\r\n"));
	used = feed(in, in.n, &d, &out);
	if ((d.state == SMTP_DATA_END) != (end != SIZE_MAX) || (end != SIZE_MAX && used != end + 3))
		abort();
	if (feed(in, (size_t)data[0] % 17 + 1, &cut, &cut_out) != used || cut.state != d.state ||
	    !span_eq(buf_span(&out), buf_span(&cut_out)))
		abort();
	buf_clear(&out);
	buf_clear(&cut_out);
	buf_clear(&whole);
	return 0;
}
