/* SPDX-License-Identifier: MIT */
/* Recipes: what they match, what they deliver where, and that hostile ones come to an end with the mail kept. */
#include "lib-filter/procmail/cache.h"
#include "lib-filter/procmail/formail.h"
#include "lib-filter/procmail/regex.h"
#include "lib-filter/procmail/run.h"
#include "testing.h"

#define BUDGET ((uint64_t)100000000)

/* Matches are counted as "1^1" does; MATCH is what \/ takes. */
static void
test_regex(void **state)
{
	static const struct { const char *text, *pattern; int count; const char *match; } cases[] = {
		{ "abcabc", "b", 2, NULL }, { "abc", "^a", 1, NULL }, { "abc", "c$", 1, NULL }, { "abc", "c$$", 0, NULL },
		{ "ab\n", "ab$$", 1, NULL }, { "ab\n", "ab$$$", 0, NULL }, { "abc", "^^a", 1, NULL }, { "abc", "^^^a", 0, NULL },
		{ "ab\n", "^^ab$^^", 1, NULL }, { "ab\n", "^^ab^^", 0, NULL }, { "ab", "^^ab^^", 1, NULL },
		{ "a\nb\n", "^.*$", 3, NULL }, { "a\n\n\n\nb", "^$", 3, NULL }, { "a\nb", "a$b", 1, NULL }, { "a\nb", "a$^b", 0, NULL },
		{ "a b", "a[^x]b", 1, NULL }, { "a\nb", "a[^x]b", 0, NULL }, { "a\nb", "a.b", 0, NULL }, { "a\nb", "a\\>b", 1, NULL },
		{ "foo bar baz", "[a-z]+\\>", 3, NULL }, { "aab", "a**b", 0, NULL }, { "a*b", "a\\*b", 1, NULL }, { "*", "*", 1, NULL },
		{ "a]c", "a[]]c", 1, NULL }, { "A", "a", 1, NULL }, { "bxb", "(^^|x)b", 2, NULL }, { "abab", "b^^", 1, NULL },
		{ "a", "x*", -1, NULL }, { "a", "()", -1, NULL }, { "a", "^", -1, NULL },
		{ "Subject: hello world", "^Subject: \\/.*", 1, "hello world" }, { "Subject: hello world", "^Subject:.*\\/[a-z]+", 1, "hello" },
		{ "a\nb\nc", "^\\/b$", 1, "b\n" }, { "xay", "(ab|a)\\/.*", 1, "y" }, { "abcd", "(a|ab)(c|bcd)\\/d*", 1, "d" },
		{ "aabab", "a+\\/[ab]*", 3, "abab" }, { "k=v1 k=v2", ".*k=\\/.*", 1, "v1 k=v2" },
		{ "To: bobby@x", "^TO_bob", 1, NULL }, { "To: xbob@x", "^TO_bob", 0, NULL },
		{ "From: MAILER-DAEMON@x\n\n", "^FROM_DAEMON", 1, NULL }, { "From: ann@x\n\n", "^FROM_DAEMON", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *why;
		struct procmail_regex *r = procmail_regex_new(span_str(cases[i].pattern), false, &why);
		size_t pos = 0, before;
		uint64_t budget = BUDGET;
		struct span match;
		int count = 0;

		assert_non_null(r);
		for (before = SIZE_MAX; procmail_regex_next(r, span_str(cases[i].text), &pos, &budget) == PROCMAIL_FOUND_YES; before = pos, count++)
			if (pos == 0 || pos == before) {
				count = -1;
				break;
			}
		if (cases[i].match == NULL && count != cases[i].count)
			fail_msg("\"%s\" in \"%s\": %d, not %d", cases[i].pattern, cases[i].text, count, cases[i].count);
		if (cases[i].match != NULL) {
			pos = 0;
			assert_int_equal(procmail_regex_extract(r, span_str(cases[i].text), SIZE_MAX, &pos, &match, &budget), PROCMAIL_FOUND_YES);
			assert_span(match, cases[i].match);
		}
		procmail_regex_free(r);
	}
}

struct world {
	const char *rc;
	struct buf log, done;
	unsigned programs;
	bool logs;		/* the log's files and texts in brackets, and when they are opened */
	bool locks;		/* what is locked is in `done' too */
	bool full;		/* nothing but the mailbox can be written */
	struct procmail_cache *cache;
};

static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	struct world *w = ctx;

	(void)dir;
	if (!span_eq(name, SPAN("rc")))
		return err_set(e, ERR_NOTFOUND, "no such file");
	buf_adds(out, w->rc);
	return 0;
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	struct world *w = ctx;

	if (w->full && d->place != PROCMAIL_PLACE_MAILBOX)
		return err_set(e, ERR_QUOTA, "full");
	buf_addf(&w->done, "%d:", d->place);
	for (size_t i = 0; i < d->name_count; i++)
		buf_addf(&w->done, "%.*s ", SPAN_ARG(d->names[i]));
	buf_add(out, d->names[0]);
	return 0;
}

