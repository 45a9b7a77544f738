/* SPDX-License-Identifier: MIT */
/* The pure functions: file names, LIST patterns, mail_location, the control file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib-storage/list-match.h"
#include "lib-storage/location.h"
#include "lib-storage/maildir/maildir.h"

static void
test_file_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
		uint64_t size, virtual_size;
		uint32_t validity, uid;
		long long sec;
		unsigned flags, keywords;
	} cases[] = {
		{ "1700000000.M12P3.host,S=10,W=12,U=0000abcd.7:2,FS", true, 10, 12, 0xabcd, 7, 1700000000,
		    IDX_FLAGGED | IDX_SEEN, 0 },
		{ "1700000000.M12P3.host", true, UINT64_MAX, UINT64_MAX, 0, 0, 1700000000, 0, 0 },
		{ "1700000000.host:2,", true, UINT64_MAX, UINT64_MAX, 0, 0, 1700000000, 0, 0 },
		{ "msg:2,DPRTacz", true, UINT64_MAX, UINT64_MAX, 0, 0, 0,
		    IDX_DRAFT | IDX_PASSED | IDX_ANSWERED | IDX_DELETED, 1u | 4u | 1u << 25 },
		{ "a,S=x,W=-1,U=1.0:2,S", true, UINT64_MAX, UINT64_MAX, 0, 0, 0, IDX_SEEN, 0 },
		{ "a,U=123456789.1", true, UINT64_MAX, UINT64_MAX, 0, 0, 0, 0, 0 },
		{ "a,U=1.4294967295", true, UINT64_MAX, UINT64_MAX, 0, 0, 0, 0, 0 },
		{ "a,U=1.4294967294:1,S", true, UINT64_MAX, UINT64_MAX, 1, 4294967294u, 0, 0, 0 },
		{ "a,S=18446744073709551615", true, UINT64_MAX, UINT64_MAX, 0, 0, 0, 0, 0 },
		{ "17,U=00000001.2", true, UINT64_MAX, UINT64_MAX, 1, 2, 17, 0, 0 },
		{ ".hidden", false, 0, 0, 0, 0, 0, 0, 0 },
		{ "", false, 0, 0, 0, 0, 0, 0, 0 },
		{ ":2,S", false, 0, 0, 0, 0, 0, 0, 0 },
		{ "a/b", false, 0, 0, 0, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildir_name n;

		assert_int_equal(maildir_name_parse(span_str(cases[i].name), &n), cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_true(n.size == cases[i].size);
		assert_true(n.virtual_size == cases[i].virtual_size);
		assert_int_equal(n.uidvalidity, cases[i].validity);
		assert_int_equal(n.uid, cases[i].uid);
		assert_true(n.sec == cases[i].sec);
		assert_int_equal(n.flags, cases[i].flags);
		assert_int_equal(n.keywords, cases[i].keywords);
	}
}

static void
test_tags(void **state)
{
	static const struct {
		const char *base, *want;
	} cases[] = {
		{ "a", "a,U=0000000a.5" },
		{ "a,S=3,U=00000001.2", "a,S=3,U=0000000a.5" },
		{ "a,U=1.2,S=3", "a,S=3,U=0000000a.5" },
	};
	char out[MAILDIR_NAME_MAX + 1], longest[MAILDIR_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(maildir_name_tag(out, span_str(cases[i].base), 10, 5));
		assert_string_equal(out, cases[i].want);
	}
	memset(longest, 'x', sizeof(longest));
	assert_false(maildir_name_tag(out, span_of(longest, MAILDIR_NAME_MAX), 10, 5));
	assert_true(maildir_name_new(out, 1, 2, 3, 4));
	assert_true(maildir_name_info(out, SPAN("a"), SPAN_NONE, IDX_FLAGS, 5, true));
	assert_string_equal(out, "a:2,DFPRSTac");
	assert_true(maildir_name_info(out, SPAN("a"), SPAN("SZ"), 0, 0, false));
	assert_string_equal(out, "a");
	/* Letters of other programs stay, in their place; what they think of ours does not. */
	assert_true(maildir_name_info(out, SPAN("a"), SPAN("FSZ1aZ,X=/"), IDX_SEEN | IDX_DELETED, 2, true));
	assert_string_equal(out, "a:2,1STZb");
	assert_true(maildir_name_info(out, span_of(longest, 240), SPAN("ABCEGHIJKLMNOQUVWXYZ"), IDX_FLAGS, 63, true));
	assert_string_equal(out + 240, ":2,DFPRSTabcdef");
}

