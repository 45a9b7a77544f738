/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/address-single.h"
#include "lib-mail/address.h"
#include "lib-mail/imap-mime.h"

static const struct {
	const char *in;
	const char *want;	/* as ENVELOPE has it (RFC 3501 section 7.4.2) */
} cases[] = {
	{ "", "NIL" },
	{ " \r\n ", "NIL" },
	{ "(c)", "NIL" },
	{ ",", "NIL" },
	{ "a@b", "((NIL NIL \"a\" \"b\"))" },
	{ "a@b, ,c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "a@b;c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "Foo <a@b>", "((\"Foo\" NIL \"a\" \"b\"))" },
	{ "J. R. Smith <a@b>", "((\"J. R. Smith\" NIL \"a\" \"b\"))" },
	{ "\"Smith, J\" <a@b>", "((\"Smith, J\" NIL \"a\" \"b\"))" },
	{ "\"a\\\"b\" <\"x y\"@z>", "((\"a\\\"b\" NIL \"x y\" \"z\"))" },
	{ "Foo \"q\" bar <a@b>", "((\"Foo q bar\" NIL \"a\" \"b\"))" },
	{ "Foo\r\n Bar\n <a@b>", "((\"Foo Bar\" NIL \"a\" \"b\"))" },
	{ "\"Foo\n Bar\" <a@b>", "((\"Foo Bar\" NIL \"a\" \"b\"))" },
	{ "Foo (c) Bar <a(x)@(y)b>", "((\"Foo Bar\" NIL \"a\" \"b\"))" },
	{ "=?utf-8?q?x?= <a@b>", "((\"=?utf-8?q?x?=\" NIL \"a\" \"b\"))" },
	{ "a@b (Name)", "((\"Name\" NIL \"a\" \"b\"))" },
	{ "(Name) a@b", "((NIL NIL \"a\" \"b\"))" },
	{ "a@b (x (y) z) (second)", "((\"second\" NIL \"a\" \"b\"))" },
	{ "a@b (x (y) z)", "((\"x (y) z\" NIL \"a\" \"b\"))" },
	{ "a@b (\\) x)", "((\") x\" NIL \"a\" \"b\"))" },
	{ "\"\" <a@b>", "((NIL NIL \"a\" \"b\"))" },
	{ "a.b. c@d . e", "((NIL NIL \"a.b.c\" \"d.e\"))" },			/* RFC 5322 section 4.4 */
	{ "\"a\".b@c", "((NIL NIL \"a.b\" \"c\"))" },
	{ "a@[1.2.3.4]", "((NIL NIL \"a\" \"[1.2.3.4]\"))" },
	{ "<a@[IPv6:::1]>", "((NIL NIL \"a\" \"[IPv6:::1]\"))" },
	{ "<@r1,@r2:a@b>", "((NIL \"@r1,@r2\" \"a\" \"b\"))" },
	{ "<@r1@r2@r3:a@b>", "((NIL \"@r1,@r2,@r3\" \"a\" \"b\"))" },
	{ "< @ r1 (c) , , @r2 : a@b >", "((NIL \"@r1,@r2\" \"a\" \"b\"))" },
	{ "<@foo>", "((NIL \"INVALID_ROUTE\" \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "grp: a@b, c@d;", "((NIL NIL \"grp\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL))" },
	{ "undisclosed-recipients:;", "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))" },
	{ "\"a b\" : ; , x@y", "((NIL NIL \"a b\" NIL)(NIL NIL NIL NIL)(NIL NIL \"x\" \"y\"))" },
	{ "grp: a@b", "((NIL NIL \"grp\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))" },
	{ "g1: g2: a@b;;, c@d", "((NIL NIL \"g1\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)(NIL NIL \"c\" \"d\"))" },
	{ "foo", "((NIL NIL \"foo\" \"MISSING_DOMAIN\"))" },
	{ "foo bar", "((\"foo bar\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "\"foo bar\"", "((\"foo bar\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "a b@c", "((\"a b\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "foo@", "((NIL NIL \"foo\" \"MISSING_DOMAIN\"))" },
	{ "@foo", "((NIL NIL \"MISSING_MAILBOX\" \"foo\"))" },
	{ "<foo>", "((NIL NIL \"foo\" \"MISSING_DOMAIN\"))" },
	{ "<foo@>", "((NIL NIL \"foo\" \"SYNTAX_ERROR\"))" },
	{ "Foo <>", "((\"Foo\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "Foo <a@b", "((\"Foo\" NIL \"a\" \"SYNTAX_ERROR\"))" },
	{ "<a b@c>, d@e", "((NIL NIL \"a\" \"SYNTAX_ERROR\")(NIL NIL \"d\" \"e\"))" },
	{ "<a@b@c>", "((NIL NIL \"a\" \"SYNTAX_ERROR\"))" },
	{ "<a,b@c>", "((NIL NIL \"a\" \"SYNTAX_ERROR\")(NIL NIL \"b\" \"c\"))" },
	{ "<mailto:a@b>, c@d", "((NIL NIL \"mailto\" \"SYNTAX_ERROR\")(NIL NIL \"c\" \"d\"))" },
	{ "<<a@b>>", "((NIL NIL \"MISSING_MAILBOX\" \"SYNTAX_ERROR\"))" },
	{ "a@b c@d, e@f", "((NIL NIL \"a\" \"b\")(NIL NIL \"e\" \"f\"))" },
	{ "\"unterminated <a@b>", "((\"\\\"unterminated\" NIL \"a\" \"b\"))" },
	{ "(unterminated <a@b>", "NIL" },
	{ "a@b) > , c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "M\xc3\xbcller <a@b>", "(({7}\r\nM\xc3\xbcller NIL \"a\" \"b\"))" },
	{ "a\\b@c", "((NIL NIL \"a\\\\b\" \"c\"))" },
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct buf got = BUF_INIT(10000);
		struct address *list;
		bool truncated = true;

		assert_int_equal(address_parse(a, span_str(cases[i].in), 100, &list, &truncated), 0);
		assert_false(truncated);
		imap_addresses_write(&got, list);
		if (!span_eq(buf_span(&got), span_str(cases[i].want)))
			fail_msg("%s gave %s", cases[i].in, buf_cstr(&got));
		buf_clear(&got);
		arena_free(a);
	}
}

static const struct {
	const char *in, *want;	/* as a header field has it */
} lists[] = {
	{ "a@b,Foo  Bar <c@d>", "a@b, Foo Bar <c@d>" },
	{ "\"Smith, J\" <a@b>", "\"Smith, J\" <a@b>" },
	{ "J. Smith <a@b>", "\"J. Smith\" <a@b>" },
	{ "<\"x y\"@z>, <\"x\"@z>", "\"x y\"@z, x@z" },
	{ "g: a@b, c@d; e@f", "g: a@b, c@d;, e@f" },
	{ "g:;", "g:;" },
	{ "\"a\\\\\\\"b\" <c@d>", "\"a\\\\\\\"b\" <c@d>" },
	{ "<a..b@c>", "\"a..b\"@c" },
};

static void
test_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct buf got = BUF_INIT(10000);
		struct address *list;

		assert_int_equal(address_parse(a, span_str(lists[i].in), 100, &list, NULL), 0);
		address_write_list(&got, list);
		assert_string_equal(buf_cstr(&got), lists[i].want);
		buf_clear(&got);
		arena_free(a);
	}
}

static void
test_first(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct address *list;

	(void)state;
	assert_int_equal(address_parse(a, SPAN("g:; h: x@y;"), 100, &list, NULL), 0);
	assert_true(span_eq(address_first(list)->mailbox, SPAN("x")));
	assert_true(address_is_group_start(list) && address_is_group_end(list->next));
	assert_int_equal(address_parse(a, SPAN("g:;"), 100, &list, NULL), 0);
	assert_null(address_first(list));
	arena_free(a);
}

/* 120,000 addresses and other walls of text: the cap holds, and each takes a blink. */
static void
test_limits(void **state)
{
	static const char *const walls[] = { "user@example.org, ", "(", "\"", "\\\"", "\"a\" ", "<", "@", "a:", "=?a?q?x ", "<@a,", "a(b)." };
	struct arena *a = arena_new(16 << 20);
	struct address *list;
	bool truncated;

	(void)state;
	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		struct buf text = BUF_INIT(16 << 20);
		size_t count = 0;

		for (int k = 0; k < 120000; k++)
			buf_adds(&text, walls[i]);
		assert_int_equal(address_parse(a, buf_span(&text), 1000, &list, &truncated), 0);
		for (; list != NULL; list = list->next)
			count++;
		assert_in_range(count, 0, 1001);	/* a group's end comes on top */
		if (i == 0)
			assert_true(truncated && count == 1000);
		buf_clear(&text);
		arena_reset(a);
	}
	arena_free(a);
	a = arena_new(100);
	assert_int_equal(address_parse(a, SPAN("a@b, c@d, e@f"), 1000, &list, NULL), -1);
	arena_free(a);
}

static const struct {
	const char *in, *want;	/* NULL: it is not exactly one address */
} singles[] = {
	{ "ann@example.org", "ann@example.org" },
	{ " \r\n\tann @ example.org ", "ann@example.org" },
	{ "Ann B. <ann@example.org>", "ann@example.org" },
	{ " Ann  B  <  ann  @  example.org  > ", "ann@example.org" },
	{ "Ann<ann@example.org>", "ann@example.org" },
	{ "<ann@example.org>", "ann@example.org" },
	{ "(c) ann (d (e\\)) f) @ (g) example.org (h)", "ann@example.org" },
	{ "\"Ann, B\" <ann@example.org>", "ann@example.org" },
	{ "J\xc3\xbcrgen <j@example.org>", "j@example.org" },
	{ "=?utf-8?q?J=C3=BCrgen?= <j@example.org>", "j@example.org" },
	{ "\"ann\"@example.org", "ann@example.org" },
	{ "\"a[n]n\"@example.org", "\"a[n]n\"@example.org" },
	{ "\"a\\n\\\"n\"@example.org", "\"an\\\"n\"@example.org" },
	{ "\"a..b\"@example.org", "\"a..b\"@example.org" },
	{ "..a..b..@example.org", "..a..b..@example.org" },
	{ "\"a@b\"@example.org", "\"a@b\"@example.org" },
	{ "ann@-_.x", "ann@-_.x" },
	{ "ann@[192.0.2.1]", "ann@[192.0.2.1]" },
	{ "ann@localhost", "ann@localhost" },
	{ "", NULL },
	{ "ann", NULL },
	{ "@", NULL },
	{ "@example.org", NULL },
	{ "ann@", NULL },
	{ "ann@.example.org", NULL },
	{ "ann@example..org", NULL },
	{ "ann@example.org.", NULL },
	{ "ann@@example.org", NULL },
	{ "ann@b@example.org", NULL },
	{ "ann b@example.org", NULL },
	{ "Ann B ann@example.org", NULL },
	{ "ann@example.org b", NULL },
	{ "ann@example.org>", NULL },
	{ "<ann@example.org", NULL },
	{ "<>", NULL },
	{ "Ann <ann>", NULL },
	{ "Ann <ann@>", NULL },
	{ "Ann <", NULL },
	{ "Ann, B <ann@example.org>", NULL },
	{ "<@a.example:ann@example.org>", NULL },
	{ "g: ann@example.org;", NULL },
	{ "ann@example.org, bob@example.org", NULL },
	{ "ann@example.org (", NULL },
	{ "\"\"@example.org", NULL },
	{ "\"a\\", NULL },
	{ "\"a\nb\"@example.org", NULL },
	{ "j\xc3\xbcrgen@example.org", NULL },
	{ "ann@b\xc3\xbc" "cher.example", NULL },
};

static void
test_single(void **state)
{
	struct arena *a = arena_new(1 << 20), *small = arena_new(8);
	struct span got;
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
		int rc = address_single_parse(a, span_str(singles[i].in), &got);

		if (rc != (singles[i].want == NULL ? -1 : 0) || (rc == 0 && !span_eq(got, span_str(singles[i].want))))
			fail_msg("%s gave %.*s", singles[i].in, rc == 0 ? (int)got.n : 4, rc == 0 ? got.p : "none");
	}
	for (size_t i = 0; i < ADDRESS_SINGLE_MAX - 2; i++)
		buf_addc(&text, 'x');
	buf_adds(&text, "@y");
	assert_int_equal(address_single_parse(a, buf_span(&text), &got), 0);
	buf_addc(&text, 'y');
	assert_int_equal(address_single_parse(a, buf_span(&text), &got), -1);
	buf_reset(&text);
	for (size_t i = 0; i < 100000; i++)
		buf_adds(&text, "\"(\" (");
	assert_int_equal(address_single_parse(a, buf_span(&text), &got), -1);
	assert_int_equal(address_single_parse(small, SPAN("ann@example.org"), &got), -1);
	buf_clear(&text);
	arena_free(small);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_single),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
