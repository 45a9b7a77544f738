/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib/span.h"

static void
test_numbers(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "0", 9, true, 0 },
		{ "9", 9, true, 9 },
		{ "10", 9, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "1 ", 99, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 0;

		assert_int_equal(span_u64(span_str(cases[i].in), cases[i].max, &v), cases[i].ok);
		assert_true(v == cases[i].want);
	}
}

static void
test_lines(void **state)
{
	struct span in = SPAN("one\r\ntwo\nthr"), line;
	size_t used = 0;

	(void)state;
	assert_true(span_line(in, &used, &line));
	assert_true(span_eq(line, SPAN("one")));
	assert_true(span_line(in, &used, &line));
	assert_true(span_eq(line, SPAN("two")));
	assert_false(span_line(in, &used, &line));
	assert_int_equal(used, 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
