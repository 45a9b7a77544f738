/* SPDX-License-Identifier: MIT */
/* Programs of filters: what goes in and comes out, and that limits hold; in this process and in a helper. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib-deliver/program-socket.h"
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

/* ---- behind a socket ---- */

/* A service that takes one client: it reads up to the end of what comes, says `answer', and waits as long. */
static pid_t
serve(const char *path, const char *answer, bool reads, unsigned wait_ms, const char *shown)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client, out;
	char in[4096];
	ssize_t n;
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	unlink(path);
	assert_true(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 1) == 0);
	pid = fork();
	if (pid != 0) {
		close(fd);
		return pid;
	}
	alarm(20);
	client = accept(fd, NULL, NULL);
	out = open(shown, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while (reads && (n = read(client, in, sizeof(in))) > 0)
		if (write(out, in, (size_t)n) != n)
			_exit(1);
	usleep(wait_ms * 1000);
	/* What it reads is written, too, where the answer says so. */
	if (answer[0] == '=') {
		int again = open(shown, O_RDONLY);

		while ((n = read(again, in, sizeof(in))) > 0)
			if (write(client, in, (size_t)n) != n)
				_exit(1);
		answer++;
	}
	if (send(client, answer, strlen(answer), MSG_NOSIGNAL) == -1)
		_exit(1);
	_exit(0);
}

static void
count_waiting(void *ctx)
{
	++*(unsigned *)ctx;
}

static void
test_socket(void **state)
{
	static const struct {
		const char *answer;
		bool reads;
		unsigned wait_ms, timeout;
		size_t output_max;
		int rc, status;
		enum err_code code;
		const char *out;	/* NULL: it was cut */
	} cases[] = {
		{ "+\n", true, 0, 5, 100, 0, 0, ERR_NONE, "" },
		{ "-\n", true, 0, 5, 100, 0, 1, ERR_NONE, "" },
		{ "words\n+\n", true, 0, 5, 100, 0, 0, ERR_NONE, "words\n" },
		{ "+\n+\n", true, 0, 5, 100, 0, 0, ERR_NONE, "+\n" },
		{ "words+\n", true, 300, 5, 100, 0, 0, ERR_NONE, "words" },
		{ "words+\n", true, 0, 5, 3, 0, 0, ERR_NONE, NULL },
		{ "words+\n", true, 0, 5, 0, 0, 0, ERR_NONE, "" },
		{ "words", true, 0, 5, 100, -1, 0, ERR_EOF, "" },
		{ "+", true, 0, 5, 100, -1, 0, ERR_EOF, "" },
		{ "", true, 0, 5, 100, -1, 0, ERR_EOF, "" },
		{ "+\n", true, 2000, 1, 100, -1, 0, ERR_TIMEOUT, "" },
		{ "+\n", false, 0, 5, 100, -1, 0, ERR_EOF, "" },
		{ "-\n", false, 0, 5, 100, 0, 1, ERR_NONE, "" },
	};
	char dir[] = "/tmp/culver-program-XXXXXX", path[100], shown[100];
	struct span argv[] = { SPAN("x"), SPAN("one"), SPAN("two\tand\nhalf") };
	struct buf large = BUF_INIT((size_t)4 << 20), out, in = BUF_INIT((size_t)8 << 20);
	struct program_request r = { .argv = argv, .argc = 3, .input = SPAN("message\n") };
	struct err e = ERR_INIT;
	unsigned waited = 0;
	int status;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(shown, sizeof(shown), "%s/shown", dir);
	buf_init(&out, 100);
	assert_int_equal(program_socket_run(path, &r, &out, &status, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	for (size_t i = 0; i < COUNT(cases); i++) {
		pid_t pid = serve(path, cases[i].answer, cases[i].reads, cases[i].wait_ms, shown);
		int rc;

		buf_clear(&out);
		buf_init(&out, cases[i].output_max);
		e = (struct err)ERR_INIT;
		r.output_max = cases[i].output_max;
		r.timeout = cases[i].timeout;
		r.waiting = count_waiting;
		r.waiting_ctx = &waited;
		rc = program_socket_run(path, &r, &out, &status, &e);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (rc != cases[i].rc || (rc == 0 && status != cases[i].status) || e.code != cases[i].code ||
		    (cases[i].out == NULL) != out.failed || (rc == 0 && !out.failed && !span_eq(buf_span(&out), span_str(cases[i].out))))
			fail_msg("case %zu: %d, status %d, code %d, %.*s", i, rc, status, (int)e.code, SPAN_ARG(buf_span(&out)));
		if (i == 0) {
			assert_int_equal(file_read(shown, 1 << 20, &in, &e), 0);
			assert_span(buf_span(&in), "VERSION\tscript\t4\t0\nalarm=5\n-\none\ntwo\001tand\001nhalf\n\nmessage\n");
		}
	}
	assert_true(waited > 0);
	/* Nobody listens there any more: that is no missing program. */
	assert_int_equal(program_socket_run(path, &r, &out, &status, &e), -1);
	assert_int_not_equal(e.code, ERR_NOTFOUND);
	/* More than a socket holds, both ways. */
	for (size_t i = 0; i < 300000; i++)
		buf_adds(&large, "0123456789");
	r.input = buf_span(&large);
	r.output_max = (size_t)8 << 20;
	r.timeout = 10;
	buf_clear(&out);
	buf_init(&out, r.output_max);
	serve(path, "=+\n", true, 0, shown);
	assert_int_equal(program_socket_run(path, &r, &out, &status, &e), 0);
	assert_int_equal(wait(NULL) == -1, 0);
	assert_true(status == 0 && span_ends(buf_span(&out), buf_span(&large)) && out.n > large.n && out.n < large.n + 200);
	/* What can not be said is not sent. */
	argv[1] = SPAN("");
	assert_int_equal(program_socket_run(path, &r, &out, &status, &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	unlink(path);
	unlink(shown);
	assert_int_equal(rmdir(dir), 0);
	buf_clear(&large);
	buf_clear(&out);
	buf_clear(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_here), cmocka_unit_test(test_helper), cmocka_unit_test(test_restricted),
		cmocka_unit_test(test_dirs), cmocka_unit_test(test_socket) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
