/* SPDX-License-Identifier: MIT */
/* Spam scores, programs, reports, what Dovecot's own extensions do, and scripts of IMAP events. */
#include "lib-filter/sieve/imapsieve.h"
#include "sieve-rig.h"
#include "testing.h"

static const char mail[] =
    "From: Ann <ann@example.org>\n"
    "To: bob@example.com\n"
    "Subject: Hello\n"
    "X-Spam-Score: 4.5\n"
    "X-Spam-Bar: *******\n"
    "X-Spam-Status: Yes, score=17.2 required=5.0 tests=A\n"
    "X-Virus: cured (Eicar)\n"
    "X-Big: -3\n"
    "\n"
    "The body.\n";

#define S "require [\"spamtest\",\"spamtestplus\",\"virustest\",\"relational\",\"comparator-i;ascii-numeric\",\"fileinto\",\"variables\"]; "
#define SIF(test) S "if " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"
#define VALUE S "if spamtest :matches \"*\" { set \"a\" \"${1}\"; } if spamtest :percent :matches \"*\" { set \"b\" \"${1}\"; } " \
    "if virustest :matches \"*\" { set \"c\" \"${1}\"; } fileinto \"${a} ${b} ${c}\";"

static const struct {
	const char *const settings[8][2];
	const char *want;		/* spamtest, percent, virustest */
} scans[] = {
	{ { { NULL, NULL } }, "save 0 0 0" },
	{ { { "sieve_spamtest_status_type", "score" }, { "sieve_spamtest_status_header", "X-Spam-Score" },
	    { "sieve_spamtest_max_value", "5" }, { NULL, NULL } }, "save 9 90 0" },
	{ { { "sieve_spamtest_status_type", "strlen" }, { "sieve_spamtest_status_header", "X-Spam-Bar" },
	    { "sieve_spamtest_max_value", "10" }, { NULL, NULL } }, "save 7 70 0" },
	{ { { "sieve_spamtest_status_type", "score" },
	    { "sieve_spamtest_status_header", "X-Spam-Status: [[:alnum:]]+, score=(-?[[:digit:]]+\\.[[:digit:]]) .*" },
	    { "sieve_spamtest_max_header", "X-Spam-Status: .* required=([0-9.]+) .*" }, { NULL, NULL } }, "save 10 100 0" },
	{ { { "sieve_spamtest_status_header", "X-Big" }, { "sieve_spamtest_max_value", "5.0" }, { NULL, NULL } }, "save 1 0 0" },
	{ { { "sieve_spamtest_status_header", "X-None" }, { "sieve_spamtest_max_value", "5.0" }, { NULL, NULL } }, "save 0 0 0" },
	{ { { "sieve_spamtest_status_header", "Subject" }, { "sieve_spamtest_max_value", "5.0" }, { NULL, NULL } }, "save 0 0 0" },
	{ { { "sieve_virustest_status_type", "text" }, { "sieve_virustest_status_header", "X-Virus: ([a-z]+).*" },
	    { "sieve_virustest_text_value1", "clean" }, { "sieve_virustest_text_value2", "cured" },
	    { "sieve_virustest_text_value5", "virus" }, { NULL, NULL } }, "save 0 0 2" },
};

static void
test_scans(void **state)
{
	static const char *const broken[][2] = { { "sieve_spamtest_status_header", "Subject: (" }, { NULL, NULL } };
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	for (size_t i = 0; i < COUNT(scans); i++) {
		struct span got;

		rig.settings = scans[i].settings;
		got = rig_run(&rig, VALUE);
		if (!span_eq(got, span_str(scans[i].want)))
			fail_msg("%zu: %.*s", i, SPAN_ARG(got));
	}
	rig.settings = scans[1].settings;
	assert_span(rig_run(&rig, SIF("spamtest :value \"ge\" :comparator \"i;ascii-numeric\" \"7\"")), "save yes");
	assert_span(rig_run(&rig, SIF("spamtest :percent :value \"eq\" :comparator \"i;ascii-numeric\" \"91\"")), "save no");
	assert_span(rig_run(&rig, "require \"spamtest\"; if spamtest :percent \"1\" {}"),
	    "line 1: spamtest: :percent needs require \"spamtestplus\"");
	assert_span(rig_run(&rig, "require \"spamtestplus\"; if spamtest :percent \"90\" { discard; }"), "nothing");
	rig.settings = broken;
	assert_span(rig_run(&rig, SIF("spamtest \"1\"")), "failed at line 1: spamtest: the expression of a setting is none: a group has no "
	    "end: keep");
	rig_clear(&rig);
}

