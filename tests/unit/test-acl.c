/* SPDX-License-Identifier: MIT */
/* Access control lists: lines, and what follows from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib-storage/acl.h"

static struct acl_list
parse(struct arena *a, const char *text, bool patterns)
{
	struct acl_list list;
	struct err e = ERR_INIT;

	if (acl_parse(span_str(text), patterns, a, &list, &e) == -1) {
		print_error("%s: %s\n", text, e.log);
		fail();
	}
	return list;
}

static const char *
letters(struct arena *a, unsigned rights)
{
	struct buf b = BUF_INIT(64);
	const char *text;

	acl_letters_write(&b, rights, false);
	text = b.n == 0 ? "" : arena_cstr(a, buf_span(&b));
	buf_clear(&b);
	return text;
}

static void
test_rights(void **state)
{
	static const struct {
		const char *text;
		bool owner;
		const char *want;	/* for bob, of the groups g1 and g2 */
	} cases[] = {
		{ "", false, "" },
		{ "", true, "lrwstipekxa" },
		{ "anyone lr\n", false, "lr" },
		{ "anyone lr\n", true, "lrwstipekxa" },
		{ "anonymous lr\n", false, "lr" },
		{ "authenticated lr\nanyone lrw\n", false, "lr" },
		/* groups are added up */
		{ "group=g1 lr\ngroup=g2 lrw\n", false, "lrw" },
		{ "group=g2 l\ngroup=g1 rw\n", false, "lrw" },
		{ "group=g3 lrw\n", false, "" },
		/* the nearer identifier takes the place of the others */
		{ "anyone lr\nuser=bob w\n", false, "w" },
		{ "user=bob w\nanyone lr\n", false, "w" },
		{ "anyone lr\nuser=bob\n", false, "" },
		{ "anyone lr\nuser=BOB lrw\n", false, "lr" },
		{ "user=bob lr\nuser=bob s\n", false, "lrs" },
		{ "user=bob lrws\ngroup-override=g1 lr\n", false, "lr" },
		{ "user=bob lrws\n-group-override=g1 r\n", false, "lws" },
		{ "owner lr\nuser=bob l\n", true, "l" },
		{ "owner lra\n", true, "lra" },
		{ "owner lr\n", false, "" },
		{ "-owner w\n", true, "lrstipekxa" },
		/* negative ones */
		{ "anyone lrws\n-user=bob w\n", false, "lrs" },
		{ "anyone lrws\n-anyone r\nuser=bob lrw\n", false, "lw" },
		{ "-anyone w\nanyone lrw\n-user=bob r\n", false, "lw" },
		{ "-group=g1 r\ngroup=g2 lrw\n", false, "lw" },
		/* forms */
		{ "user=bob :lookup read insert\n", false, "lri" },
		{ "user=bob l :lookup read\n", false, "lr" },
		{ "user=bob lr :something else\n", false, "lr" },
		{ "\"user=bob\" lr\n", false, "lr" },
		{ "# a word\n\n user=bob lr \r\n", false, "lr" },
		{ "user=bob lrwstipekxa", false, "lrwstipekxa" },
		{ "user=bob lc\n", false, "lkx" },
		{ "user=bob ld\n", false, "lte" },
	};
	const struct span groups[] = { SPAN("g1"), SPAN("g2") };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl_who who = { .user = SPAN("bob"), .groups = groups, .group_count = 2, .owner = cases[i].owner };
		struct arena *a = arena_new(1 << 20);
		struct acl_list list = parse(a, cases[i].text, false);
		struct acl_sum sum = { 0, 0 };

		acl_add(&sum, &list, &who, true, SPAN("x"), '/');
		if (strcmp(letters(a, acl_sum_rights(sum)), cases[i].want) != 0)
			print_error("case %zu: %s\n", i, cases[i].text);
		assert_string_equal(letters(a, acl_sum_rights(sum)), cases[i].want);
		arena_free(a);
	}
}

