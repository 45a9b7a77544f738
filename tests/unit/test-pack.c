/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/pack.h"

static int
add(void *arg, struct span bytes, struct err *e)
{
	(void)e;
	buf_add(arg, bytes);
	return 0;
}

static int
refuse(void *arg, struct span bytes, struct err *e)
{
	(void)arg;
	(void)bytes;
	return err_set(e, ERR_QUOTA, "full");
}

static void
pack(enum pack_kind kind, int level, struct span in, struct buf *out)
{
	struct err e = ERR_INIT;
	struct packer *p;

	assert_int_equal(packer_new(kind, level, &p, &e), 0);
	assert_int_equal(packer_run(p, in, add, out, &e), 0);
	packer_free(p);
}

/* 0 whole, 1 `most' are there, 2 cut off, -1 damaged. */
static int
unpack(struct span in, size_t cut, size_t most, struct buf *out)
{
	struct err e = ERR_INIT;
	struct unpacker *u;
	int rc = unpacker_new(pack_detect(in), &u, &e);

	if (rc == -1)
		return -1;
	while (rc == 0 && in.n > 0) {
		struct span piece = span_sub(in, 0, cut), rest = piece;

		rc = unpacker_step(u, &rest, out, most, &e);
		in = span_from(in, piece.n - rest.n);
	}
	if (rc == -1)
		assert_int_equal(e.code, ERR_CORRUPT);
	if (rc == 0 && !unpacker_is_whole(u))
		rc = 2;
	unpacker_free(u);
	return rc;
}

static void
test_detect(void **state)
{
	static const struct {
		struct span first;
		enum pack_kind kind;
	} cases[] = {
		{ { "\x1f\x8b\x08\0", 4 }, PACK_GZIP }, { { "\x1f\x8b\x08", 3 }, PACK_GZIP }, { { "\x1f\x8b", 2 }, PACK_NONE },
		{ { "\x1f\x8b\x07\0", 4 }, PACK_NONE }, { { "\x28\xb5\x2f\xfd", 4 }, PACK_ZSTD }, { { "\x28\xb5\x2f", 3 }, PACK_NONE },
		{ { "BZh91AY&SY\0", 11 }, PACK_FOREIGN }, { { "BZh91AY&S", 9 }, PACK_NONE }, { { "BZhello world", 13 }, PACK_NONE },
		{ { "\xfd" "7zXZ\0", 6 }, PACK_FOREIGN }, { { "Dovecot-LZ4\r", 12 }, PACK_FOREIGN },
		{ { "Dovecot-List: x", 15 }, PACK_NONE }, { { "From: a", 7 }, PACK_NONE }, { { "", 0 }, PACK_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(pack_detect(cases[i].first), cases[i].kind);
}

static void
test_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, 3000000 };
	struct buf in = BUF_INIT((size_t)1 << 22);
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < 3000000; i++) {
		seed = seed * 1103515245 + 12345;
		buf_addc(&in, (char)('a' + (seed >> 16 & (i < 1500000 ? 3 : 255))));
	}
	for (int kind = PACK_GZIP; kind <= PACK_ZSTD; kind++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			for (int level = 0; level <= 100; level += 50) {
				struct span part = span_sub(buf_span(&in), 0, sizes[i]);
				struct buf packed = BUF_INIT((size_t)1 << 22), plain = BUF_INIT((size_t)1 << 22);

				if (level == 100 && sizes[i] > 65537)
					continue;	/* the highest levels take their time */
				pack((enum pack_kind)kind, level == 50 ? -7 : level, part, &packed);
				assert_int_equal(unpack(buf_span(&packed), i % 2 == 0 ? 1000 : SIZE_MAX, SIZE_MAX / 2, &plain), 0);
				assert_true(span_eq(part, buf_span(&plain)));
				buf_clear(&packed);
				buf_clear(&plain);
			}
	buf_clear(&in);
}

/* Every cut is seen, every changed octet either too or without effect, and a bomb ends where it is told to. */
static void
test_damage(void **state)
{
	struct buf text = BUF_INIT(65536);

	(void)state;
	for (int i = 0; i < 200; i++)
		buf_addf(&text, "Line %d of a message\n", i);
	for (int kind = PACK_GZIP; kind <= PACK_ZSTD; kind++) {
		struct buf packed = BUF_INIT(65536), out = BUF_INIT((size_t)1 << 22), zeros = BUF_INIT((size_t)1 << 24);

		pack((enum pack_kind)kind, 0, buf_span(&text), &packed);
		for (size_t n = PACK_MAGIC; n < packed.n; n++) {
			buf_reset(&out);
			assert_int_equal(unpack(span_sub(buf_span(&packed), 0, n), SIZE_MAX, SIZE_MAX / 2, &out), 2);
		}
		for (size_t i = 4; i < packed.n; i++) {
			buf_reset(&out);
			packed.p[i] ^= 0x55;
			if (unpack(buf_span(&packed), SIZE_MAX, 1 << 20, &out) == 0)
				assert_true(span_eq(buf_span(&text), buf_span(&out)));
			packed.p[i] ^= 0x55;
		}
		/* Two streams are one message; what is no stream behind one is damage. */
		struct buf twice = BUF_INIT(131072);

		buf_add(&twice, buf_span(&packed));
		buf_add(&twice, buf_span(&packed));
		buf_reset(&out);
		assert_int_equal(unpack(buf_span(&twice), 3, SIZE_MAX / 2, &out), 0);
		assert_int_equal(out.n, 2 * text.n);
		buf_reset(&twice);
		buf_add(&twice, buf_span(&packed));
		buf_adds(&twice, "junk and more");
		assert_int_equal(unpack(buf_span(&twice), SIZE_MAX, SIZE_MAX / 2, &out), -1);
		buf_clear(&twice);

		for (int i = 0; i < 10000000; i++)
			buf_addc(&zeros, 'x');
		buf_reset(&packed);
		buf_reset(&out);
		pack((enum pack_kind)kind, 0, buf_span(&zeros), &packed);
		assert_true(packed.n < 20000);
		assert_int_equal(unpack(buf_span(&packed), SIZE_MAX, 100000, &out), 1);
		assert_int_equal(out.n, 100000);
		buf_clear(&packed);
		buf_clear(&out);
		buf_clear(&zeros);
	}
	buf_clear(&text);
}

static void
test_errors(void **state)
{
	struct unpacker *u;
	struct packer *p;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(unpacker_new(PACK_FOREIGN, &u, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	for (int kind = PACK_GZIP; kind <= PACK_ZSTD; kind++) {
		struct buf out = BUF_INIT(65536);

		assert_int_equal(packer_new((enum pack_kind)kind, 0, &p, &e), 0);
		assert_int_equal(packer_run(p, SPAN("some text"), refuse, NULL, &e), -1);
		assert_int_equal(e.code, ERR_QUOTA);
		/* and it is as good as new */
		assert_int_equal(packer_run(p, SPAN("some text"), add, &out, &e), 0);
		packer_free(p);
		struct buf plain = BUF_INIT(65536);

		assert_int_equal(unpack(buf_span(&out), SIZE_MAX, 65536, &plain), 0);
		assert_true(span_eq(buf_span(&plain), SPAN("some text")));
		buf_clear(&plain);
		buf_clear(&out);
	}
	unpacker_free(NULL);
	packer_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