#define P "require [\"vnd.dovecot.pipe\",\"vnd.dovecot.filter\",\"vnd.dovecot.execute\",\"copy\",\"variables\",\"fileinto\"]; "

static const struct rig_case programs[] = {
	{ P "pipe \"prog\" [\"a\",\"b c\"];", "pipe /usr/lib/pipe/prog a b c" },
	{ P "pipe :copy \"prog\";", "pipe /usr/lib/pipe/prog; keep" },
	{ P "set \"x\" \"og\"; pipe :try \"pr${x}\" \"${x}\";", "pipe /usr/lib/pipe/prog og" },
	{ P "if filter \"f\" { fileinto \"yes\"; }", "save yes" },
	{ P "if execute :input \"in\" :output \"x\" \"e\" \"arg\" { fileinto \"${x}\"; }", "save in" },
	{ P "if execute \"e\" { fileinto \"yes\"; }", "save yes" },
	{ P "pipe \"../prog\";", "line 1: pipe: \"../prog\" is no name of a program" },
	{ P "pipe \"a/b\";", "line 1: pipe: \"a/b\" is no name of a program" },
	{ P "pipe \"a\xe2\x80\xa8\";", "line 1: pipe: \"a\xe2\x80\xa8\" is no name of a program" },
	{ P "pipe \"\";", "line 1: pipe: \"\" is no name of a program" },
	{ P "set \"x\" \"/etc/passwd\"; pipe \"${x}\";", "failed at line 1: pipe: \"/etc/passwd\" is no name of a program: keep" },
	{ P "pipe \"a\" [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"];",
	    "line 1: pipe: a program takes 16 arguments at most" },
	{ P "pipe \"a\" \"b\n\";", "line 1: pipe: argument 1 of the program has a line end, or is too long" },
	{ P "execute :output \"1x\" \"a\";", "line 1: execute: \"1x\" is no name of a variable" },
	{ P "execute :input \"x\" :pipe \"a\";", "line 1: execute: :pipe and :input can not be together" },
	{ "require \"vnd.dovecot.execute\"; execute :output \"x\" \"a\";", "line 1: execute: :output needs require \"variables\"" },
	{ "pipe \"a\";", "line 1: pipe: needs require \"vnd.dovecot.pipe\"" },
};

static void
test_programs(void **state)
{
	static const char *const settings[][2] = { { "sieve_pipe_bin_dir", "/usr/lib/pipe" }, { "sieve_filter_bin_dir", "/usr/lib/filter" },
		{ "sieve_execute_bin_dir", "/usr/lib/execute" }, { "sieve_filter_input_eol", "lf" },
		{ "sieve_filter_exec_timeout", "2m" }, { NULL, NULL } };
	static const char *const sockets[][2] = { { "sieve_filter_bin_dir", "/usr/lib/filter" }, { "sieve_filter_socket_dir", "sieve-filter/" },
		{ "sieve_pipe_socket_dir", "/run/p" }, { NULL, NULL } };
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	rig.settings = settings;
	assert_int_equal(rig_cases(&rig, programs, COUNT(programs)), 0);
	rig_run(&rig, P "pipe \"prog\";");
	assert_true(span_starts(rig_message(&rig, 0), SPAN("From: Ann <ann@example.org>\r\nTo: bob")));
	/* the message is what the filter writes, for tests and for actions */
	rig.program_output = "Subject: filtered\n\nnew\n";
	assert_span(rig_run(&rig, P "filter \"f\" [\"x\"]; if header \"subject\" \"filtered\" { fileinto \"yes\"; }"), "save yes");
	assert_span(rig_message(&rig, 0), "Subject: filtered\n\nnew\n");
	assert_true(span_starts(rig.ran, SPAN("/usr/lib/filter/f x < From: Ann <ann@example.org>\nTo:")));
	/* what fails, and what writes nothing, changes nothing */
	rig.program_status = 1;
	assert_span(rig_run(&rig, P "filter \"f\"; if not filter \"f\" { fileinto \"no\"; }"), "save no");
	assert_null(rig_action(&rig, 0)->message.p);
	assert_span(rig.logged, "/usr/lib/filter/f: exit status 1\n/usr/lib/filter/f: exit status 1");
	rig.program_status = -1;
	assert_span(rig_run(&rig, P "if not execute :pipe \"e\" { fileinto \"no\"; }"), "save no");
	assert_span(rig.logged, "/usr/lib/execute/e: it is not there");
	assert_int_equal(rig.timeout, 10);
	/* a command whose program is not there is not passed over: what comes behind it may be "discard" */
	assert_span(rig_run(&rig, P "execute :pipe \"e\"; fileinto \"no\";"), "failed at line 1: execute: it is not there: keep");
	assert_span(rig_run(&rig, P "filter \"f\"; fileinto \"no\";"), "failed at line 1: filter: it is not there: keep");
	rig.program_status = -2;
	assert_span(rig_run(&rig, P "filter \"f\"; fileinto \"no\";"), "failed at line 1: filter: it is not there: keep");
	assert_span(rig_run(&rig, P "if not filter \"f\" { fileinto \"no\"; }"), "save no");
	assert_int_equal(rig.timeout, 120);
	rig.program_status = 0;
	rig.program_output = "\n";
	assert_span(rig_run(&rig, P "filter \"f\";"), "keep");
	assert_null(rig_action(&rig, 0)->message.p);
	rig.no_programs = true;
	assert_span(rig_run(&rig, P "filter \"f\";"), "failed at line 1: filter: no programs are run here: keep");
	rig.settings = NULL;
	assert_span(rig_run(&rig, P "filter \"f\";"), "failed at line 1: filter: no directory of programs is configured: keep");
	/* All else that the script wants is done, when this fails. */
	assert_span(rig_run(&rig, P "pipe \"f\";"), "pipe ");
	assert_true(rig_action(&rig, 0)->or_keep);
	/* a service behind a socket comes first */
	rig.no_programs = false;
	rig.program_output = NULL;
	rig.settings = sockets;
	assert_span(rig_run(&rig, P "if filter \"f\" \"x\" { fileinto \"yes\"; }"), "save yes");
	assert_true(span_starts(rig.ran, SPAN("sieve-filter/f,/usr/lib/filter/f x < From: Ann")));
	assert_span(rig_run(&rig, P "pipe \"p\";"), "pipe ");
	assert_span(rig_action(&rig, 0)->socket, "/run/p/p");
	rig_clear(&rig);
}

