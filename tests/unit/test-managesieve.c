/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "lib-protocol/managesieve.h"

/* "NAME|arg|#12" of what was understood, or why not. */
static void
parse(const char *text, size_t n, size_t max_literal, char out[512], size_t *used_out)
{
	struct arena *a = arena_new(65536);
	struct msieve_parse p;
	size_t at = 0;

	switch (msieve_parse(span_of(text, n), 200, max_literal, a, &p)) {
	case MSIEVE_MORE:
		snprintf(out, 512, "more");
		break;
	case MSIEVE_TOO_LONG:
		snprintf(out, 512, "too long %zu", p.need);
		break;
	case MSIEVE_BAD:
		snprintf(out, 512, "bad");
		break;
	case MSIEVE_DONE:
		at = (size_t)snprintf(out, 512, "%.*s", SPAN_ARG(p.command.name));
		for (size_t i = 0; i < p.command.arg_count; i++)
			at += (size_t)snprintf(out + at, 512 - at, "|%s%.*s", p.command.args[i].is_number ? "#" : "",
			    SPAN_ARG(p.command.args[i].text));
		break;
	}
	*used_out = p.used;
	arena_free(a);
}

static const struct {
	const char *text, *want;
} cases[] = {
	{ "NOOP\r\n", "NOOP" }, { "noop\n", "noop" }, { "NOOP \"a\"\r\n", "NOOP|a" },
	{ "PUTSCRIPT \"a \\\"b\\\\\" {5+}\r\nkeep;\r\n", "PUTSCRIPT|a \"b\\|keep;" },
	{ "PUTSCRIPT {1+}\r\na {2+}\r\n\r\n\r\n", "PUTSCRIPT|a|\r\n" },
	{ "HAVESPACE \"x\" 99\r\n", "HAVESPACE|x|#99" }, { "\"Zm9v\"\r\n", "|Zm9v" }, { "{4+}\r\nZm9v\r\n", "|Zm9v" },
	{ "\r\n", "" }, { "A \"\"\r\n", "A|" }, { "A {0+}\r\n\r\n", "A|" },
	{ "A {3}\r\nabc\r\n", "A|abc" }, { "A {x+}\r\n", "bad" }, { "A {3+\r\n", "bad" }, { "A {}\r\n", "bad" }, { "A {+}\r\n", "bad" },
	{ "A \"b\\c\"\r\n", "bad" }, { "A \"\xff\"\r\n", "bad" }, { "A \"\xc3\"\r\n", "bad" }, { "A \"\xc3\xa4\"\r\n", "A|\xc3\xa4" },
	{ "A {1+}\r\n\xff\r\n", "A|\xff" },
	/* The literals of what is wrong are no commands. */
	{ "A b {5+}\r\nLIST\n\r\n", "bad" }, { "A \"\\b\" {5}\r\nLIST\n {3+}\r\n\r\n\r \r\n", "bad" },
	{ "A b {300+}\r\n", "too long 312" }, { "A b {9999999999+}\r\n", "too long 0" }, { "A \"a\rb\"\r\n", "bad" }, { "A b\r\n", "bad" },
	{ "A 1 2 3 4 5\r\n", "bad" }, { "A \"a\"\rx\r\n", "bad" }, { "? \r\n", "bad" }, { "A {-1+}\r\n", "bad" },
	{ "A {300+}\r\n", "too long 310" }, { "A {9999999999+}\r\n", "too long 0" },
};

static void
test_parse(void **state)
{
	char out[512];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].text);

		parse(cases[i].text, n, 0, out, &used);
		if (strcmp(out, cases[i].want) != 0)
			fail_msg("%s: %s, not %s", cases[i].text, out, cases[i].want);
		if (strncmp(out, "too long", 8) == 0)
			continue;
		assert_int_equal(used, n);
		if (strcmp(out, "bad") == 0)
			continue;
		/* What is not whole is not taken. */
		for (size_t k = 0; k < n; k++) {
			parse(cases[i].text, k, 0, out, &used);
			assert_string_equal(out, "more");
		}
	}
}

static void
test_limits(void **state)
{
	char text[400], out[512];
	size_t used;

	(void)state;
	/* 200 octets at most, with the line's end. */
	memset(text, ' ', sizeof(text));
	text[0] = 'A';
	parse(text, 199, 0, out, &used);
	assert_string_equal(out, "more");
	parse(text, 200, 0, out, &used);
	assert_string_equal(out, "too long 0");
	text[199] = '\n';
	parse(text, 200, 0, out, &used);
	assert_string_equal(out, "A");
	/* What is there for a literal is not there for the line. */
	text[199] = ' ';
	parse(text, 199, 1000, out, &used);
	assert_string_equal(out, "more");
	parse(text, 200, 1000, out, &used);
	assert_string_equal(out, "too long 0");
	memcpy(text, "A {100+}\r\n", 10);
	text[399] = '\n';
	parse(text, 299, 1000, out, &used);
	assert_string_equal(out, "more");
	parse(text, 300, 1000, out, &used);
	assert_string_equal(out, "too long 0");
	text[299] = '\n';
	parse(text, 310, 1000, out, &used);
	assert_int_equal(used, 300);
	memcpy(text, "? {100+}\r\n", 10);
	parse(text, 310, 1000, out, &used);
	assert_string_equal(out, "bad");
	assert_int_equal(used, 300);
}

static void
test_strings(void **state)
{
	static const char *const strings[] = { "", "plain", "with \"quotes\" and \\", "two\r\nlines", "\xc3\xa4", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		struct buf b = BUF_INIT(4096);
		struct arena *a = arena_new(65536);
		struct msieve_parse p;

		msieve_put_string(&b, span_str(strings[i]));
		/* What a server writes as a literal has no plus. */
		if (b.p[0] != '{') {
			buf_adds(&b, "\r\n");
			assert_int_equal(msieve_parse(buf_span(&b), 1000, 0, a, &p), MSIEVE_DONE);
			assert_true(span_eq(p.command.args[0].text, span_str(strings[i])));
		} else {
			assert_true(span_ends(buf_span(&b), span_str(strings[i])));
		}
		buf_clear(&b);
		arena_free(a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_strings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
