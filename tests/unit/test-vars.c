/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib-config/vars.h"

static const struct var table[] = {
	{ 'u', "user", SPAN("Ab\"c.De@Ex.Example.com") },
	{ 'n', "username", SPAN("Ab\"c.De") },
	{ 'd', "domain", SPAN("Ex.Example.com") },
	{ 's', "service", SPAN("255") },
	{ 'i', "uid", SPAN("12345") },
	{ 'e', "empty", SPAN("") },
	{ 'y', "nothing", SPAN_NONE },
	{ 'h', "home", SPAN_NONE },
	{ 0, "trail", SPAN("trail  \t\r\n") },
	{ '$', NULL, SPAN("Login") },
	{ 0, "userdb:shape", SPAN("round") },
	{ 0, NULL, SPAN_NONE }
};

/* want NULL: an error. */
static const struct {
	const char *in, *want;
} cases[] = {
	{ "", "" },
	{ "plain text", "plain text" },
	{ "%u", "Ab\"c.De@Ex.Example.com" },
	{ "<%n|%d>", "<Ab\"c.De|Ex.Example.com>" },
	{ "%{user}", "Ab\"c.De@Ex.Example.com" },
	{ "%%u %%%n", "%u %Ab\"c.De" },
	{ "%$: %{uid}", "Login: 12345" },
	{ "[%e%{nothing}]", "[]" },
	{ "%Lu", "ab\"c.de@ex.example.com" },
	{ "%LUn", "AB\"C.DE" },
	{ "%L{username}", "ab\"c.de" },
	{ "%En", "Ab\\\"c.De" },
	{ "%Xs", "ff" },
	{ "%08Xi", "00003039" },
	{ "%Xn", "0" },
	{ "%Rd", "moc.elpmaxE.xE" },
	{ "%3Ru", "moc" },
	{ "%Dd", "Ex,dc=Example,dc=com" },
	{ "%T{trail}|", "trail|" },
	{ "%Mu", "9e52ce563fbb7bde473e3b07476f91d2" },
	{ "%4Mu", "9e52" },
	{ "%2.26Mu", "52ce563fbb7bde473e3b07476f" },
	{ "%Nu", "3fbb7bde" },
	{ "%2.26Nu", "00" },
	{ "%256Nu", "de" },
	{ "%8.256Nu", "000000de" },
	{ "%Hu", "c26425d" },
	{ "%2.256Hu", "5d" },
	{ "%3RHu", "1" },
	{ "%3u", "Ab\"" },
	{ "%.3u", "Ab\"" },
	{ "%2.1u", "\"" },
	{ "%-2.2u", "om" },
	{ "%-20.2u", "\"c" },
	{ "%-99.2u", "Ab" },
	{ "%20.2u", "om" },
	{ "%99.2u", "" },
	{ "%-5u", "Ab\"c." },
	{ "%0.-2u", "Ab\"c.De@Ex.Example.c" },
	{ "%012u", "Ab\"c.De@Ex.Example.com" },
	{ "%08i", "00012345" },
	{ "%1.06i", "002345" },
	{ "%5.3{user}", "De@" },
	{ "%{md5:user}", "9e52ce563fbb7bde473e3b07476f91d2" },
	{ "%{md5:u}", "9e52ce563fbb7bde473e3b07476f91d2" },
	{ "%{md5;truncate=32:user}", "9e52ce56" },
	{ "%{md5;truncate=13:user}", "13ca" },
	{ "%{md5;format=base64:user}", "nlLOVj+7e95HPjsHR2+R0g==" },
	{ "%{md5;format=hexuc:user}", "9E52CE563FBB7BDE473E3B07476F91D2" },
	{ "%4{md5:user}", "9e52" },
	{ "%{sha256:user}", "8f30870334acb4f3ad348ce9478d738a6028cdce75c8b7db447f7087f389b672" },
	{ "%{sha256;rounds=2,salt=abc:user}", "1928e2ce771029375ea97ab5e5f007d5c6875175c2ffc3d060cca22adbee12c3" },
	{ "%{sha256;salt=abc:user}", "654aaa71fb3aea54577f704cae1d4e9c0f0422d819db3c9bb10520980612bb58" },
	{ "%{sha3-256:user}", "6623339930949cc8d0019b838ab120d40b8195e915054d1149e818aad8ea136e" },
	{ "%{pkcs5;rounds=10,salt=abcdefgh:user}", "2d8d35b714d505b1bcaa92de81af120696da7399cdb8fd841c0f918e5b235b11" },
	{ "%{if;%d;eq;example.com;yes;no}", "no" },
	{ "%{if;%Ld;eq;ex.example.com;yes;no}", "yes" },
	{ "%{if;%{user};ne;x;%{md5:user};no}", "9e52ce563fbb7bde473e3b07476f91d2" },
	{ "%{if;5;==;5;a\\;b;c}", "a;b" },
	{ "%{if;1;==;1;\\%{user};b}", "%{user}" },
	{ "%{if;a:b;eq;a:b;x;y}", "x" },
	{ "%{if;a;*;?;x;y}", "x" },
	{ "%{if;abc;~;^a.c$;x;y}", "x" },
	{ "%{if;abc;!~;^a.c$;x;y}", "y" },
	{ "%{if;abc;!*;a*;x;y}", "y" },
	{ "%{if;10;>;9;y;n}%{if;10;<;9;y;n}%{if;-1;<=;0;y;n}%{if;3;>=;4;y;n}%{if;3;!=;4;y;n}", "ynyny" },
	{ "%{if;b;gt;ab;y;n}%{if;b;lt;ab;y;n}%{if;b;le;b;y;n}%{if;b;ge;c;y;n}", "ynyn" },
	{ "%{if;x;eq;y;z}", "" },
	{ "%{if;x;eq;x;z;}", "z" },
	{ "%{if;%e;eq;;empty;full}", "empty" },
	{ "%{if;%{if;a;eq;a;b;c};eq;b;%{if;1;<;2;d;e};f}", "d" },
	{ "postmaster@%{if;%d;ne;;%d;fallback}", "postmaster@Ex.Example.com" },
	{ "%{env:CULVER_TEST_VARS}", "from outside" },
	{ "%{env:CULVER_TEST_NOT_SET}", "" },
	{ "%{userdb:shape}", "round" },
	{ "%{userdb:shape:square}", "round" },
	{ "%{userdb:colour:blue}", "blue" },
	{ "%{userdb:colour}", "" },
	{ "%h", NULL },
	{ "%{home}", NULL },
	{ "%q", NULL },
	{ "%{nosuch}", NULL },
	{ "%{}", NULL },
	{ "%", NULL },
	{ "100%", NULL },
	{ "%5", NULL },
	{ "%L", NULL },
	{ "%{user", NULL },
	{ "%{user\\}", NULL },
	{ "%{md5;rounds=0:user}", NULL },
	{ "%{md5;rounds=999999999:user}", NULL },
	{ "%{md5;colour=red:user}", NULL },
	{ "%{md5;rounds=2}", NULL },
	{ "%{md5:nosuch}", NULL },
	{ "%{if;x;==;5;x;y}", NULL },
	{ "%{if;a;eq;b}", NULL },
	{ "%{if;a;eq;b;c;d;e}", NULL },
	{ "%{if;a;like;b;c;d}", NULL },
	{ "%{if;a;~;(;c;d}", NULL },
	{ "%999999999u", NULL },
	{ "%{if;1;==;1;%{if;1;==;1;%{if;1;==;1;%{if;1;==;1;%{if;1;==;1;%{if;1;==;1;%{if;1;==;1;%{if;1;==;1;"
	  "%{if;1;==;1;a;b};b};b};b};b};b};b};b};b}", NULL },
};