/* What applies everywhere comes last, and wins. */
static void
test_global(void **state)
{
	struct acl_who who = { .user = SPAN("bob") };
	struct arena *a = arena_new(1 << 20);
	struct acl_list local = parse(a, "user=bob lrwk\n", false), defaults = parse(a, "anyone lrk\n", false),
	    global = parse(a, "Public/A user=bob l\n\"Public/*\" user=bob s\n* user=carol lri\nWork% -user=bob w\n", true);
	struct acl_sum sum = { 0, 0 };

	(void)state;
	acl_add(&sum, &defaults, &who, false, SPAN("Public/A"), '/');
	acl_add(&sum, &local, &who, false, SPAN("Public/A"), '/');
	acl_add(&sum, &global, &who, false, SPAN("Public/A"), '/');
	assert_string_equal(letters(a, acl_sum_rights(sum)), "ls");
	sum = (struct acl_sum){ 0, 0 };
	acl_add(&sum, &local, &who, false, SPAN("Work1"), '/');
	acl_add(&sum, &global, &who, false, SPAN("Work1"), '/');
	assert_string_equal(letters(a, acl_sum_rights(sum)), "lrk");
	who.user = SPAN("carol");
	sum = (struct acl_sum){ 0, 0 };
	acl_add(&sum, &defaults, &who, false, SPAN("x"), '/');
	acl_add(&sum, &local, &who, false, SPAN("x"), '/');
	assert_string_equal(letters(a, acl_sum_rights(sum)), "lrk");
	acl_add(&sum, &global, &who, false, SPAN("x"), '/');
	assert_string_equal(letters(a, acl_sum_rights(sum)), "lri");
	arena_free(a);
}

static void
test_refused(void **state)
{
	static const char *const cases[] = {
		"bob lr\n", "user=bob lrq\n", "user= lr\n", "user=bob  lr w\n", "-\n", "- lr\n", "\"user=bob lr\n", "\"\" lr\n",
		"\"user=bob\"lr\n", "group= l\n", "owner=x l\n", "user=a\tb l\n", "user=\xff l\n", "anyone l\nx\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct acl_list list;
		struct err e = ERR_INIT;

		assert_int_equal(acl_parse(span_str(cases[i]), false, a, &list, &e), -1);
		assert_int_equal(e.code, ERR_SYNTAX);
		arena_free(a);
	}
	/* Of a global file a pattern is the first word. */
	struct arena *a = arena_new(1 << 20);
	struct acl_list list;
	struct err e = ERR_INIT;

	assert_int_equal(acl_parse(SPAN("user=bob lr\n"), true, a, &list, &e), -1);
	arena_free(a);
}

static void
test_limits(void **state)
{
	struct buf text = BUF_INIT(ACL_FILE_MAX);
	struct arena *a = arena_new(1 << 20);
	struct acl_list list;
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < ACL_ENTRIES_MAX; i++)
		buf_addf(&text, "user=u%d l\n", i);
	assert_int_equal(acl_parse(buf_span(&text), false, a, &list, &e), 0);
	assert_int_equal(list.n, ACL_ENTRIES_MAX);
	buf_adds(&text, "anyone l\n");
	assert_int_equal(acl_parse(buf_span(&text), false, a, &list, &e), -1);
	buf_clear(&text);
	arena_free(a);
}

static void
test_write(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct acl_list list = parse(a, "user=bob lr :b a read\n\"user=a \\\"b\" l\n-group=x w\nanyone\ngroup-override=z :q\nowner a\n",
	    false);
	struct buf out = BUF_INIT(4096);

	(void)state;
	acl_write(&out, &list);
	buf_addc(&out, '\0');
	assert_string_equal(out.p, "anyone \n-group=x w\nowner a\nuser=bob lr :b a\n\"user=a \\\"b\" l\ngroup-override=z :q\n");
	buf_clear(&out);
	arena_free(a);
}

static void
test_letters(void **state)
{
	struct buf out = BUF_INIT(64);
	unsigned rights;

	(void)state;
	assert_true(acl_letters_parse(SPAN("lrcd"), &rights));
	assert_int_equal(rights, ACL_LOOKUP | ACL_READ | ACL_CREATE | ACL_DELETE | ACL_EXPUNGE | ACL_DELETED);
	assert_false(acl_letters_parse(SPAN("lz"), &rights));
	assert_false(acl_letters_parse(SPAN("l r"), &rights));
	acl_letters_write(&out, ACL_LOOKUP | ACL_CREATE | ACL_DELETED, true);
	assert_true(span_eq(buf_span(&out), SPAN("ltkcd")));
	buf_clear(&out);
	assert_int_equal(acl_right_by_name(SPAN("Write-Seen")), ACL_SEEN);
	assert_int_equal(acl_right_by_name(SPAN("x")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
