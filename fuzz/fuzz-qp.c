/* SPDX-License-Identifier: MIT */
/*
 * Quoted-printable: any octets come back as they were, over lines of 76 printable octets at most; decoding never makes
 * a text longer.
 */
#include <stdlib.h>
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf coded = BUF_INIT(1 << 22), back = BUF_INIT(1 << 22);
	struct span in = span_of(data, size), rest, line;

	qp_encode(&coded, in);
	qp_decode(&back, buf_span(&coded), false);
	if (coded.failed || !span_eq(buf_span(&back), in))
		abort();
	for (rest = buf_span(&coded); span_next(&rest, '\n', &line);) {
		if (span_ends(line, SPAN("\r")))
			line.n--;
		if (line.n > 76 || (line.n > 0 && ascii_is_wsp(line.p[line.n - 1])))
			abort();
		for (size_t i = 0; i < line.n; i++)
			if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] > 0x7e)
				abort();
	}
	for (int header = 0; header < 2; header++) {
		buf_reset(&back);
		qp_decode(&back, in, header);
		if (back.failed || back.n > size)
			abort();
	}
	buf_clear(&coded);
	buf_clear(&back);
	return 0;
}