#define V "require [\"vnd.dovecot.environment\",\"environment\",\"vnd.dovecot.report\",\"vnd.dovecot.debug\",\"variables\",\"fileinto\"]; "

static void
test_vendor(void **state)
{
	static const char *const settings[][2] = { { "sieve_env_color", "blue" }, { "postmaster_address", "pm@example.com" }, { NULL, NULL } };
	struct sieve_rig rig;
	struct span text;

	(void)state;
	rig_init(&rig, mail);
	rig.settings = settings;
	assert_span(rig_run(&rig, V "if environment \"vnd.dovecot.username\" \"bob\" { fileinto \"${env.vnd.dovecot.username}-"
	    "${env.vnd.dovecot.config.color}-${env.vnd.dovecot.default-mailbox}-${env.none}\"; }"), "save bob-blue-INBOX-");
	assert_span(rig_run(&rig, "require [\"environment\",\"fileinto\"]; if environment \"vnd.dovecot.username\" \"bob\" { discard; }"), "keep");
	assert_span(rig_run(&rig, V "set \"x\" \"y\"; debug_log \"x is ${x}\";"), "keep");
	assert_span(rig.logged, "x is y");
	assert_span(rig_run(&rig, V "report \"abuse\" \"It is spam.\" \"abuse@example.org\";"), "send abuse@example.org; keep");
	text = rig_message(&rig, 0);
	assert_true(span_find(text, SPAN("\r\nFrom: pm@example.com\r\nTo: abuse@example.org\r\nSubject: Report: Hello\r\n")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("\r\n\r\nIt is spam.\r\n\r\n--=_")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("Content-Type: message/feedback-report\r\n\r\nVersion: 1\r\nFeedback-Type: abuse\r\nUser-Agent: Culver/"))
	    != SIZE_MAX);
	assert_true(span_find(text, SPAN("Original-Mail-From: <ann+list@example.org>\r\nOriginal-Rcpt-To: <bob+work@example.com>\r\n")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("message/rfc822\r\nContent-Disposition: attachment\r\n\r\nFrom: Ann <ann@example.org>\r\n")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("\r\nThe body.\r\n\r\n--=_")) != SIZE_MAX);
	rig_run(&rig, V "report :headers_only \"not-spam\" \"x\" \"abuse@example.org\";");
	assert_true(span_find(rig_message(&rig, 0), SPAN("text/rfc822-headers")) != SIZE_MAX);
	assert_true(span_find(rig_message(&rig, 0), SPAN("The body")) == SIZE_MAX);
	assert_span(rig_run(&rig, V "report \"a b\" \"x\" \"abuse@example.org\";"), "line 1: report: \"a b\" is no type of a report");
	assert_span(rig_run(&rig, V "report \"a\" \"x\" \"nobody\";"), "line 1: report: \"nobody\" is no address");
	rig_clear(&rig);
}

