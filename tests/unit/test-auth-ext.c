/* SPDX-License-Identifier: MIT */
/* The protocols of MTAs and tools, as transcripts against the engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "auth-rig.h"
#include "auth/client-proto.h"
#include "auth/ext.h"

#define USERS "bob:{PLAIN}secret:1000:1001::/home/bob::userdb_quota_rule=*:storage=1G x=a\n" \
	"off:{PLAIN}x:1004:1004::/home/off::nologin=y reason=closed\n"

static unsigned wakes;

static void
on_wake(void *ctx)
{
	(void)ctx;
	wakes++;
}

static int
setup(void **state)
{
	static struct rig g;

	rig_init(&g);
	rig_file(&g, USERS);
	rig_passdb(&g, "passwd-file", "%FILE");
	rig_userdb(&g, "passwd-file", "%FILE");
	rig_start(&g);
	*state = &g;
	return 0;
}

static int
teardown(void **state)
{
	rig_done(*state);
	return 0;
}

struct step {
	const char *in, *want;	/* want NULL: the connection must end */
};

/* Plays the steps; each input is also given octet by octet, which must change nothing. */
static void
play(struct rig *g, enum ext_kind kind, const struct step *steps, size_t count, bool dripped)
{
	struct ext *x = ext_new(g->auth, kind, on_wake, NULL);
	struct buf in = BUF_INIT(65536);
	bool bad = false;

	assert_non_null(x);
	buf_reset(ext_output(x));
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(steps[i].in);

		for (size_t k = 0; k < n && !bad; k += dripped ? 1 : n) {
			buf_add(&in, span_of(steps[i].in + k, dripped ? 1 : n));
			buf_drop(&in, ext_input(x, buf_span(&in), &bad));
		}
		if (bad != (steps[i].want == NULL))
			fail_msg("%s: bad %d", steps[i].in, bad);
		if (bad)
			break;
		if (!span_eq(buf_span(ext_output(x)), span_str(steps[i].want)))
			fail_msg("%s: got %.*s", steps[i].in, SPAN_ARG(buf_span(ext_output(x))));
		buf_reset(ext_output(x));
	}
	buf_clear(&in);
	ext_free(x);
}

#define PLAY(kind, ...) do { \
		const struct step steps[] = { __VA_ARGS__ }; \
		play(g, kind, steps, sizeof(steps) / sizeof(steps[0]), false); \
		play(g, kind, steps, sizeof(steps) / sizeof(steps[0]), true); \
	} while (0)

static void
test_client(void **state)
{
	struct rig *g = *state;

	PLAY(EXT_CLIENT,
	     { "VERSION\t1\t1\nCPID\t123\n", "" },
	     { "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=10.0.0.1\trip=10.0.0.2\tsecured\tresp=AGJvYgBzZWNyZXQ=\n",
	       "OK\t1\tuser=bob\tx=a\n" },
	     { "AUTH\t2\tPLAIN\tservice=smtp\tresp=AGJvYgB3cm9uZw==\n", "FAIL\t2\tuser=bob\n" },
	     { "AUTH\t3\tLOGIN\tservice=smtp\n", "CONT\t3\tVXNlcm5hbWU6\n" },
	     { "CONT\t3\tYm9i\n", "CONT\t3\tUGFzc3dvcmQ6\n" },
	     { "CONT\t3\tc2VjcmV0\n", "OK\t3\tuser=bob\tx=a\n" },
	     { "AUTH\t4\tPLAIN\tservice=smtp\n", "CONT\t4\t\n" },
	     { "CANCEL\t4\nCONT\t4\tAGJvYgBzZWNyZXQ=\n", "" },
	     { "AUTH\t5\tPLAIN\tservice=smtp\tresp=not base64\n", "FAIL\t5\treason=Invalid base64 data in initial response\n" },
	     { "AUTH\t6\tPLAIN\tservice=smtp\tresp=AG9mZgB4\n",
	       "FAIL\t6\tuser=off\tuser_disabled\tcode=user_disabled\treason=closed\n" },
	     { "AUTH\t7\tNTLM\tservice=smtp\n", "FAIL\t7\n" },
	     { "SOMETHING\tnew\n", "" },
	     { "AUTH\t8\tLOGIN\tservice=smtp\nCONT\t8\t!\n",
	       "CONT\t8\tVXNlcm5hbWU6\nFAIL\t8\treason=Invalid base64 data in continued response\n" });
	PLAY(EXT_CLIENT, { "AUTH\t1\tPLAIN\n", NULL });
	PLAY(EXT_CLIENT, { "VERSION\t2\t0\n", NULL });
	PLAY(EXT_CLIENT, { "VERSION\t1\t9\n", "" }, { "AUTH\tx\tPLAIN\n", NULL });
	PLAY(EXT_CLIENT, { "VERSION\t1\t1\nAUTH\t1\tLOGIN\tservice=smtp\n", "CONT\t1\tVXNlcm5hbWU6\n" },
	     { "AUTH\t1\tLOGIN\tservice=smtp\n", NULL });
	PLAY(EXT_CLIENT, { "VERSION\t1\t1\n", "" }, { "USER\t1\tbob\tservice=x\n", NULL });
	PLAY(EXT_CLIENT, { "VERSION\t1\t1\n", "" }, { "AUTH\t1\tPLAIN\tresp=AA==\tservice=x\n", NULL });
}