static int
on_run(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e)
{
	struct world *w = ctx;

	(void)said;
	(void)e;
	w->programs++;
	*status = 1;
	if (p->output_max > 0)
		buf_adds(out, "output\n");
	return 0;
}

static int
on_forward(void *ctx, const struct span *addresses, size_t count, struct span text, struct err *e)
{
	struct world *w = ctx;

	(void)text;
	(void)e;
	for (size_t i = 0; i < count; i++)
		buf_addf(&w->done, "!%.*s ", SPAN_ARG(addresses[i]));
	return 0;
}

static void
on_log(void *ctx, struct span dir, struct span name, struct span text)
{
	struct world *w = ctx;

	(void)dir;
	if (w->logs)
		buf_addf(&w->log, "[%.*s:%.*s]", SPAN_ARG(name), SPAN_ARG(text));
	else
		buf_add(&w->log, text);
}

static int
on_open_log(void *ctx, struct span dir, struct span name, unsigned mask, struct err *e)
{
	struct world *w = ctx;

	(void)dir;
	if (w->logs)
		buf_addf(&w->done, "log:%.*s:%o ", SPAN_ARG(name), mask);
	return span_eq(name, SPAN("bad")) ? err_set(e, ERR_DENIED, "it is bad") : 0;
}

static int
on_lock(void *ctx, const struct procmail_lock *l, struct err *e)
{
	struct world *w = ctx;

	(void)e;
	buf_addf(&w->done, "lock:%.*s ", SPAN_ARG(l->name));
	return 0;
}

static void
on_unlock(void *ctx, struct span dir, struct span name)
{
	struct world *w = ctx;

	(void)dir;
	buf_addf(&w->done, "unlock:%.*s ", SPAN_ARG(name));
}

static struct procmail_result
run_rc(struct world *w, struct span text, struct procmail_limits limits)
{
	struct procmail_host host = { .ctx = w, .read = on_read, .deliver = on_deliver, .forward = on_forward, .run = on_run, .open_log = on_open_log,
				       .log = on_log };
	struct procmail_request r = { .text = text, .rc_names = SPAN("missing\nrc"), .user = SPAN("bob"), .home = SPAN("/home/bob"),
		.host_name = SPAN("mx"), .inbox = SPAN("mailbox:INBOX"), .dir = SPAN("/home/bob"), .sendmail = SPAN("/usr/sbin/sendmail"), .cache = w->cache };
	struct procmail_result result;
	struct err e = ERR_INIT;

	if (w->locks) {
		host.lock = on_lock;
		host.unlock = on_unlock;
	}
	w->log = BUF_INIT((size_t)1 << 22);
	w->done = BUF_INIT(65536);
	assert_int_equal(procmail_run(&r, &host, &limits, &result, &e), 0);
	buf_clear(&result.folder);
	return result;
}

static const char mail[] = "From ann@x Sat Nov 28 05:33:20 2026\nFrom: ann@x\nTo: bob@y\nSubject: hello\n\nbody\n";

