/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "auth/user-name.h"

static void
test_names(void **state)
{
	static const struct {
		struct span in;
		const char *want;	/* NULL: refused */
	} cases[] = {
		{ { "bob", 3 }, "bob" },
		{ { "Bob@Example.ORG", 15 }, "bob@example.org" },
		{ { "", 0 }, NULL },
		{ { ".", 1 }, NULL },
		{ { "..", 2 }, NULL },
		{ { "..@d", 4 }, NULL },
		{ { "u@..", 4 }, NULL },
		{ { "u@.", 3 }, NULL },
		{ { "u@d@.", 5 }, NULL },
		{ { "a..b", 4 }, NULL },
		{ { "..bob", 5 }, NULL },
		{ { "@d", 2 }, NULL },
		{ { "u@", 2 }, NULL },
		{ { "u/v", 3 }, NULL },
		{ { "../u", 4 }, NULL },
		{ { "u\0v", 3 }, NULL },
		{ { "u\nv", 3 }, NULL },
		{ { "u v", 3 }, NULL },
		{ { "b\xc3\xb6", 3 }, NULL },
		{ { ".bob", 4 }, ".bob" },
		{ { "b.o.b-1_2", 9 }, "b.o.b-1_2" },
	};
	struct arena *a = arena_new(65536);
	struct auth_conf c;

	(void)state;
	conf_defaults(&c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		struct span out = SPAN_NONE;
		int rc = user_name_make(&c, cases[i].in, a, &out, &e);

		if ((rc == 0) != (cases[i].want != NULL) || (rc == 0 && !span_eq(out, span_str(cases[i].want))))
			fail_msg("case %zu %.*s: %.*s %s", i, SPAN_ARG(cases[i].in), SPAN_ARG(out), e.log);
	}
	arena_free(a);
}

static void
test_settings(void **state)
{
	struct arena *a = arena_new(65536);
	struct err e = ERR_INIT;
	struct auth_conf c;
	struct span out;
	char longest[300];

	(void)state;
	conf_defaults(&c);
	c.default_realm = SPAN("example.org");
	assert_int_equal(user_name_make(&c, SPAN("bob"), a, &out, &e), 0);
	assert_true(span_eq(out, SPAN("bob@example.org")));
	assert_int_equal(user_name_make(&c, SPAN("bob@x"), a, &out, &e), 0);
	assert_true(span_eq(out, SPAN("bob@x")));
	conf_translation(&c, SPAN("#@/@"));
	conf_username_chars(&c, SPAN("bobx@"));
	assert_int_equal(user_name_make(&c, SPAN("bob#x"), a, &out, &e), 0);
	assert_true(span_eq(out, SPAN("bob@x")));
	/* What the settings make of a name is checked as well. */
	conf_defaults(&c);
	c.username_format = SPAN("%n/../%d");
	assert_int_equal(user_name_make(&c, SPAN("bob@x"), a, &out, &e), -1);
	c.username_format = SPAN("%2n");
	assert_int_equal(user_name_make(&c, SPAN("bob"), a, &out, &e), 0);
	conf_username_chars(&c, SPAN_NONE);
	c.username_format = SPAN_NONE;
	assert_int_equal(user_name_make(&c, SPAN("J\xc3\xb6rg M"), a, &out, &e), 0);
	assert_int_equal(user_name_make(&c, SPAN("J\xc3"), a, &out, &e), -1);
	assert_int_equal(user_name_make(&c, SPAN("a/b"), a, &out, &e), -1);
	assert_int_equal(user_name_make(&c, SPAN("a\x7f"), a, &out, &e), -1);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(user_name_make(&c, span_of(longest, 255), a, &out, &e), 0);
	assert_int_equal(user_name_make(&c, span_of(longest, 256), a, &out, &e), -1);
	arena_free(a);
}

static void
test_patterns(void **state)
{
	static const struct {
		const char *filter, *name;
		bool want;
	} cases[] = {
		{ "", "bob", true },
		{ "bob", "bob", true },
		{ "bob", "bobby", false },
		{ "b*", "bobby", true },
		{ "*@example.org", "a@example.org", true },
		{ "*@example.org", "a@example.com", false },
		{ "b?b", "bob", true },
		{ "b?b", "bb", false },
		{ "!bob", "bob", false },
		{ "!bob", "ann", true },
		{ "a* !ann", "ann", false },
		{ "a* !ann", "amy", true },
		{ "a* !ann", "bob", false },
		{ "a*, b*", "bob", true },
		{ "*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (user_name_passes_filter(span_str(cases[i].filter), span_str(cases[i].name)) != cases[i].want)
			fail_msg("%s %s", cases[i].filter, cases[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_settings), cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests_name("user name", tests, NULL, NULL);
}
