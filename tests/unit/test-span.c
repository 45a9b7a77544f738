/* SPDX-License-Identifier: MIT */
#include "testing.h"
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
		{ "5", 4, false, 0 },
		{ "00000000000000000000000000000000000007", 9, true, 7 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ "1 ", 99, false, 0 },
		{ "1\xb0", 99, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
	};
	uint32_t small = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t v = 0;

		assert_int_equal(span_u64(span_str(cases[i].in), cases[i].max, &v), cases[i].ok);
		assert_true(v == cases[i].want);
	}
	assert_false(span_u32(SPAN("4294967296"), &small));
	assert_int_equal(small, 7);
	assert_true(span_u32(SPAN("4294967295"), &small));
	assert_int_equal(small, UINT32_MAX);
}

static void
test_lines(void **state)
{
	struct span in = SPAN("one\r\ntwo\n\n\r\nthr"), line;
	static const char *const want[] = { "one", "two", "", "" };
	size_t used = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(span_line(in, &used, &line));
		assert_span(line, want[i]);
	}
	assert_false(span_line(in, &used, &line));
	assert_int_equal(used, 12);
	used = 0;
	assert_false(span_line(SPAN_NONE, &used, &line));
}

static void
test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		int cmp, icmp;
	} cases[] = {
		{ "", "", 0, 0 },
		{ "", "a", -1, -1 },
		{ "a", "", 1, 1 },
		{ "a", "a", 0, 0 },
		{ "A", "a", -1, 0 },
		{ "a", "B", 1, -1 },
		{ "abc", "ab", 1, 1 },
		{ "ab", "ABC", 1, -1 },
		{ "[", "{", -1, -1 },		/* not letters: 0x20 apart and yet different */
		{ "\xc3", "a", 1, 1 },		/* octets are unsigned */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span a = span_str(cases[i].a), b = span_str(cases[i].b);
		int cmp = span_cmp(a, b), icmp = span_icmp(a, b);

		assert_int_equal((cmp > 0) - (cmp < 0), cases[i].cmp);
		assert_int_equal((icmp > 0) - (icmp < 0), cases[i].icmp);
		assert_int_equal(span_eq(a, b), cases[i].cmp == 0);
		assert_int_equal(span_ieq(a, b), cases[i].icmp == 0);
	}
	assert_true(span_eq(SPAN_NONE, SPAN("")));
	assert_true(span_eq(span_str(NULL), SPAN("")));
}

static void
test_ends(void **state)
{
	static const struct {
		const char *s, *part;
		bool starts, istarts, ends;
	} cases[] = {
		{ "INBOX/a", "INBOX", true, true, false },
		{ "inbox", "INBOX", false, true, false },
		{ "INBO", "INBOX", false, false, false },
		{ "x", "", true, true, true },
		{ "", "", true, true, true },
		{ "a.lock", ".lock", false, false, true },
		{ "lock", ".lock", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span s = span_str(cases[i].s), part = span_str(cases[i].part);

		assert_int_equal(span_starts(s, part), cases[i].starts);
		assert_int_equal(span_istarts(s, part), cases[i].istarts);
		assert_int_equal(span_ends(s, part), cases[i].ends);
	}
}

static void
test_cutting(void **state)
{
	struct span s = SPAN("abcdef");

	(void)state;
	assert_span(span_sub(s, 1, 2), "bc");
	assert_span(span_sub(s, 4, 9), "ef");
	assert_span(span_sub(s, 4, SIZE_MAX), "ef");
	assert_span(span_sub(s, 9, 1), "");
	assert_span(span_from(s, 6), "");
	assert_span(span_from(SPAN_NONE, 3), "");
	assert_int_equal(span_chr(s, 'c'), 2);
	assert_int_equal(span_chr(s, 'x'), 6);
	assert_int_equal(span_chr(SPAN_NONE, 'x'), 0);
	assert_span(span_trim(SPAN(" \t\r\n a b\r\n")), "a b");
	assert_span(span_trim(SPAN(" \n ")), "");
	assert_span(span_trim(SPAN_NONE), "");
}

static void
test_next(void **state)
{
	static const struct {
		const char *in;
		const char *want[4];
	} cases[] = {
		{ "", { NULL } },
		{ "a", { "a" } },
		{ "a,", { "a" } },
		{ ",a", { "", "a" } },
		{ "a,,b", { "a", "", "b" } },
		{ ",", { "" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span rest = span_str(cases[i].in), piece;
		size_t k;

		for (k = 0; span_next(&rest, ',', &piece); k++) {
			assert_non_null(cases[i].want[k]);
			assert_span(piece, cases[i].want[k]);
		}
		assert_null(cases[i].want[k]);
	}
}

static void
test_find(void **state)
{
	static const struct {
		const char *s, *needle;
		size_t at, iat;
	} cases[] = {
		{ "", "", 0, 0 },
		{ "abc", "", 0, 0 },
		{ "", "a", SIZE_MAX, SIZE_MAX },
		{ "abc", "abcd", SIZE_MAX, SIZE_MAX },
		{ "abc", "abc", 0, 0 },
		{ "abc", "c", 2, 2 },
		{ "ABC", "bc", SIZE_MAX, 1 },
		{ "aaab", "ab", 2, 2 },
		{ "ab[", "b{", SIZE_MAX, SIZE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span s = span_str(cases[i].s), needle = span_str(cases[i].needle);

		assert_true(span_find(s, needle) == cases[i].at);
		assert_true(span_ifind(s, needle) == cases[i].iat);
	}
}

/* A text made to be slow: each place matches but for the last octet.  Found, or not, all the same. */
static void
test_find_hostile(void **state)
{
	size_t n = 400000, m = 20000;
	char *text = malloc(n), *needle = malloc(m);
	struct span whole = span_of(text, n), wanted = span_of(needle, m);

	(void)state;
	memset(text, 'A', n);
	memset(needle, 'a', m);
	needle[m - 1] = 'b';
	assert_true(span_ifind(whole, wanted) == SIZE_MAX);
	text[n - 1] = 'B';
	assert_true(span_ifind(whole, wanted) == n - m);
	text[n - 1] = 'a';
	text[300000] = 'b';
	assert_true(span_ifind(whole, wanted) == 300001 - m);
	free(text);
	free(needle);
}

static void
test_ascii(void **state)
{
	(void)state;
	assert_int_equal(ascii_lower('Z'), 'z');
	assert_int_equal(ascii_lower('['), '[');
	assert_int_equal(ascii_lower('\xc4'), '\xc4');
	assert_int_equal(ascii_upper('a'), 'A');
	assert_int_equal(ascii_upper('{'), '{');
	assert_true(ascii_is_alpha('a') && ascii_is_alpha('Z') && !ascii_is_alpha('@') && !ascii_is_alpha('`'));
	assert_true(ascii_is_digit('0') && ascii_is_digit('9') && !ascii_is_digit('/') && !ascii_is_digit(':'));
	assert_true(ascii_is_wsp(' ') && ascii_is_wsp('\t') && !ascii_is_wsp('\n'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_hostile),
		cmocka_unit_test(test_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
