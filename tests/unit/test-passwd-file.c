/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "auth/fields.h"
#include "auth/passwd-file.h"

static void
test_lines(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		const char *user, *password, *uid, *home, *extra;
	} cases[] = {
		{ "bob:{PLAIN}x:1:2:Bob B:/home/bob:/bin/sh:a=b c=d", true, "bob", "{PLAIN}x", "1", "/home/bob", "a=b c=d" },
		{ "bob:x:1:2::/h::allow_nets=::1/128,2001:db8::/32 z", true, "bob", "x", "1", "/h",
		  "allow_nets=::1/128,2001:db8::/32 z" },
		{ "bob", true, "bob", "", "", "", "" },
		{ "bob:x\r", true, "bob", "x", "", "", "" },
		{ "bob::::::", true, "bob", "", "", "", "" },
		{ "#bob:x", false, "", "", "", "", "" },
		{ "", false, "", "", "", "", "" },
		{ "\r", false, "", "", "", "", "" },
		{ ":x:1", false, "", "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct passwd_entry e;

		assert_int_equal(passwd_line_parse(span_str(cases[i].line), &e), cases[i].ok);
		if (!cases[i].ok)
			continue;
		if (!span_eq(e.user, span_str(cases[i].user)) || !span_eq(e.password, span_str(cases[i].password)) ||
		    !span_eq(e.uid, span_str(cases[i].uid)) || !span_eq(e.home, span_str(cases[i].home)) ||
		    !span_eq(e.extra, span_str(cases[i].extra)))
			fail_msg("%s", cases[i].line);
	}
}

static void
test_table(void **state)
{
	struct passwd_table *t;
	size_t doubles;

	(void)state;
	t = passwd_table_new(SPAN("a:1\nb:2\na:3\n\n#c:4\nnul\0:5\nlast:6"), &doubles);
	assert_non_null(t);
	assert_int_equal(doubles, 1);
	assert_true(span_eq(passwd_table_find(t, SPAN("a"))->password, SPAN("1")));
	assert_true(span_eq(passwd_table_find(t, SPAN("last"))->password, SPAN("6")));
	assert_null(passwd_table_find(t, SPAN("c")));
	assert_null(passwd_table_find(t, SPAN("nul")));
	assert_null(passwd_table_find(t, SPAN("")));
	assert_null(passwd_table_at(t, 4));
	passwd_table_free(t);
	t = passwd_table_new(SPAN_NONE, &doubles);
	assert_null(passwd_table_at(t, 0));
	passwd_table_free(t);
}

static void
test_words(void **state)
{
	static const struct {
		const char *in;
		int count;		/* -1: malformed */
		const char *name, *value;	/* of the last one */
	} cases[] = {
		{ "", 0, "", "" },
		{ "  a=b  ", 1, "a", "b" },
		{ "a=b nologin", 2, "nologin", "" },
		{ "a=\"b c\" d=\"e \\\" f\"", 2, "d", "e \" f" },
		{ "a=\"\" b=c=d", 2, "b", "c=d" },
		{ "a=\"never ends", -1, "", "" },
		{ "=x", 1, "", "x" },
	};
	struct arena *a = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span rest = span_str(cases[i].in), name = SPAN_NONE, value = SPAN_NONE;
		struct err e = ERR_INIT;
		int n = 0, rc;

		while ((rc = fields_next_word(&rest, a, &name, &value, &e)) == 1)
			n++;
		assert_int_equal(rc == -1 ? -1 : n, cases[i].count);
		if (n > 0 && rc == 0 &&
		    (!span_eq(name, span_str(cases[i].name)) || !span_eq(value, span_str(cases[i].value))))
			fail_msg("%s: %.*s %.*s", cases[i].in, SPAN_ARG(name), SPAN_ARG(value));
	}
	arena_free(a);
}

static void
test_fields(void **state)
{
	struct arena *a = arena_new(65536);
	struct err e = ERR_INIT;
	struct fields f;

	(void)state;
	fields_init(&f, a);
	assert_int_equal(fields_set(&f, SPAN("a"), SPAN("1"), &e), 0);
	assert_int_equal(fields_set(&f, SPAN("b"), SPAN("no"), &e), 0);
	assert_int_equal(fields_set(&f, SPAN("a"), SPAN("2"), &e), 0);
	assert_int_equal(f.count, 2);
	assert_true(span_eq(fields_value(&f, SPAN("a")), SPAN("2")));
	assert_true(fields_is_true(&f, SPAN("a")));
	assert_false(fields_is_true(&f, SPAN("b")));
	assert_false(fields_is_true(&f, SPAN("c")));
	assert_int_equal(fields_set(&f, SPAN("x=y"), SPAN("2"), &e), -1);
	assert_int_equal(fields_set(&f, SPAN(""), SPAN("2"), &e), -1);
	assert_int_equal(fields_set(&f, SPAN("x"), SPAN("a\0b"), &e), -1);
	for (int i = 0; i < FIELDS_MAX - 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(fields_set(&f, span_str(name), SPAN(""), &e), 0);
	}
	assert_int_equal(fields_set(&f, SPAN("more"), SPAN(""), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	arena_free(a);
}

static unsigned changes;

static void
on_change(void *data)
{
	(void)data;
	changes++;
}

static void
write_file(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(content, f);
	assert_int_equal(fclose(f), 0);
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/test-passwd-file.XXXXXX", one[64], two[64];
	struct passwd_files *files = passwd_files_new(1, on_change, NULL);
	const struct passwd_table *t;
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(one, sizeof(one), "%s/one", dir);
	snprintf(two, sizeof(two), "%s/two", dir);
	assert_null(passwd_files_get(files, span_str(one), &e));
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_null(passwd_files_get(files, span_str(dir), &e));
	assert_null(passwd_files_get(files, SPAN(""), &e));
	write_file(one, "a:1\n");
	t = passwd_files_get(files, span_str(one), &e);
	assert_non_null(t);
	assert_ptr_equal(passwd_files_get(files, span_str(one), &e), t);
	assert_int_equal(changes, 0);
	write_file(one, "a:1\nb:2\n");
	t = passwd_files_get(files, span_str(one), &e);
	assert_non_null(passwd_table_find(t, SPAN("b")));
	assert_int_equal(changes, 1);
	/* Only one is kept: the other makes room. */
	write_file(two, "c:1\n");
	assert_non_null(passwd_files_get(files, span_str(two), &e));
	assert_non_null(passwd_files_get(files, span_str(one), &e));
	passwd_files_free(files);
	unlink(one);
	unlink(two);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_table), cmocka_unit_test(test_words),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("passwd-file", tests, NULL, NULL);
}