static void
test_expand(void **state)
{
	(void)state;
	setenv("CULVER_TEST_VARS", "from outside", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT(1000);
		struct err e = ERR_INIT;
		int rc = vars_expand(&out, span_str(cases[i].in), table, &e);

		if (cases[i].want == NULL) {
			if (rc == 0)
				fail_msg("%s: gave '%.*s'", cases[i].in, SPAN_ARG(buf_span(&out)));
			assert_int_equal(e.code, ERR_SYNTAX);
		} else if (rc == -1) {
			fail_msg("%s: %s", cases[i].in, e.log);
		} else if (!span_eq(buf_span(&out), span_str(cases[i].want))) {
			fail_msg("%s: gave '%.*s', wanted '%s'", cases[i].in, SPAN_ARG(buf_span(&out)), cases[i].want);
		}
		/* What can be expanded passes the check. */
		if (rc == 0 && vars_check(span_str(cases[i].in), &e) == -1)
			fail_msg("%s: %s", cases[i].in, e.log);
		buf_clear(&out);
	}
}

static void
test_check(void **state)
{
	static const char *const wrong[] = {
		"%", "%{", "%{if;a;b}", "%{if;a;like;b;c;d}", "%{md5;rounds=x:user}", "%{if;1;==;1;a;%{md5;x=y:u}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(vars_check(span_str(wrong[i]), &e), -1);
		assert_int_equal(e.code, ERR_SYNTAX);
	}
}

static void
test_limit(void **state)
{
	struct buf out = BUF_INIT(10);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(vars_expand(&out, SPAN("%u"), table, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_clear(&out);
}

static void
test_user(void **state)
{
	static const struct {
		const char *user, *in, *want;
	} users[] = {
		{ "bob", "%u|%n|%d|%h", "bob|bob||/home/x" },
		{ "bob@a.org", "%u|%n|%d", "bob@a.org|bob|a.org" },
		{ "bob@a@b", "%n|%d|%{domain_first}|%{domain_last}", "bob|a@b|a|b" },
		{ "bob", "[%{domain_first}%{domain_last}]", "[]" },
		{ "@", "%n|%d|%{domain_last}", "||" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		struct var vars[VARS_USER_COUNT + 1] = { { .letter = 0 } };
		struct buf out = BUF_INIT(100);
		struct err e = ERR_INIT;

		vars_for_user(vars, span_str(users[i].user), SPAN("/home/x"));
		assert_int_equal(vars_expand(&out, span_str(users[i].in), vars, &e), 0);
		if (!span_eq(buf_span(&out), span_str(users[i].want)))
			fail_msg("%s: '%.*s'", users[i].user, SPAN_ARG(buf_span(&out)));
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
