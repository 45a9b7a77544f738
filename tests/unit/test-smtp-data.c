/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/buf.h"
#include "lmtp/data.h"

/* What is sent behind DATA; the message; what is left for the next command (NULL: the message does not end). */
static const struct { struct span in, want; const char *left; } cases[] = {
#define CASE(in, want, left) { { in, sizeof(in) - 1 }, { want, sizeof(want) - 1 }, left }
	CASE("hello\r\n.\r\n", "hello\r\n", ""),
	CASE(".\r\n", "", ""),
	CASE(".\r\nQUIT\r\n", "", "QUIT\r\n"),
	CASE("..\r\n.\r\n", ".\r\n", ""),
	CASE("...a\r\n.\r\n", "..a\r\n", ""),
	CASE(".a\r\n.\r\n", "a\r\n", ""),
	/* Only CR LF . CR LF is the end. */
	CASE("a\n.\nRCPT\r\n.\r\n", "a\n.\nRCPT\r\n", ""),
	CASE("a\n.\r\nMAIL\r\n.\r\n", "a\n.\r\nMAIL\r\n", ""),
	CASE("a\r\n.\nMAIL\r\n.\r\n", "a\r\n\nMAIL\r\n", ""),
	CASE("a\r\n.\rMAIL\r\n.\r\n", "a\r\n\rMAIL\r\n", ""),
	CASE("a\r.\r\nMAIL\r\n.\r\n", "a\r.\r\nMAIL\r\n", ""),
	CASE("a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", ""),
	CASE("a\r\r\n.\r\n", "a\r\r\n", ""),
	CASE("a\n\r\n.\r\n", "a\n\r\n", ""),
	CASE("\r\n.\r\n", "\r\n", ""),
	CASE("\0.\r\n\0\r\n.\r\n", "\0.\r\n\0\r\n", ""),
	CASE("a\n..b\r\n.\r\n", "a\n..b\r\n", ""),
	CASE("a\r\n", "a\r\n", NULL),
	CASE("a\r\n.\r", "a\r\n", NULL),
	CASE("a\r\n.x", "a\r\nx", NULL),
	CASE("", "", NULL),
};

/* Feeds `in` in two or more pieces; how much was taken. */
static size_t
feed(struct span in, size_t first, size_t step, struct smtp_data *d, struct buf *out)
{
	size_t at = 0, n = first;

	while (at < in.n && d->state != SMTP_DATA_END) {
		struct span piece = span_sub(in, at, n), rest = piece;
		char room[256];

		buf_add(out, span_of(room, smtp_data(d, &rest, room)));
		assert_true(rest.n == 0 || d->state == SMTP_DATA_END);
		at += piece.n - rest.n;
		n = step;
	}
	return at;
}

/* Cutting the input can delay the verdict, never change it. */
static void
test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = cases[i].in;

		for (size_t cut = 1; cut <= in.n + 1; cut++)
			for (size_t step = 1; step <= in.n + 1; step += in.n + (in.n == 0)) {
				struct smtp_data d = { SMTP_DATA_START };
				struct buf out = BUF_INIT(1000);
				size_t used = feed(in, cut, step, &d, &out);

				assert_int_equal(d.state == SMTP_DATA_END, cases[i].left != NULL);
				assert_true(span_eq(buf_span(&out), cases[i].want));
				if (cases[i].left != NULL)
					assert_true(span_eq(span_from(in, used), span_str(cases[i].left)));
				buf_clear(&out);
			}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cuts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
