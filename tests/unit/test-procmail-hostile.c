/* SPDX-License-Identifier: MIT */
/*
 * Recipes and messages that are made to use up time and memory: each comes to an end within its limits, and the message is in
 * the INBOX, or where the recipes have it delivered.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include "lib-filter/procmail/cache.h"
#include "lib-filter/procmail/formail.h"
#include "lib-filter/procmail/run.h"
#include "testing.h"

#if !defined(__SANITIZE_ADDRESS__) && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define LARGE ((size_t)4 << 20)	/* what is allocated costs a multiple there */
#else
#define LARGE ((size_t)100 << 20)
#endif
#define CPU_MAX 8.0	/* seconds: far more than is needed, far less than for ever */

struct world {
	struct span rc;
	struct buf done;
	size_t reads, logged;
};

static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	struct world *w = ctx;

	(void)dir;
	if (!span_eq(name, SPAN("rc")))
		return err_set(e, ERR_NOTFOUND, "no such file");
	w->reads++;
	buf_add(out, w->rc);
	return 0;
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	struct world *w = ctx;

	(void)e;
	buf_addf(&w->done, "%.*s:%zu ", SPAN_ARG(span_sub(d->names[0], 0, 50)), d->text.n);
	buf_add(out, d->names[0]);
	return 0;
}

/* A program that says much. */
static int
on_run(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e)
{
	char piece[1000];

	(void)ctx;
	(void)said;
	(void)e;
	memset(piece, 'x', sizeof(piece));
	while (p->output_max > 0 && !out->failed && out->n < p->output_max)
		buf_add(out, span_of(piece, out->max - out->n < sizeof(piece) ? out->max - out->n : sizeof(piece)));
	*status = 0;
	return 0;
}

static void
on_log(void *ctx, struct span dir, struct span name, struct span text)
{
	struct world *w = ctx;

	(void)dir;
	(void)name;
	w->logged += text.n;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 + (double)u.ru_stime.tv_sec;
}

/* The most that this process has had so far. */
static size_t
memory_most(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (size_t)u.ru_maxrss * 1024;
}

static void
run_world(struct world *w, struct span rc, struct span text, struct procmail_limits limits)
{
	struct procmail_host host = { .ctx = w, .read = on_read, .deliver = on_deliver, .run = on_run, .log = on_log };
	struct procmail_request r = { .text = text, .rc_names = SPAN("rc"), .user = SPAN("bob"), .home = SPAN("/home/bob"),
		.host_name = SPAN("mx"), .inbox = SPAN("mailbox:INBOX"), .dir = SPAN("/home/bob") };
	struct procmail_result result;
	struct err e = ERR_INIT;
	double begin = cpu_seconds();

	*w = (struct world){ .rc = rc, .done = BUF_INIT(65536) };
	assert_int_equal(procmail_run(&r, &host, &limits, &result, &e), 0);
	assert_true(result.delivered);
	assert_true(w->done.n > 0);
	buf_clear(&result.folder);
	if (cpu_seconds() - begin > CPU_MAX)
		fail_msg("\"%.*s\" took %.1f s", SPAN_ARG(span_sub(rc, 0, 100)), cpu_seconds() - begin);
}

static const char mail[] = "From ann@x Sat Nov 28 05:33:20 2026\nFrom: ann@x\nTo: bob@y\nSubject: hello\n\nbody\n";

/* Expressions that would cost a backtracker, or an automaton made in full, more than there is. */
static void
test_expressions(void **state)
{
	static const char *const cases[] = {
		"(a*)*b", "(a|aa)+$x", "(x+x+)+y", "(((a?)*)+)*b", "((((((((((a|b)*)*)*)*)*)*)*)*)*)*c", "(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)"
		"(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)c", "(.*)(.*)(.*)(.*)(.*)\\/(.*)(.*)(.*)x$y",
		"(a|b|ab)*\\/(a|b|ba)*c", "(^|a)*(a|$)*\\/[^c]*d", "[ab]*a[ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab]\\/[ab]*(c|d)",
	};
	struct buf text = BUF_INIT((size_t)2 << 20);
	struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;

	(void)state;
	buf_adds(&text, mail);
	srand(1);
	for (size_t i = 0; i < LARGE / 100; i++)
		buf_addc(&text, rand() & 1 ? 'a' : 'b');
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		struct world w;
		char rc[1000];

		snprintf(rc, sizeof(rc), ":0B\n* %s%s\nnever\n", i & 1 ? "1^.999999999 " : "", cases[i / 2]);
		/* One with all that there is by default; the others would only take as long. */
		limits.match_work = i == 0 ? limits.match_work : 50000000;
		run_world(&w, span_str(rc), buf_span(&text), limits);
		buf_clear(&w.done);
	}
	buf_clear(&text);
}

