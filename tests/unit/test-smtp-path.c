/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib-deliver/smtp-path.h"

#define LOCAL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct path_case {
	const char *in;
	unsigned flags;
	int rc;
	size_t used;
	const char *local, *domain, *text;
} paths[] = {
	{ "<bob@example.org>", 0, 0, 17, "bob", "example.org", "bob@example.org" },
	{ "<bob> SIZE=1", 0, 0, 5, "bob", "", "bob" },
	{ "<bob+x/y=z@[127.0.0.1]>", 0, 0, 23, "bob+x/y=z", "[127.0.0.1]", "bob+x/y=z@[127.0.0.1]" },
	{ "<\"b \\\"o\\\\b\"@a>", 0, 0, 14, "b \"o\\b", "a", "\"b \\\"o\\\\b\"@a" },
	{ "<\"a@b\"@c>", 0, 0, 9, "a@b", "c", "\"a@b\"@c" },
	{ "<@one,@two:bob@three>", 0, 0, 21, "bob", "three", "bob@three" },
	{ "<..a..@b>", 0, 0, 9, "..a..", "b", "..a..@b" },
	{ "<>", SMTP_PATH_NULL, 0, 2, "", "", "" },
	{ "<>", 0, -1, 0, NULL, NULL, NULL },
	{ "bob@a", 0, -1, 0, NULL, NULL, NULL },
	{ "bob@a SIZE=2", SMTP_PATH_BARE, 0, 5, "bob", "a", "bob@a" },
	{ "", SMTP_PATH_BARE, -1, 0, NULL, NULL, NULL },
	{ "<bob", 0, -1, 0, NULL, NULL, NULL },
	{ "<bob@>", 0, -1, 0, NULL, NULL, NULL },
	{ "<@a>", 0, -1, 0, NULL, NULL, NULL },
	{ "<@a:>", 0, -1, 0, NULL, NULL, NULL },
	{ "<bob@a>x", 0, -1, 0, NULL, NULL, NULL },
	{ "<bo b@a>", 0, -1, 0, NULL, NULL, NULL },
	{ "<bob@a b>", 0, -1, 0, NULL, NULL, NULL },
	{ "<b\xc3\xb6@a>", 0, -1, 0, NULL, NULL, NULL },
	{ "<\"b\rb\"@a>", 0, -1, 0, NULL, NULL, NULL },
	{ "<\"bob@a>", 0, -1, 0, NULL, NULL, NULL },
	{ "<\"bob\\", 0, -1, 0, NULL, NULL, NULL },
	{ "<bob@[1>", 0, -1, 0, NULL, NULL, NULL },
	{ "<<bob>>", 0, -1, 0, NULL, NULL, NULL },
	{ "<" LOCAL63 LOCAL63 LOCAL63 LOCAL63 LOCAL63 LOCAL63 LOCAL63 LOCAL63 LOCAL63 ">", 0, -1, 0, NULL, NULL, NULL },
};

static void
test_paths(void **state)
{
	struct arena *a = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct path_case *c = &paths[i];
		struct smtp_path p;
		const char *why = NULL;
		size_t used = 0;

		arena_reset(a);
		assert_int_equal(smtp_path_parse(span_str(c->in), c->flags, a, &p, &used, &why), c->rc);
		if (c->rc == -1) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(used, c->used);
		assert_true(span_eq(p.local, span_str(c->local)));
		assert_true(span_eq(p.domain, span_str(c->domain)));
		assert_true(span_eq(p.text, span_str(c->text)));
	}
	arena_free(a);
}

static void
test_nul(void **state)
{
	struct arena *a = arena_new(1 << 16);
	struct smtp_path p;
	const char *why;
	size_t used;

	(void)state;
	assert_int_equal(smtp_path_parse(SPAN("<bob\0x@a>"), 0, a, &p, &used, &why), -1);
	assert_int_equal(smtp_path_parse(SPAN("<bob@a\0b>"), 0, a, &p, &used, &why), -1);
	assert_int_equal(smtp_path_parse(SPAN("<\"bob\0\"@a>"), 0, a, &p, &used, &why), -1);
	arena_free(a);
}