static void
test_sizes_of_copies(void **state)
{
	static const struct {
		const char *name;
		uint64_t file, known, size, virtual_size;
	} cases[] = {
		{ "a,S=10,W=12", 10, 12, 10, 12 },
		{ "a,S=10,W=12", 7, 13, 10, 13 },			/* compressed */
		{ "a,S=10,W=12", 7, UINT64_MAX, 10, 12 },
		{ "a,S=10,W=12", 14, 16, 14, 16 },			/* it was wrong */
		{ "a", 10, 12, UINT64_MAX, 12 },			/* nobody has looked */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildir_name n;
		uint64_t size, virtual_size;

		assert_true(maildir_name_parse(span_str(cases[i].name), &n));
		maildir_name_sizes(&n, cases[i].file, cases[i].known, &size, &virtual_size);
		assert_true(size == cases[i].size && virtual_size == cases[i].virtual_size);
	}
}

static void
test_list_match(void **state)
{
	static const struct {
		const char *pattern, *name;
		char sep;
		enum list_match want;
	} cases[] = {
		{ "*", "a.b", '.', LIST_YES },
		{ "%", "a", '.', LIST_YES },
		{ "%", "a.b", '.', LIST_NO },
		{ "%.%", "a", '.', LIST_PARENT },
		{ "%.%", "a.b", '.', LIST_YES },
		{ "a%", "abc", '/', LIST_YES },
		{ "a%/c", "abc", '/', LIST_PARENT },
		{ "a*c", "a.b.c", '.', LIST_YES },
		{ "a*c", "a.b", '.', LIST_PARENT },
		{ "inbox", "INBOX", '.', LIST_YES },
		{ "iNbOx.%", "INBOX.a", '.', LIST_YES },
		{ "inbox.A", "INBOX.a", '.', LIST_NO },
		{ "Work", "work", '.', LIST_NO },
		{ "", "a", '.', LIST_NO },
		{ "", "", '.', LIST_YES },
		{ "***%%%*b", "aaab", '.', LIST_YES },
		{ "a", "ab", '.', LIST_NO },
		{ "ab", "a", '.', LIST_NO },
		{ "INBOXES", "INBOXES", '.', LIST_YES },
		{ "inboxes", "INBOXES", '.', LIST_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (list_match(span_str(cases[i].pattern), span_str(cases[i].name), cases[i].sep) != cases[i].want)
			fail_msg("%s against %s", cases[i].pattern, cases[i].name);
}

static void
same(const char *what, const char *got, const char *want)
{
	if (strcmp(got == NULL ? "" : got, want == NULL ? "" : want) != 0)
		fail_msg("%s: %s, not %s", what, got == NULL ? "" : got, want == NULL ? "" : want);
}

static void
test_location(void **state)
{
	static const struct {
		const char *text, *root, *inbox, *index, *control;
		bool fs, ok;
	} cases[] = {
		{ "maildir:~/Maildir", "/home/bob/Maildir", NULL, NULL, NULL, false, true },
		{ "maildir:", "/home/bob/Maildir", NULL, NULL, NULL, false, true },
		{ "maildir::INDEX=/i", "/home/bob/Maildir", NULL, "/i", NULL, false, true },
		{ "maildir:/var/mail/bob/", "/var/mail/bob", NULL, NULL, NULL, false, true },
		{ "~/Maildir", "/home/bob/Maildir", NULL, NULL, NULL, false, true },
		{ "maildir:Mail:LAYOUT=fs", "/home/bob/Mail", NULL, NULL, NULL, true, true },
		{ "maildir:~/m:INBOX=~/m/.INBOX:INDEX=/i/bob:CONTROL=/c", "/home/bob/m", "/home/bob/m/.INBOX", "/i/bob", "/c",
		    false, true },
		{ "maildir:~", "/home/bob", NULL, NULL, NULL, false, true },
		{ "maildir:/a::b:INDEX=/i::::j:", "/a:b", NULL, "/i::j", NULL, false, true },
		{ "/a::b:LAYOUT=fs", "/a:b", NULL, NULL, NULL, true, true },
		{ "maildir:/a::", "/a:", NULL, NULL, NULL, false, true },
		{ "maildir:/a:ALT=/b:VOLATILEDIR=/c:LISTINDEX=x:INDEXCACHE=/d:ITERINDEX", "/a", NULL, NULL, NULL, false, true },
		{ "mbox:~/mail:INBOX=/var/mail/bob", "/home/bob/mail", "/var/mail/bob", NULL, NULL, true, true },
		{ "mbox:", "/home/bob/mail", NULL, NULL, NULL, true, true },
		{ "mbox:/a:LAYOUT=maildir++", "/a", NULL, NULL, NULL, false, true },
		{ "maildir:~/../alice", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a/..", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a/..b", "/a/..b", NULL, NULL, NULL, false, true },
		{ "maildir:/a:LAYOUT=index", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:INDEX=MEMORY", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:COLOUR=blue", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:UTF-8=x", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:DIRNAME=x", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:LAYOUT=fs:DIRNAME=", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:LAYOUT=fs:DIRNAME=a/b", NULL, NULL, NULL, NULL, false, false },
		{ "maildir:/a:SUBSCRIPTIONS=..", NULL, NULL, NULL, NULL, false, false },
		{ "dbox:/a", NULL, NULL, NULL, NULL, false, false },
		{ "imapc:", NULL, NULL, NULL, NULL, false, false },
	};
	struct arena *a = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct location loc;
		struct err e = ERR_INIT;
		int rc = location_parse(span_str(cases[i].text), SPAN("/home/bob"), a, &loc, &e);

		if ((rc == 0) != cases[i].ok)
			fail_msg("%s: %s", cases[i].text, e.log);
		if (rc == -1)
			continue;
		same(cases[i].text, loc.root, cases[i].root);
		same(cases[i].text, loc.inbox, cases[i].inbox);
		same(cases[i].text, loc.index, cases[i].index);
		same(cases[i].text, loc.control, cases[i].control);
		assert_int_equal(loc.fs_layout, cases[i].fs);
	}
	arena_free(a);
}

static void
test_location_options(void **state)
{
	struct arena *a = arena_new(65536);
	struct err e = ERR_INIT;
	struct location loc;

	(void)state;
	assert_int_equal(location_parse(SPAN("maildir:/a:layout=FS:dirname=..mail:utf-8:no-noselect:INDEXPVT=~/p:SUBSCRIPTIONS=.subs"),
	    SPAN("/home/bob"), a, &loc, &e), 0);
	assert_true(loc.fs_layout && loc.utf8 && loc.no_noselect && !loc.full_dirname);
	assert_string_equal(loc.dirname, "..mail");
	assert_string_equal(loc.subscriptions, ".subs");
	assert_string_equal(loc.index_pvt, "/home/bob/p");
	assert_int_equal(location_parse(SPAN("mbox:/a:FULLDIRNAME=mbox"), SPAN_NONE, a, &loc, &e), 0);
	assert_true(loc.full_dirname && !loc.utf8 && !loc.no_noselect);
	assert_string_equal(loc.dirname, "mbox");
	arena_free(a);
}

static void
test_control(void **state)
{
	static const char good[] = "culver-mailbox 1\nuidvalidity 5\nid 6\nuid-reserved 1025\nmodseq-reserved 2049\n"
	    "keyword b $Junk\nkeyword ! x\nkeyword a\nwhatever 7\n";
	static const char *const bad[] = { "", "dovecot-uidlist 1\n", "culver-mailbox 1\nid 5\n",
		"culver-mailbox 1\nuidvalidity 4294967296\nid 6\nuid-reserved 1\nmodseq-reserved 1\n" };
	struct maildir_control c;

	(void)state;
	assert_int_equal(maildir_control_parse(span_str(good), &c), 1);
	assert_int_equal(c.uidvalidity, 5);
	assert_int_equal(c.id, 6);
	assert_int_equal(c.uid_reserved, 1025);
	assert_true(c.modseq_reserved == 2049);
	assert_null(c.keywords[0]);
	assert_string_equal(c.keywords[1], "$Junk");
	maildir_control_clear(&c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(maildir_control_parse(span_str(bad[i]), &c), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_sizes_of_copies),
		cmocka_unit_test(test_list_match),
		cmocka_unit_test(test_location),
		cmocka_unit_test(test_location_options),
		cmocka_unit_test(test_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