static void
test_master(void **state)
{
	struct rig *g = *state;

	PLAY(EXT_USERDB,
	     { "VERSION\t1\t0\nUSER\t1\tbob\tservice=lda\n", "USER\t1\tbob\tuid=1000\tgid=1001\thome=/home/bob\tquota_rule=*:storage=1G\n" },
	     { "USER\t2\tBOB\tservice=lda\n", "USER\t2\tbob\tuid=1000\tgid=1001\thome=/home/bob\tquota_rule=*:storage=1G\n" },
	     { "USER\t3\tjoe\tservice=lda\n", "NOTFOUND\t3\n" },
	     { "USER\t4\t..\tservice=lda\n", "NOTFOUND\t4\n" },
	     { "LIST\t5\tservice=doveadm\n", "LIST\t5\tbob\nLIST\t5\toff\nDONE\t5\n" },
	     { "LIST\t6\tuser=b*\n", "LIST\t6\tbob\nDONE\t6\n" },
	     { "PASS\t7\tbob\tservice=x\n", NULL });
	PLAY(EXT_MASTER,
	     { "VERSION\t1\t0\nPASS\t1\tbob\tservice=x\n", "PASS\t1\tuser=bob\tx=a\n" },
	     { "PASS\t2\tjoe\tservice=x\n", "NOTFOUND\t2\n" },
	     { "PASS\t3\toff\tservice=x\n", "PASS\t3\tuser=off\tnologin=y\treason=closed\n" },
	     { "CACHE-FLUSH\t4\n", "OK\t4\t0\n" },
	     { "AUTH\t5\tPLAIN\tservice=x\n", NULL });
}

/* A socket that is open to everybody: only about oneself. */
static void
test_restricted(void **state)
{
	struct rig *g = *state;
	struct ext *x = ext_new(g->auth, EXT_USERDB, on_wake, NULL);
	bool bad;

	ext_restrict(x, 1004);
	buf_reset(ext_output(x));
	ext_input(x, SPAN("VERSION\t1\t0\nUSER\t1\tbob\tservice=lda\nUSER\t2\tnone\nUSER\t3\toff\nLIST\t4\n"), &bad);
	assert_false(bad);
	assert_true(span_eq(buf_span(ext_output(x)),
	    SPAN("FAIL\t1\nNOTFOUND\t2\nUSER\t3\toff\tuid=1004\tgid=1004\thome=/home/off\nDONE\t4\tfail\n")));
	ext_free(x);
}

static void
mux_string(struct buf *b, const char *s)
{
	buf_add_be16(b, (uint16_t)strlen(s));
	buf_adds(b, s);
}