static void
test_address(void **state)
{
	struct arena *a = arena_new(1 << 16);
	struct smtp_path p;
	const char *why;

	(void)state;
	assert_int_equal(smtp_address_parse(SPAN("bob+x@example.org"), a, &p, &why), 0);
	assert_true(span_eq(p.local, SPAN("bob+x")));
	assert_int_equal(smtp_address_parse(SPAN("bob@example.org "), a, &p, &why), -1);
	assert_int_equal(smtp_address_parse(SPAN(""), a, &p, &why), -1);
	arena_free(a);
}

/* Each parameter as name=value;, a malformed one as "!". */
static const struct { const char *in, *want; } params[] = {
	{ "", "" },
	{ " SIZE=10 BODY=8BITMIME", "SIZE=10;BODY=8BITMIME;" },
	{ "  RET=FULL  ", "RET=FULL;" },
	{ " SMTPUTF8", "SMTPUTF8;" },
	{ " ORCPT=rfc822;bob+2Bx@a NOTIFY=NEVER", "ORCPT=rfc822;bob+2Bx@a;NOTIFY=NEVER;" },
	{ "SIZE=1", "!" },
	{ " SIZE=", "!" },
	{ " =1", "!" },
	{ " -A", "!" },
	{ " A_B", "!" },
	{ " A=b\x7f", "!" },
	{ " A=b\xc3\xb6", "A=b\xc3\xb6;" },
};

static void
test_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct span rest = span_str(params[i].in);
		char got[200] = "";
		struct smtp_param p;
		int rc;

		while ((rc = smtp_param_next(&rest, &p)) == 1) {
			strncat(got, p.name.p, p.name.n);
			if (p.value.p != NULL) {
				strcat(got, "=");
				strncat(got, p.value.p, p.value.n);
			}
			strcat(got, ";");
		}
		if (rc == -1)
			strcat(got, "!");
		assert_string_equal(got, params[i].want);
	}
}

static const struct { const char *in, *delimiters, *user, *detail; } details[] = {
	{ "bob+lists", "+", "bob", "lists" },
	{ "bob+a+b", "+", "bob", "a+b" },
	{ "bob-a+b", "+-", "bob", "a+b" },
	{ "bob+", "+", "bob", "" },
	{ "+bob", "+", NULL, NULL },
	{ "bob", "+", NULL, NULL },
	{ "bob+x", "", NULL, NULL },
	{ "", "+", NULL, NULL },
};

static void
test_details(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		struct span user = SPAN_NONE, detail = SPAN_NONE;
		bool found = smtp_detail_split(span_str(details[i].in), span_str(details[i].delimiters), &user, &detail);

		assert_int_equal(found, details[i].user != NULL);
		assert_true(span_eq(user, span_str(details[i].user)));
		assert_true(span_eq(detail, span_str(details[i].detail)));
	}
}

static void
test_xtext(void **state)
{
	struct arena *a = arena_new(65536);
	char every[127];

	(void)state;
	assert_true(span_eq(smtp_xtext_encode(SPAN("a+b=c d@x"), a), SPAN("a+2Bb+3Dc+20d@x")));
	for (size_t i = 0; i < sizeof(every) - 33; i++)
		every[i] = (char)(i + 33);
	assert_true(span_eq(smtp_xtext_decode(smtp_xtext_encode(span_of(every, sizeof(every) - 33), a), a), span_of(every, sizeof(every) - 33)));
	arena_free(a);
}