static const char *const imap_settings[][2] = {
	{ "imapsieve_mailbox1_name", "Junk" }, { "imapsieve_mailbox1_causes", "COPY" }, { "imapsieve_mailbox1_before", "file:/a" },
	{ "imapsieve_mailbox2_name", "*" }, { "imapsieve_mailbox2_from", "Junk" }, { "imapsieve_mailbox2_causes", "COPY, APPEND" },
	{ "imapsieve_mailbox2_before", "file:/b" }, { "imapsieve_mailbox2_after", "file:/c" },
	{ "imapsieve_mailbox3_name", "Work/?*" }, { "imapsieve_mailbox3_after", "file:/d" }, { NULL, NULL },
};

static bool
imap_setting(void *ctx, const char *name, struct span *out)
{
	const char *const (*settings)[2] = ctx;

	for (size_t i = 0; settings[i][0] != NULL; i++)
		if (strcmp(settings[i][0], name) == 0) {
			*out = span_str(settings[i][1]);
			return true;
		}
	return false;
}

static void
test_imapsieve(void **state)
{
	static const char *const bad[][2] = { { "imapsieve_mailbox1_name", "x" }, { "imapsieve_mailbox1_causes", "MOVE" }, { NULL, NULL } };
	struct filter_host host = { .ctx = (void *)(uintptr_t)imap_settings, .setting = imap_setting };
	struct imapsieve_event ev = { .cause = IMAPSIEVE_COPY, .mailbox = SPAN("Junk"), .from = SPAN("INBOX"), .user = SPAN("bob") };
	struct arena *a = arena_new(1 << 20);
	struct imapsieve_rules rules;
	struct sieve_extset all = { { 0 } };
	struct span out[8], value;
	struct err e;
	size_t before;

	(void)state;
	assert_int_equal(imapsieve_rules_read(&host, a, &rules, &e), 0);
	assert_int_equal(rules.n, 3);
	assert_int_equal(imapsieve_select(&rules, &ev, out, 8, &before), 1);
	assert_int_equal(before, 1);
	assert_span(out[0], "file:/a");
	ev.mailbox = SPAN("INBOX");
	ev.from = SPAN("Junk");
	assert_int_equal(imapsieve_select(&rules, &ev, out, 8, &before), 2);
	assert_int_equal(before, 1);
	assert_span(out[0], "file:/b");
	assert_span(out[1], "file:/c");
	assert_false(imapsieve_environment(&ev, SPAN("imap.changedflags"), &value));
	ev.cause = IMAPSIEVE_APPEND;	/* comes from nowhere */
	assert_int_equal(imapsieve_select(&rules, &ev, out, 8, &before), 0);
	ev.cause = IMAPSIEVE_FLAG;
	ev.mailbox = SPAN("Work/a");
	ev.changed_flags = SPAN("\\Seen $Junk");
	assert_int_equal(imapsieve_select(&rules, &ev, out, 8, &before), 1);
	assert_int_equal(before, 0);
	assert_true(imapsieve_environment(&ev, SPAN("imap.cause"), &value));
	assert_span(value, "FLAG");
	assert_true(imapsieve_environment(&ev, SPAN("IMAP.changedflags"), &value));
	assert_span(value, "\\Seen $Junk");
	assert_true(imapsieve_environment(&ev, SPAN("imap.mailbox"), &value));
	assert_span(value, "Work/a");
	assert_true(imapsieve_environment(&ev, SPAN("imap.user"), &value));
	assert_span(value, "bob");
	assert_true(imapsieve_environment(&ev, SPAN("location"), &value));
	assert_span(value, "MS");
	assert_false(imapsieve_environment(&ev, SPAN("name"), &value));
	host.ctx = (void *)(uintptr_t)bad;
	assert_int_equal(imapsieve_rules_read(&host, a, &rules, &e), -1);
	extset_add(&all, EXT_REJECT);
	extset_add(&all, EXT_FILEINTO);
	all = imapsieve_available(&all);
	assert_true(!extset_has(&all, EXT_REJECT) && extset_has(&all, EXT_FILEINTO) && extset_has(&all, EXT_IMAPSIEVE));
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scans),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_vendor),
		cmocka_unit_test(test_imapsieve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