/* Files of one thing a million times. */
static void
test_files(void **state)
{
	static const char *const pieces[] = { "{\n", ":0\n{\n", ":0c\n{\n", "(", ":0\n* ((((((((((", "\"", "`", "$", "${A:-", "\\", "A ", "*\n", ":0\n",
		"}", "A=", "INCLUDERC=rc\n", "SWITCHRC=rc\n", "x\0y", ":0\n* 1^1 ^\n{}\n", "A=$A$A$A\n", "A=`x`\n", ":0fw\n| x\n", "\xff\xfe" };

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t octets = 1000; octets <= 1000000; octets *= 1000) {
			struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;
			struct buf rc = BUF_INIT(octets + 100);
			struct world w;

			limits.steps = 20000;
			limits.memory = (size_t)64 << 20;
			limits.message = (size_t)1 << 20;
			while (rc.n < octets)
				buf_add(&rc, strcmp(pieces[i], "x") == 0 ? span_of(pieces[i], 3) : span_str(pieces[i]));
			run_world(&w, buf_span(&rc), SPAN("Subject: x\n\nbody\n"), limits);
			buf_clear(&w.done);
			buf_clear(&rc);
		}
}

/* Variables doubled to the limit, all of them, in clones too; what is over it is not taken, and the recipes go on. */
static void
test_variables(void **state)
{
	struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;
	struct buf rc = BUF_INIT((size_t)1 << 20);
	struct world w;
	size_t before;

	(void)state;
	buf_adds(&rc, "LINEBUF=1000000000\nA=xxxxxxxxxxxxxxxx\n");
	for (unsigned i = 0; i < 30; i++)
		buf_adds(&rc, "A=$A$A\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_addf(&rc, "B%u=$A\n", i);
	buf_adds(&rc, ":0c\n{\n:0c\n{\nC=$A\n:0\none\n}\n:0\ntwo\n}\n:0\n* B0 ?? x\nthree\n");
	before = memory_most();
	run_world(&w, buf_span(&rc), span_str(mail), limits);
	if (LARGE > (size_t)10 << 20)
		assert_true(memory_most() - before < limits.values + ((size_t)64 << 20));
	buf_clear(&w.done);
	buf_clear(&rc);
}

/* A million fields, a line of a hundred megabytes, NULs. */
static void
test_messages(void **state)
{
	static const char rc[] = "LINEBUF=100000\n:0\n* ^X-Nope:\nno\n:0\n* ^TO_nobody\nno\n:0\n* ^FROM_DAEMON\nno\n:0B\n* ^Nope.*x.*y\nno\n:0HB\n"
	    "* 1^1 q\nno\n:0\n* ^Subject: \\/.*\n{ M=$MATCH }\n:0fhw\n| formail -I X-A -a \"X-B: 1\" -A \"X-C: 2\"\n:0\n* ^X-C: 2\nyes\n";
	struct buf text = BUF_INIT(2 * LARGE);
	struct world w;

	(void)state;
	buf_adds(&text, "From ann@x Sat Nov 28 05:33:20 2026\n");
	for (size_t i = 0; i < LARGE / 100; i++)
		buf_adds(&text, "X-A: b\n");
	buf_add(&text, SPAN("Subject: a\0b\n\nbody\0more\n"));
	run_world(&w, span_str(rc), buf_span(&text), PROCMAIL_LIMITS_DEFAULT);
	assert_span(span_sub(buf_span(&w.done), 0, 4), "yes:");
	buf_clear(&w.done);
	buf_reset(&text);
	buf_adds(&text, "Subject: ");
	while (text.n < LARGE)
		buf_adds(&text, "all of this is in one line, which is the subject of it; ");
	buf_adds(&text, "\n\n");
	run_world(&w, span_str(rc), buf_span(&text), PROCMAIL_LIMITS_DEFAULT);
	assert_span(span_sub(buf_span(&w.done), 0, 4), "yes:");
	buf_clear(&w.done);
	buf_clear(&text);
}

/* Weights that are no numbers any more do what large ones do. */
static void
test_scores(void **state)
{
	static const struct { const char *condition; bool matches; } cases[] = {
		{ "99999999999999999999999999999999999999999999999999999999999^99999999999999999999999 e", true },
		{ "-99999999999999999999999999999999999999999999999999999999999^9999999999999999999 e", false },
		{ "1^99999999999 > 0", true }, { "1^-99999999999 > 1", false }, { "1^99999999999 < 999999", true }, { "1^1 < 0", false },
		{ "0^99999999999999999999 e", false }, { "1^1 ^", true }, { "-1^9 ^", false }, { "0^0 ^", false },
		{ "99999999999999999999^99999999999999 ! ? false", false }, { "-1^1 > 0", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;
		char rc[1000];

		snprintf(rc, sizeof(rc), ":0\n* %s\nyes\n", cases[i].condition);
		run_world(&w, span_str(rc), span_str(mail), PROCMAIL_LIMITS_DEFAULT);
		if (span_starts(buf_span(&w.done), SPAN("yes:")) != cases[i].matches)
			fail_msg("%s: %.*s", cases[i].condition, SPAN_ARG(buf_span(&w.done)));
		buf_clear(&w.done);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expressions), cmocka_unit_test(test_files), cmocka_unit_test(test_variables),
		cmocka_unit_test(test_messages), cmocka_unit_test(test_scores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