/* RFC 3461 sections 4.1 to 4.4. */
static const struct { bool (*check)(struct span value); const char *in; bool want; } values[] = {
	{ smtp_notify_is_valid, "never", true },
	{ smtp_notify_is_valid, "SUCCESS,failure,DELAY", true },
	{ smtp_notify_is_valid, "NEVER,SUCCESS", false },
	{ smtp_notify_is_valid, "SUCCESS,", false },
	{ smtp_notify_is_valid, ",SUCCESS", false },
	{ smtp_notify_is_valid, "SUCCESS,,DELAY", false },
	{ smtp_notify_is_valid, "SUCCESS,FOO", false },
	{ smtp_notify_is_valid, "", false },
	{ smtp_ret_is_valid, "full", true },
	{ smtp_ret_is_valid, "HDRS", true },
	{ smtp_ret_is_valid, "HDR", false },
	{ smtp_ret_is_valid, "", false },
	{ smtp_envid_is_valid, "QQ314159", true },
	{ smtp_envid_is_valid, "a+20b+2B+3D", true },
	{ smtp_envid_is_valid, "", false },
	{ smtp_envid_is_valid, "a+zz", false },
	{ smtp_envid_is_valid, "a+2b", false },		/* lower case is none */
	{ smtp_envid_is_valid, "a+2", false },
	{ smtp_envid_is_valid, "a+", false },
	{ smtp_envid_is_valid, "a=b", false },
	{ smtp_envid_is_valid, "a+0Ab", false },
	{ smtp_envid_is_valid, "a+7Fb", false },
	{ smtp_envid_is_valid, "a\xc3\xb6", false },
};

static void
test_values(void **state)
{
	char hundred[103];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i].check(span_str(values[i].in)) != values[i].want)
			fail_msg("case %zu: %s", i, values[i].in);
	memset(hundred, 'x', sizeof(hundred));
	memcpy(hundred, "+41", 3);
	assert_true(smtp_envid_is_valid(span_of(hundred, 102)));
	assert_false(smtp_envid_is_valid(span_of(hundred, 103)));
}

static const struct { const char *in; bool utf8; const char *type, *address; } orcpts[] = {
	{ "rfc822;bob@a", false, "rfc822", "bob@a" },
	{ "RFC822;b+2Bx@a", false, "RFC822", "b+2Bx@a" },
	{ "x400;c=de", false, NULL, NULL },
	{ "x400;/c+3Dde", false, "x400", "/c+3Dde" },
	{ "utf-8;a\\x{FC}+b@c", false, "utf-8", "a\\x{FC}+b@c" },
	{ "utf-8;\xc3\xbc@c", true, "utf-8", "\xc3\xbc@c" },
	{ "utf-8;\xc3\xbc@c", false, NULL, NULL },
	{ "utf-8;\xc3@c", true, NULL, NULL },
	{ "rfc822;\xc3\xbc@c", true, NULL, NULL },
	{ "rfc822;a+zz@b", false, NULL, NULL },
	{ "rfc822;a+0D+0A@b", false, NULL, NULL },
	{ "rfc822;", false, NULL, NULL },
	{ ";bob@a", false, NULL, NULL },
	{ "r.fc;bob@a", false, NULL, NULL },
	{ "bob@a", false, NULL, NULL },
	{ "", false, NULL, NULL },
};

static void
test_orcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(orcpts) / sizeof(orcpts[0]); i++) {
		struct span type = SPAN_NONE, address = SPAN_NONE;

		if (smtp_orcpt_split(span_str(orcpts[i].in), orcpts[i].utf8, &type, &address) != (orcpts[i].type != NULL))
			fail_msg("case %zu: %s", i, orcpts[i].in);
		assert_true(span_eq(type, span_str(orcpts[i].type)));
		assert_true(span_eq(address, span_str(orcpts[i].address)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xtext), cmocka_unit_test(test_paths), cmocka_unit_test(test_nul), cmocka_unit_test(test_address),
		cmocka_unit_test(test_params), cmocka_unit_test(test_details), cmocka_unit_test(test_values), cmocka_unit_test(test_orcpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
