/* SPDX-License-Identifier: MIT */
/* Programs of filters: what goes in and comes out, and that limits hold; in this process and in a helper. */
#include <signal.h>
#include "lib-deliver/program.h"
#include "lib/sys.h"
#include "testing.h"

struct outcome {
	int rc, status;
	struct buf out, said;
	struct err e;
};

static struct outcome
run(const struct program_helper *h, const struct program_limits *l, const char *script, struct span input, size_t max)
{
	struct span argv[] = { SPAN("/bin/sh"), SPAN("-c"), span_str(script) }, env[] = { SPAN("PATH=/usr/bin:/bin"), SPAN("X=a b") };
	struct program_request r = { .argv = argv, .argc = 3, .env = env, .env_count = 2, .dir = SPAN("/"), .input = input,
		.output_max = max, .umask = 077 };
	struct outcome o = { .out = BUF_INIT((size_t)64 << 20), .said = BUF_INIT(65536), .e = ERR_INIT };

	o.rc = h == NULL ? program_run(&r, l, &o.out, &o.said, &o.status, &o.e) : program_helper_run(h, &r, &o.out, &o.said, &o.status, &o.e);
	return o;
}

static void
clear(struct outcome *o)
{
	buf_clear(&o->out);
	buf_clear(&o->said);
}

static void
check(const struct program_helper *h, const struct program_limits *l)
{
	struct buf large = BUF_INIT((size_t)32 << 20);
	struct outcome o = run(h, l, "cat; echo \"$X\"; echo oops >&2; umask; exit 3", SPAN("in\n"), 1000);
	int64_t before;

	assert_int_equal(o.rc, 0);
	assert_int_equal(o.status, 3);
	assert_span(buf_span(&o.out), "in\na b\n0077\n");
	assert_span(buf_span(&o.said), "oops\n");
	clear(&o);

	/* More than a pipe holds, both ways. */
	for (size_t i = 0; i < 500000; i++)
		buf_adds(&large, "0123456789");
	o = run(h, l, "cat", buf_span(&large), (size_t)16 << 20);
	assert_int_equal(o.rc, 0);
	assert_true(span_eq(buf_span(&o.out), buf_span(&large)));
	clear(&o);
	o = run(h, l, "cat", buf_span(&large), 1000);
	assert_true(o.out.failed && o.out.n == 1000);
	clear(&o);
	o = run(h, l, "exit 0", buf_span(&large), 1000);
	assert_int_equal(o.rc, -1);
	assert_int_equal(o.e.code, ERR_EOF);
	clear(&o);
	buf_clear(&large);

	o = run(h, l, "kill -9 $$", SPAN(""), 10);
	assert_int_equal(o.status, -9);
	clear(&o);
	/* Too long; and what it leaves behind is ended. */
	before = clock_ms();
	o = run(h, l, "sleep 100", SPAN(""), 10);
	assert_int_equal(o.e.code, ERR_TIMEOUT);
	clear(&o);
	o = run(h, l, "sleep 100 & echo $!", SPAN(""), 10);
	assert_int_equal(o.rc, 0);
	assert_true(clock_ms() - before < 20000);
	clear(&o);
}

static void
test_here(void **state)
{
	struct program_limits l = { .timeout = 2 };

	(void)state;
	check(NULL, &l);
}

static void
test_helper(void **state)
{
	struct program_limits l = { .timeout = 2 };
	struct program_helper h;
	struct err e = ERR_INIT;
	struct outcome o;

	(void)state;
	assert_int_equal(program_helper_start(&h, &l, NULL, NULL, &e), 0);
	check(&h, &l);
	/* Away from its group: the helper finds it all the same. */
	o = run(&h, &l, "setsid sleep 98 >/dev/null 2>&1 & echo $!", SPAN(""), 100);
	assert_int_equal(o.rc, 0);
	buf_adds(&o.out, "");
	assert_int_equal(kill((pid_t)strtol(buf_cstr(&o.out), NULL, 10), 0), -1);
	clear(&o);
	program_helper_stop(&h);
}

static void
test_restricted(void **state)
{
	struct program_limits l = { .timeout = 2, .only_dir = SPAN("/bin") };
	struct outcome o = run(NULL, &l, "echo hello", SPAN(""), 100);
	struct program_limits nowhere = { .timeout = 2, .only_dir = SPAN("/nowhere") };

	(void)state;
	assert_span(buf_span(&o.out), "hello\n");
	clear(&o);
	o = run(NULL, &nowhere, "echo hello", SPAN(""), 100);
	assert_int_equal(o.e.code, ERR_DENIED);
	clear(&o);
}

static void
test_dirs(void **state)
{
	static const struct {
		const char *path;
		bool allowed;
	} cases[] = {
		{ "/bin/true", true }, { "/usr/bin/true", true }, { "true", false }, { "/bin", false }, { "/bin/", false },
		{ "/bin/./true", false }, { "/bin/../bin/true", false }, { "/bin/..", false }, { "/binx/true", false }, { "/sbin/true", false },
	};
	struct span dirs[] = { SPAN("/usr/bin"), SPAN("/bin") };
	struct program_limits l = { .timeout = 2, .dirs = dirs, .dir_count = 2 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span argv[] = { span_str(cases[i].path) };
		struct program_request r = { .argv = argv, .argc = 1 };
		struct buf out = BUF_INIT(100), said = BUF_INIT(100);
		struct err e = ERR_INIT;
		int status, rc = program_run(&r, &l, &out, &said, &status, &e);

		if (cases[i].allowed ? rc != 0 : rc != -1 || e.code != ERR_DENIED)
			fail_msg("%s: %d %s", cases[i].path, rc, e.log);
		buf_clear(&out);
		buf_clear(&said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_here), cmocka_unit_test(test_helper), cmocka_unit_test(test_restricted),
		cmocka_unit_test(test_dirs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