static void
test_deliveries(void **state)
{
	static const struct { const char *rc, *done; } cases[] = {
		{ "", "4:mailbox:INBOX " },
		{ ":0\nbox\n", "0:box " },
		{ ":0\nmailbox:Lists/Talk\n", "4:mailbox:Lists/Talk " },
		{ ":0\n\"mailbox:My Folder\"\n", "4:mailbox:My Folder " },
		{ ":0\nmd/\n", "3:md/ " },
		{ ":0c\nmh/. md/\n:0\nbox\n", "2:mh/. md/ 0:box " },
		{ ":0\n* ^Subject: \\/.*\nmailbox:$MATCH\n", "4:mailbox:hello " },
		{ ":0c\n{\n:0\none\n}\n:0\ntwo\n", "0:one 0:two " },
		{ "not a recipe ((\n:0 Q\n* (Nope\nbox\n", "4:mailbox:INBOX " },
		{ ":0\n* ^Subject\n", "4:mailbox:INBOX " },
		{ ":0\n{\n:0\n* ^Subject\nbox\n", "0:box " },
		{ "A='unclosed\n:0\nbox\n", "4:mailbox:INBOX " },
		{ ":0fw\n| false\n:0e\nfailed\n", "0:failed " },
		{ "A=\"b@y, <c@z>,d@w\"\n:0\n! a@x $A ,\n", "!a@x !b@y !c@z !d@w " },
		{ ":0\n! ,\n:0\nnobody\n", "0:nobody " },
		{ "A=-t\n:0\n! a@x $A\n:0\nbox\n", "0:box " },
		{ "A='a -t'\n:0\n! $A\n:0\nbox\n", "0:box " },
		{ ":0\n* ^Subject: hell\\/.*\n{ A=-$MATCH }\n:0\n! \"$A\"\n:0\nbox\n", "0:box " },
		{ "A=-t\n:0\n! ${B:-$A}\n:0\nbox\n", "0:box " },
		{ "A=-t\n:0\n! x$A\n", "!x-t " },
		{ ":0fw\n| formail -A 'X-A: b'\n:0\n* ^X-A: b\nbox\n", "0:box " },
		{ "_A=b\n:0c\n$_A\n:0\n${_A}\n", "0:rcA 0:b " },
		{ ":0\n* ^TO_bob\n* ! \\^TO_bob\n* \\^To:\nbox\n", "0:box " },
		{ ":0 {\n:0\n* ^Nope\none\n}\n:0 | cat >two\n:0\nbox\n", "0:box " },
		{ "MAILDIR\n:0c\nbox$MAILDIR\nMAILDIR=\n:0\nbox$MAILDIR\n", "0:box. 0:box. " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w = { .rc = cases[i].rc };

		assert_true(run_rc(&w, span_str(mail), PROCMAIL_LIMITS_DEFAULT).delivered);
		assert_span(buf_span(&w.done), cases[i].done);
		buf_clear(&w.log);
		buf_clear(&w.done);
	}
}

/* A lock of the folder's own name would be its end. */
static void
test_locks(void **state)
{
	static const struct { const char *rc, *done; } cases[] = {
		{ ":0:\nbox\n", "lock:box.lock 0:box unlock:box.lock " },
		{ "LOCKEXT=.l\n:0:\nbox\n", "lock:box.l 0:box unlock:box.l " },
		{ "LOCKEXT=\n:0:\nbox\n", "0:box " },
		{ "LOCKEXT\n:0:\nbox\n", "0:box " },
		{ "LOCKEXT=\n:0:other\nbox\n", "lock:other 0:box unlock:other " },
		{ ":0:box\nbox\n", "0:box " },
		{ "A=box\n:0:$A\n\"$A\"\n", "0:box " },
		{ "LOCKEXT=\n:0w:\n| cat >>out\n:0\nbox\n", "0:box " },
		{ "DEFAULT=box\nLOCKEXT=\n", "0:box " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w = { .rc = cases[i].rc, .locks = true };

		assert_true(run_rc(&w, span_str(mail), PROCMAIL_LIMITS_DEFAULT).delivered);
		assert_span(buf_span(&w.done), cases[i].done);
		buf_clear(&w.log);
		buf_clear(&w.done);
	}
}

static void
test_ends(void **state)
{
	static const struct { const char *rc; int code; bool set, delivered; } cases[] = {
		{ ":0\nbox\n", 0, false, true },
		{ "EXITCODE=7\n:0\nbox\n", 7, true, true },
		{ "EXITCODE=abc\n:0\nbox\n", 2, true, true },
		{ "EXITCODE=yes\n:0\nbox\n", 1, true, true },
		{ "EXITCODE=no\n:0\nbox\n", 0, false, true },
		{ "EXITCODE=xyz\n:0\nbox\n", 0, false, true },
		{ "EXITCODE=xyz\nTRAP=false\n:0\nbox\n", 1, true, true },	/* TRAP's */
		{ "EXITCODE=-3\n:0\nbox\n", 0, false, true },
		{ "EXITCODE=260\n:0\nbox\n", 4, true, true },
		{ "DELIVERED=yes\nEXITCODE=7\n:0\nbox\n", 0, false, true },
		{ "EXITCODE=7\nDELIVERED=yes\nDELIVERED\nDEFAULT\nORGMAIL\n", 0, false, false },
		{ "DELIVERED=no\nEXITCODE=7\nDEFAULT\nORGMAIL\n", 7, true, false },
		{ "DELIVERED=yes\nDEFAULT\nORGMAIL\n", 0, false, false },
		{ "DEFAULT\nORGMAIL\n", 73, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w = { .rc = cases[i].rc };
		struct procmail_result r = run_rc(&w, span_str(mail), PROCMAIL_LIMITS_DEFAULT);

		if (r.exit_code != cases[i].code || r.exit_code_set != cases[i].set || r.delivered != cases[i].delivered)
			fail_msg("%s: %d%s%s", cases[i].rc, r.exit_code, r.exit_code_set ? " set" : "", r.delivered ? " delivered" : "");
		buf_clear(&w.log);
		buf_clear(&w.done);
	}
}

/* A LOGFILE that can not be written leaves the one before. */
static void
test_log(void **state)
{
	struct world w = { .rc = "LOGABSTRACT=no\nLOG=a\nLOGFILE=one\nLOG=b\nLOGFILE=bad\nLOG=c\nUMASK=22\nLOGFILE=/two\nLOG=d\nLOGFILE\nLOG=e\n",
			   .logs = true };
	static const char want[] = "[:a][/home/bob/one:b][/home/bob/one:procmail: Couldn't open LOGFILE \"bad\": it is bad\n][/home/bob/one:c]"
	    "[/two:d][:e]";

	(void)state;
	assert_true(run_rc(&w, span_str(mail), PROCMAIL_LIMITS_DEFAULT).delivered);
	assert_span(buf_span(&w.log), want);
	assert_span(buf_span(&w.done), "log:one:77 log:bad:77 log:/two:22 4:mailbox:INBOX ");
	buf_clear(&w.log);
	buf_clear(&w.done);
}

/* What is kept from the message before changes nothing, whether there is room for it or not. */
static void
test_cache(void **state)
{
	static const struct { const char *rc, *done; } cases[] = {
		{ ":0\n* ^Subject: \\/.*\nmailbox:$MATCH\n", "4:mailbox:hello " },
		{ ":0 D\n* ^subject: \\/.*\nmailbox:$MATCH\n", "4:mailbox:INBOX " },
		{ "A=`true`\nINCLUDERC=rc\n:0\n* ((((((a*)*)*)*)*)*)*((b|c)*d)*e\nbox\n", "0:box " },
		{ "X=sub\n:0\n* $ ^$X\n* ^TO_bob\none\n", "0:one " },
		{ "X=sub\n:0\n* $ ^Q\"?|^$X\"j'ect'\"\none\n", "0:one " },
		{ "X=sub\n:0\n* $ ^\"x?$X\none\n", "0:one " },
		{ "X=sub\n:0\n* $ ^$X'?\none\n", "0:one " },
		{ "X=sub\n:0\n* $ ^$X\\\"\none\n", "4:mailbox:INBOX " },
	};

	(void)state;
	for (size_t octets = 0; octets <= PROCMAIL_CACHE_OCTETS; octets += PROCMAIL_CACHE_OCTETS) {
		struct world w = { .cache = procmail_cache_new(octets) };

		assert_non_null(w.cache);
		for (size_t i = 0; i < 5 * COUNT(cases); i++) {
			w.rc = cases[i % COUNT(cases)].rc;
			assert_true(run_rc(&w, span_str(mail), PROCMAIL_LIMITS_DEFAULT).delivered);
			assert_span(buf_span(&w.done), cases[i % COUNT(cases)].done);
			buf_clear(&w.log);
			buf_clear(&w.done);
		}
		procmail_cache_free(w.cache);
	}
}

/* Each of these would go on for ever, or take all memory: they end, and the message is in the INBOX. */
static void
test_hostile(void **state)
{
	static const char *const cases[] = {
		"INCLUDERC=rc\n",
		"SWITCHRC=rc\n",
		"LINEBUF=1000000000\nA=xxxxxxxxxxxxxxxx\nA=$A$A$A$A$A$A$A$A\nINCLUDERC=rc\n",
		":0c\n{ INCLUDERC=rc }\n",
		":0\n* ((((((a*)*)*)*)*)*)*((b|c)*d)*e\nbox\n",
		":0\n* ? true\n{ }\nSWITCHRC=rc\n",
		":0c\nnowhere\nSWITCHRC=rc\n",
		"A=`true`\nSWITCHRC=rc\n",
		":0\n* ${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-x}}}}}}}}}}}}}}}}}}\nbox\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w = { .rc = cases[i], .full = true };
		struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;

		limits.steps = 20000;
		assert_true(run_rc(&w, span_str(mail), limits).delivered);
		assert_true(w.done.n >= 16 && w.programs <= 500);
		assert_span(span_sub(buf_span(&w.done), 0, 16), "4:mailbox:INBOX ");
		buf_clear(&w.log);
		buf_clear(&w.done);
	}
}

/* A long line and many fields against an expression that backtracking would never finish. */
static void
test_large_message(void **state)
{
	struct buf text = BUF_INIT((size_t)64 << 20);
	struct world w = { .rc = ":0\n* ^Subject:.*(x+x+)+y\nbox\n:0 HB\n* (a|aa)+\\/b$\nbox\n" };

	(void)state;
	buf_adds(&text, "From ann@x Sat Nov 28 05:33:20 2026\nSubject: ");
	for (size_t i = 0; i < 300000; i++)
		buf_addc(&text, 'x');
	for (size_t i = 0; i < 20000; i++)
		buf_adds(&text, "\nX-A: aaaaaaaaaaaa");
	buf_add(&text, SPAN("\n\n\0aaaa\n"));
	assert_true(run_rc(&w, buf_span(&text), PROCMAIL_LIMITS_DEFAULT).delivered);
	assert_span(buf_span(&w.done), "4:mailbox:INBOX ");
	buf_clear(&w.log);
	buf_clear(&w.done);
	buf_clear(&text);
}

static void
test_formail(void **state)
{
	static const char in[] = "From a@b Sat Nov 28 05:33:20 2026\nSubject: one\n two\nX-A: 1\nX-A: 2\nMessage-ID: <m@x>\n\nFrom x\n";
	static const struct { const char *args[6], *out; } cases[] = {
		{ { "-x", "Subject:" }, " one\n two\n" },
		{ { "-cxSubject:" }, " one  two\n" },
		{ { "-I", "X-", "-I", "Message-ID:", "-A", "B: c" }, "From a@b Sat Nov 28 05:33:20 2026\nSubject: one\n two\nB: c\n\n>From x\n\n" },
		{ { "-r", "-I", "References:" }, "To: a@b\nSubject: Re: one\n two\nIn-Reply-To: <m@x>\n\n" },
		{ { "-I", "" }, "\n>From x\n\n" },
		{ { "-A", "B: c", "-x", "B:" }, " c\n" },
		{ { "-A", "Message-ID:", "-x", "Message-ID:" }, " <m@x>\n" },
		{ { "-R", "Subject:", "X-A:", "-uX-A:", "-x", "X-A:" }, " one\n two\n" },
		{ { "-r", "-a", "X-A: 3", "-x", "X-A:" }, " 3\n" },
		{ { "-i", "X-A: 3", "-a", "X-A: 4", "-x", "X-A:" }, " 4\n 3\n" },
	};
	struct formail_context c = { .now = 0, .host_name = SPAN("mx") };
	struct span split = SPAN("-s");
	struct buf out = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span argv[6];
		size_t argc = 0;

		for (; argc < 6 && cases[i].args[argc] != NULL; argc++)
			argv[argc] = span_str(cases[i].args[argc]);
		buf_reset(&out);
		assert_int_equal(formail_run(argv, argc, span_str(in), &c, &out), FORMAIL_DONE);
		assert_span(buf_span(&out), cases[i].out);
	}
	assert_int_equal(formail_run(&split, 1, span_str(in), &c, &out), FORMAIL_UNKNOWN);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regex), cmocka_unit_test(test_deliveries), cmocka_unit_test(test_locks), cmocka_unit_test(test_ends), cmocka_unit_test(test_log), cmocka_unit_test(test_cache),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_large_message), cmocka_unit_test(test_formail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
