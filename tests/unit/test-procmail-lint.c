/* SPDX-License-Identifier: MIT */
/* What is told of an rcfile. */
#include "lib-filter/procmail/lint.h"
#include "testing.h"

struct told {
	struct buf text;
};

static void
on_found(void *ctx, bool is_error, unsigned line, const char *text)
{
	struct told *t = ctx;

	buf_addf(&t->text, "%u %s: %s\n", line, is_error ? "error" : "warning", text);
}

static void
on_include(void *ctx, unsigned line, struct span name)
{
	struct told *t = ctx;

	buf_addf(&t->text, "%u include: %.*s\n", line, SPAN_ARG(name));
}

static const struct {
	const char *rc, *want;
} cases[] = {
	{ "", "" },
	{ "MAILDIR=$HOME/Mail\nLOGFILE=log\n:0:\n* ^Subject:.*x\nlists\n\n:0 fw\n| sort\n\n:0 c\n! a@example.org\n", "" },
	/* mistakes */
	{ ":0\n* (a\nx\n", "2 error: invalid expression \"(a\": " },
	{ ":0\n* ! (a\nx\n", "2 error: invalid expression \"(a\": " },
	{ ":0\n* H ?? (a\nx\n", "2 error: invalid expression \"(a\": " },
	{ ":0\n* $ ${A}(a\nx\n", "" },
	{ ":0\n* \\(a\nx\n", "2 error: invalid expression \"(a\"" },
	{ ":0 Q\nx\n", "1 error: not a flag" },
	/* differences */
	{ "DROPPRIVS=yes\nCOMSAT=no\nCOMSAT=yes\nNORESRETRY=3\n", "1 warning: DROPPRIVS has no effect: nothing is run as root\n"
	    "3 warning: COMSAT has no effect\n" },
	{ "LOCKTIMEOUT=60\nLOCKTIMEOUT=1024\nLOCKTIMEOUT=0\n", "2 warning: a lock is waited for two minutes at most, then the "
	    "delivery goes on without it\n3 warning: a lock is waited for two minutes at most, then the delivery goes on without it\n" },
	{ ":0 f\n| sort\n", "1 warning: a filter that fails or writes nothing leaves the message as it was\n" },
	{ ":0 fW\n| sort\n", "" },
	{ ":0\n|\n", "2 warning: a | alone fails: there is no standard output\n" },
	{ ":0\n!\n", "2 warning: a ! without an address fails\n" },
	{ "UMASK=022\nUMASK=\nUMASK\nLOCKEXT=.l\nLOCKEXT=\nEXITCODE=75\nEXITCODE=\nEXITCODE=0\n", "2 warning: an empty UMASK is 077\n"
	    "3 warning: without UMASK it is 077\n5 warning: with an empty LOCKEXT no lock file is taken for a folder\n"
	    "8 warning: EXITCODE=0 does not acknowledge mail that could not be stored\n" },
	{ ":0\n* a\\/b\nx\n", "" },
	{ ":0:\n* a\n{\n:0:\ny\n}\n", "1 warning: a lock file on a block without the flag c is not taken\n" },
	{ ":0c:x\n{\n:0Ee\ny\n}\n", "3 error: the flags a and E have no effect with e\n" },
	{ ":0\n* a\n{\n:0 f\n| x\n}\n", "4 warning: a filter that fails or writes nothing leaves the message as it was\n" },
	{ ":0fw\n| formail -r -k -u To: -A \"X-Loop: $A\"\n:0fw\n| formail -rk -I \"To: -u\"\n:0fw\n| formail -u To:\n",
	    "2 warning: with -r, formail's -u and -U have no effect on the fields that -r makes\n" },
	{ ":0 {\n:0\nx\n}\n", "1 error: what is behind the flags belongs on the next line, and is passed over: \"{\"\n"
	    "1 error: a recipe without an action\n4 error: a closing brace without a block: \"}\"\n" },
	{ ":0 w | cat >x\ny\n", "1 error: what is behind the flags belongs on the next line, and is passed over: \"| cat >x\"\n" },
	{ "A=-oQ/tmp\n:0c\n! -oi a@b\n:0c\n! $A a@b\n:0\n! \"$B\" x$A\n",
	    "5 warning: \"-oQ/tmp\" is a variable's value: it is no option for sendmail, and the recipe fails\n" },
	/* programs */
	{ "A=`date`\n:0\n* ? test -f x\n| y\n", "" },
	/* what is included, as far as it is known */
	{ "PMDIR=$HOME/.procmail\nINCLUDERC=$PMDIR/rc.one\nINCLUDERC=rc.$LOGNAME\nSWITCHRC=\"/etc/rc\"\n",
	    "2 include: /home/bob/.procmail/rc.one\n3 include: rc.bob\n4 include: /etc/rc\n" },
	{ "A=`date`\nINCLUDERC=$A\nINCLUDERC=$B\nINCLUDERC=$1\nINCLUDERC\nSWITCHRC=\n", "" },
	{ "A=x\nA\nINCLUDERC=$A\n", "" },
};

static void
check(const char *rc, const char *text, bool no_programs)
{
	struct told t = { .text = BUF_INIT(65536) };
	const struct procmail_lint_host host = { .ctx = &t, .found = on_found, .include = on_include,
						 .home = SPAN("/home/bob"), .user = SPAN("bob"), .no_programs = no_programs };
	struct procmail_lint *l = procmail_lint_new(&host);
	struct arena *a = arena_new(1 << 20);
	struct span want = span_str(text), have;

	procmail_lint_run(l, procmail_rc_parse(span_str(rc), a));
	have = buf_span(&t.text);
	/* The words of others' complaints are their business. */
	if (want.n > 0 && want.p[want.n - 1] != '\n')
		have = span_sub(have, 0, want.n);
	assert_span(have, text);
	buf_clear(&t.text);
	procmail_lint_free(l);
	arena_free(a);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(cases[i].rc, cases[i].want, false);
}

static void
test_programs(void **state)
{
	(void)state;
	check("A=`date`\n:0\n* ? test -f x\n| y\n", "1 warning: programs are not run here: procmail_programs\n"
	    "3 warning: programs are not run here: procmail_programs\n4 warning: programs are not run here: procmail_programs\n", true);
}

static void
test_dir(void **state)
{
	const struct procmail_lint_host host = { .found = on_found, .home = SPAN("/home/bob") };
	struct procmail_lint *l = procmail_lint_new(&host);
	struct arena *a = arena_new(1 << 20);

	(void)state;
	assert_span(procmail_lint_dir(l), "/home/bob");
	procmail_lint_run(l, procmail_rc_parse(SPAN("MAILDIR=$HOME/Mail\n"), a));
	assert_span(procmail_lint_dir(l), "/home/bob/Mail");
	procmail_lint_run(l, procmail_rc_parse(SPAN("MAILDIR=$1\n"), a));
	assert_span(procmail_lint_dir(l), "");
	procmail_lint_free(l);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
