/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/crlf.h"

static const struct {
	struct span in, out;
	size_t lines;
} cases[] = {
	{ { "", 0 }, { "", 0 }, 0 },
	{ { "a", 1 }, { "a", 1 }, 0 },
	{ { "\n", 1 }, { "\r\n", 2 }, 1 },
	{ { "\r\n", 2 }, { "\r\n", 2 }, 1 },
	{ { "\r", 1 }, { "\r", 1 }, 0 },
	{ { "\n\n", 2 }, { "\r\n\r\n", 4 }, 2 },
	{ { "\r\r\n", 3 }, { "\r\r\n", 3 }, 1 },
	{ { "a\nb\r\nc\rd\n", 9 }, { "a\r\nb\r\nc\rd\r\n", 11 }, 3 },
	{ { "\n\r\n\r", 4 }, { "\r\n\r\n\r", 5 }, 2 },
	{ { "a\0b\n", 4 }, { "a\0b\r\n", 5 }, 1 },
};

/* A long text in which every distance of line ends to a multiple of 16 occurs. */
static struct span
long_text(char *room, size_t size)
{
	uint32_t seed = 7;

	for (size_t i = 0; i < size; i++) {
		seed = seed * 1103515245 + 12345;
		room[i] = (seed >> 16) % 9 == 0 ? '\n' : (seed >> 16) % 7 == 0 ? '\r' : 'x';
	}
	return span_of(room, size);
}

/* The plainest way to do it. */
static void
slowly(struct buf *out, struct span in, size_t *lines)
{
	*lines = 0;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			buf_addc(out, '\r');
		buf_addc(out, in.p[i]);
		*lines += in.p[i] == '\n';
	}
}

static void
check(struct span in, struct span want, size_t lines)
{
	struct crlf_count count = { 0, 0 };
	struct buf out = BUF_INIT(1 << 20);

	crlf_count(&count, in, 0);
	assert_int_equal(count.lines, lines);
	assert_int_equal(in.n + count.bare, want.n);
	assert_int_equal(crlf_size(in), want.n);
	crlf_add(&out, in);
	assert_true(span_eq(buf_span(&out), want));

	/* Through rooms of any size, and any partial fetch. */
	for (size_t size = 1; size < 20; size++) {
		struct crlf state = { false };
		struct span rest = in;
		char room[20];

		buf_reset(&out);
		while (rest.n > 0)
			buf_add(&out, span_of(room, crlf_convert(&state, &rest, room, size)));
		assert_true(span_eq(buf_span(&out), want));
	}
	for (size_t from = 0; from <= want.n + 1; from += 1 + want.n / 50) {
		struct crlf state = { false };
		struct span rest = in;
		uint64_t skipped = crlf_skip(&state, &rest, from);
		char room[64];
		size_t n = crlf_convert(&state, &rest, room, sizeof(room));

		assert_int_equal(skipped, from < want.n ? from : want.n);
		assert_true(span_eq(span_of(room, n), span_sub(want, from, sizeof(room))));
	}
	buf_clear(&out);
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cases[i].in, cases[i].out, cases[i].lines);
}

static void
test_long(void **state)
{
	struct buf want = BUF_INIT(1 << 20);
	char *room = malloc(20000);
	size_t lines;

	(void)state;
	for (size_t size = 1; size < 20000; size = size * 3 + 1) {
		struct span in = long_text(room, size);

		buf_reset(&want);
		slowly(&want, in, &lines);
		check(in, buf_span(&want), lines);
	}
	buf_clear(&want);
	free(room);
}

/* The octet before a piece decides whether its first LF is bare. */
static void
test_prev(void **state)
{
	struct crlf_count count = { 0, 0 };

	(void)state;
	crlf_count(&count, SPAN("\n"), '\r');
	assert_int_equal(count.bare, 0);
	crlf_count(&count, SPAN("\n"), 'x');
	assert_int_equal(count.bare, 1);
	assert_int_equal(count.lines, 2);
}

static void
test_limit(void **state)
{
	struct buf out = BUF_INIT(3);

	(void)state;
	crlf_add(&out, SPAN("a\nb"));
	assert_true(out.failed);
	assert_int_equal(out.n, 0);
	buf_reset(&out);
	crlf_add(&out, SPAN("a\n"));
	assert_false(out.failed);
	buf_clear(&out);
}

static void
test_nuls(void **state)
{
	char text[] = "\0a\0\0b";

	(void)state;
	crlf_mask_nuls(text, 5);
	assert_memory_equal(text, "\x80" "a\x80\x80" "b", 6);
	crlf_mask_nuls(text, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_prev),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_nuls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