static void
test_mux(void **state)
{
	static const struct {
		const char *user, *password, *realm, *want;
	} cases[] = {
		{ "bob", "secret", "", "OK" },
		{ "bob", "wrong", "", "NO authentication failed" },
		{ "bob", "secret", "elsewhere", "NO authentication failed" },
	};
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ext *x = ext_new(g->auth, EXT_MUX, on_wake, NULL);
		struct buf in = BUF_INIT(4096), want = BUF_INIT(4096);
		bool bad;

		mux_string(&in, cases[i].user);
		mux_string(&in, cases[i].password);
		mux_string(&in, "smtp");
		mux_string(&in, cases[i].realm);
		mux_string(&want, cases[i].want);
		for (size_t n = 0; n < in.n; n++)
			assert_int_equal(ext_input(x, span_of(in.p, n), &bad), 0);
		assert_int_equal(ext_input(x, buf_span(&in), &bad), in.n);
		assert_false(bad);
		assert_true(ext_is_done(x));
		assert_true(span_eq(buf_span(ext_output(x)), buf_span(&want)));
		buf_clear(&in);
		buf_clear(&want);
		ext_free(x);
	}
}

static void
test_limits(void **state)
{
	struct rig *g = *state;
	struct ext *x = ext_new(g->auth, EXT_CLIENT, on_wake, NULL);
	struct buf in = BUF_INIT(1 << 20);
	bool bad;

	/* The greeting. */
	assert_true(span_starts(buf_span(ext_output(x)), SPAN("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
	    "SPID\t")));
	assert_true(span_ends(buf_span(ext_output(x)), SPAN("\nDONE\n")));
	while (in.n <= CLIENT_LINE_MAX)
		buf_adds(&in, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	ext_input(x, buf_span(&in), &bad);
	assert_true(bad);
	ext_free(x);
	/* Many at once: more than the limit are refused one by one, the connection stays. */
	x = ext_new(g->auth, EXT_CLIENT, on_wake, NULL);
	buf_reset(&in);
	buf_adds(&in, "VERSION\t1\t1\n");
	for (int i = 0; i < EXT_REQUESTS_MAX + 5; i++)
		buf_addf(&in, "AUTH\t%d\tLOGIN\tservice=smtp\n", i);
	assert_int_equal(ext_input(x, buf_span(&in), &bad), in.n);
	assert_false(bad);
	assert_int_equal(ext_requests(x), EXT_REQUESTS_MAX);
	assert_true(span_ends(buf_span(ext_output(x)), SPAN("FAIL\t1028\ttemp\tcode=temp_fail\n")));
	ext_free(x);
	assert_int_equal(g->auth->request_count, 0);
	buf_clear(&in);
}

static void
test_wake(void **state)
{
	struct rig *g = *state;
	struct ext *x;
	bool bad;

	g->conf.failure_delay_ms = 50;
	x = ext_new(g->auth, EXT_CLIENT, on_wake, NULL);
	buf_reset(ext_output(x));
	wakes = 0;
	ext_input(x, SPAN("VERSION\t1\t1\nAUTH\t2\tPLAIN\tservice=smtp\tresp=AGJvYgB3cm9uZw==\n"), &bad);
	assert_int_equal(ext_output(x)->n, 0);
	while (wakes == 0)
		ev_run(g->loop, EVRUN_ONCE);
	assert_true(span_eq(buf_span(ext_output(x)), SPAN("FAIL\t2\tuser=bob\n")));
	ext_free(x);
}

static void
test_escapes(void **state)
{
	struct buf out = BUF_INIT(100), back = BUF_INIT(100);
	struct span all = SPAN("a\0\001\t\r\nb");

	(void)state;
	client_escape(&out, all);
	assert_true(span_eq(buf_span(&out), SPAN("a\0010\0011\001t\001r\001nb")));
	assert_true(client_unescape(&back, buf_span(&out)));
	assert_true(span_eq(buf_span(&back), all));
	assert_false(client_unescape(&back, SPAN("x\001")));
	assert_false(client_unescape(&back, SPAN("\001x")));
	buf_clear(&out);
	buf_clear(&back);
	assert_int_equal(ext_kind_of(SPAN("/var/spool/postfix/private/auth")), EXT_CLIENT);
	assert_int_equal(ext_kind_of(SPAN("auth-userdb")), EXT_USERDB);
	assert_int_equal(ext_kind_of(SPAN("auth-master")), EXT_MASTER);
	assert_int_equal(ext_kind_of(SPAN("/run/saslauthd/mux")), EXT_MUX);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_client), CASE(test_master), CASE(test_restricted), CASE(test_mux), CASE(test_limits), CASE(test_wake),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests_name("auth ext", tests, NULL, NULL);
}
