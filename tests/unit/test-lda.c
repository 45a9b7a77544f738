/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lda/args.h"
#include "lda/userdb.h"

#define ARGS(...) (char *[]){ (char[]){ "culver-lda" }, __VA_ARGS__, NULL }

static int
parse(char *const *argv, struct lda_args *out)
{
	char why[200] = "";
	int argc = 0, rc;

	while (argv[argc] != NULL)
		argc++;
	rc = lda_args_parse(argc, argv, out, why, sizeof(why));
	assert_int_equal(rc == -1, why[0] != '\0');
	return rc;
}

static void
test_args(void **state)
{
	char d[] = "-d", bob[] = "bob", f[] = "-f", dash[] = "-x@a", empty[] = "", e[] = "-e", k[] = "-k", m[] = "-mWork",
	     o[] = "-o", set[] = "mail_debug=yes", bad[] = "-Z", word[] = "word", help[] = "--help", ek[] = "-ek", kem[] = "-kem",
	     kez[] = "-keZ", last[] = "--", dash1[] = "-", ked[] = "-kedbob";
	struct lda_args a;

	(void)state;
	assert_int_equal(parse(ARGS(d, bob, f, dash, e, k, m, o, set), &a), 0);
	assert_string_equal(a.user, "bob");
	assert_string_equal(a.sender, "-x@a");
	assert_string_equal(a.mailbox, "Work");
	assert_int_equal(a.override_count, 1);
	assert_string_equal(a.overrides[0], "mail_debug=yes");
	assert_null(a.config);
	assert_int_equal(parse(ARGS(f, empty), &a), 0);
	assert_string_equal(a.sender, "");
	assert_int_equal(parse(ARGS(help), &a), 0);
	assert_true(a.help);
	assert_int_equal(parse(ARGS(ek, d, bob, kem, word, last), &a), 0);
	assert_true(a.tells_rejection);
	assert_string_equal(a.user, "bob");
	assert_string_equal(a.mailbox, "word");
	assert_int_equal(parse(ARGS(ked), &a), 0);
	assert_string_equal(a.user, "bob");
	assert_int_equal(parse(ARGS(kem), &a), -1);
	assert_int_equal(parse(ARGS(kez), &a), -1);
	assert_int_equal(parse(ARGS(last, word), &a), -1);
	assert_int_equal(parse(ARGS(dash1), &a), -1);
	assert_int_equal(parse(ARGS(empty), &a), -1);
	assert_int_equal(parse(ARGS(d), &a), -1);
	assert_int_equal(parse(ARGS(bad), &a), -1);
	assert_int_equal(parse(ARGS(word), &a), -1);
}

static void
test_from_line(void **state)
{
	static const struct { const char *in, *sender, *rest; } cases[] = {
		{ "From bob@a Sat Nov 21 12:00:00 2026\nSubject: x\n", "bob@a", "Subject: x\n" },
		{ "From MAILER-DAEMON Sat\r\n\r\n", "MAILER-DAEMON", "\r\n" },
		{ "From <> Sat\n", "<>", "" },
		{ "From: bob@a\n", NULL, "From: bob@a\n" },
		{ "From bob", NULL, "From bob" },
		{ "", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span message = span_str(cases[i].in), sender = lda_from_line(&message);

		assert_int_equal(sender.p == NULL, cases[i].sender == NULL);
		assert_true(span_eq(sender, span_str(cases[i].sender)));
		assert_true(span_eq(message, span_str(cases[i].rest)));
	}
}

/* What is refused, what is none and taken as nobody's, and what it is. */
static const struct { const char *in; bool address_ok; bool sender_ok; const char *sender; } addresses[] = {
	{ "bob@a", true, true, "bob@a" },
	{ "<bob@a>", true, true, "bob@a" },
	{ "bob", true, true, "bob" },
	{ "\"a b\"@c", true, true, "\"a b\"@c" },
	{ "", false, true, "" },
	{ "<>", false, true, "" },
	{ "MAILER-DAEMON", true, true, "" },
	{ "MAILER-DAEMON@a", true, true, "MAILER-DAEMON@a" },
	{ "<bob", false, false, NULL },
	{ "bob>", false, true, NULL },
	{ "<bob@a> x", false, true, NULL },
	{ "@@", false, true, NULL },
	{ "@", false, true, NULL },
	{ "bob@", false, true, NULL },
	{ "bob@a@b", false, true, NULL },
	{ "a b@c", false, true, NULL },
	{ " bob@a", false, false, NULL },
	{ "bob@a ", false, true, NULL },
	{ "bob\nX: y", false, false, NULL },
	{ "Bob <bob@a>", false, true, NULL },
};

static void
test_addresses(void **state)
{
	struct arena *a = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct span in = span_str(addresses[i].in), out = SPAN_NONE;
		const char *why = NULL;

		if (lda_address(in, a, &out, &why) != addresses[i].address_ok || (why == NULL) != addresses[i].address_ok)
			fail_msg("address %s", addresses[i].in);
		out = SPAN_NONE;
		if (lda_sender(in, a, &out, &why) != addresses[i].sender_ok || (out.p == NULL) != (addresses[i].sender == NULL) ||
		    !span_eq(out, span_str(addresses[i].sender)))
			fail_msg("sender %s", addresses[i].in);
	}
	arena_free(a);
}

static void
test_userdb(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct identity id;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(userdb_line(SPAN("VERSION\t1\t1"), a, &id, &e), 0);
	assert_int_equal(userdb_line(SPAN("SPID\t12"), a, &id, &e), 0);
	assert_int_equal(userdb_line(SPAN("USER\t1\tb\001tb\tuid=5\tgid=6\thome=/h\tmail=maildir:~/x\tquota_rule=*:1"), a,
	    &id, &e), 1);
	assert_true(span_eq(id.user, SPAN("b\tb")));
	assert_int_equal(id.uid, 5);
	assert_int_equal(id.gid, 6);
	assert_true(span_eq(id.home, SPAN("/h")));
	assert_true(span_eq(id.fields, SPAN("mail=maildir:~/x\0quota_rule=*:1\0")));
	assert_int_equal(userdb_line(SPAN("NOTFOUND\t1"), a, &id, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_int_equal(userdb_line(SPAN("FAIL\t1"), a, &id, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	/* Mail is never delivered as a user whose number was not told. */
	assert_int_equal(userdb_line(SPAN("USER\t1\tbob\tuid=5"), a, &id, &e), -1);
	assert_int_equal(userdb_line(SPAN("USER\t1\tbob\tuid=x\tgid=6"), a, &id, &e), -1);
	assert_int_equal(userdb_line(SPAN("USER\t1"), a, &id, &e), -1);
	/* Nobody is asked about a name that would end the line; who can not be asked has said nothing, of a name with an umlaut either. */
	assert_int_equal(userdb_ask("/nowhere/socket", SPAN("bob\tx"), a, &id, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_int_equal(userdb_ask("/nowhere/socket", SPAN("j\xc3\xbcrgen"), a, &id, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args), cmocka_unit_test(test_from_line), cmocka_unit_test(test_addresses), cmocka_unit_test(test_userdb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
