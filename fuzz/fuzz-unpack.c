/* SPDX-License-Identifier: MIT */
/*
 * Decompression of what others wrote: the same result however the input is cut, never more than was asked for; and what
 * is compressed here comes out as it went in.
 */
#include <stdlib.h>
#include "lib/pack.h"

#define MOST ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
unpack(enum pack_kind kind, struct span in, size_t cut, struct buf *out)
{
	struct err e = ERR_INIT;
	struct unpacker *u;
	int rc = unpacker_new(kind, &u, &e);

	if (rc == -1)
		return -1;
	while (rc == 0 && in.n > 0) {
		struct span piece = span_sub(in, 0, cut), rest = piece;

		rc = unpacker_step(u, &rest, out, MOST, &e);
		in = span_from(in, piece.n - rest.n);
	}
	if (rc == -1 && e.code != ERR_CORRUPT && e.code != ERR_TEMP)
		abort();
	if (out->n > MOST)
		abort();
	rc = rc == 0 && !unpacker_is_whole(u) ? 2 : rc;
	unpacker_free(u);
	return rc;
}

static int
add(void *arg, struct span bytes, struct err *e)
{
	(void)e;
	buf_add(arg, bytes);
	return 0;
}

static void
round_trip(enum pack_kind kind, int level, struct span in)
{
	struct buf packed = BUF_INIT(2 * MOST), plain = BUF_INIT(2 * MOST);
	struct err e = ERR_INIT;
	struct packer *p;

	if (packer_new(kind, level, &p, &e) == 0) {
		for (int i = 0; i < 2; i++) {
			buf_reset(&packed);
			buf_reset(&plain);
			if (packer_run(p, in, add, &packed, &e) == -1 || packed.failed || pack_detect(buf_span(&packed)) != kind ||
			    unpack(kind, buf_span(&packed), SIZE_MAX, &plain) != 0 || !span_eq(in, buf_span(&plain)))
				abort();
		}
		packer_free(p);
	}
	buf_clear(&packed);
	buf_clear(&plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(2 * MOST), parts = BUF_INIT(2 * MOST);
	struct span in = span_of(data, size);
	enum pack_kind kind = pack_detect(in);

	if (size > 65536)
		return 0;
	if (kind == PACK_GZIP || kind == PACK_ZSTD) {
		int a = unpack(kind, in, SIZE_MAX, &whole), b = unpack(kind, in, 7, &parts);

		if (a != b || (a != -1 && !span_eq(buf_span(&whole), buf_span(&parts))))
			abort();
	}
	if (size < MOST / 2) {
		round_trip(PACK_GZIP, 1, in);
		round_trip(PACK_ZSTD, 1, in);
	}
	buf_clear(&whole);
	buf_clear(&parts);
	return 0;
}
