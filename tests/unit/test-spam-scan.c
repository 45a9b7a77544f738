/* SPDX-License-Identifier: MIT */
/* Asking scanners that answer, hesitate, talk too much, hang up: each is a process of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib-deliver/spam-scan.h"

static const char spam_answer[] = "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 7.0 / 5.0\r\n\r\nX-Spam-Status: Yes tests=A,B\r\n\r\n";

enum manner { ANSWERS, ANSWERS_AT_ONCE, ANSWERS_LONG, IS_SILENT, DRIPS, FLOODS, HANGS_UP, BREAKS_OFF };

static void
say(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done <= 0)
			_exit(0);
		p += done;
		n -= (size_t)done;
	}
}

static void
serve(int fd, enum manner manner)
{
	static char room[65536];
	size_t n = sizeof(spam_answer) - 1;

	if (manner == ANSWERS || manner == BREAKS_OFF)
		while (recv(fd, room, sizeof(room), 0) > 0)
			continue;
	switch (manner) {
	case ANSWERS:
	case ANSWERS_AT_ONCE:
		say(fd, spam_answer, n);
		shutdown(fd, SHUT_WR);
		while (recv(fd, room, sizeof(room), 0) > 0)
			continue;
		break;
	case ANSWERS_LONG:
		say(fd, spam_answer, n - 2);
		memset(room, 'x', sizeof(room));
		for (int i = 0; i < 1000; i++)
			say(fd, room, sizeof(room));
		break;
	case BREAKS_OFF:
		say(fd, spam_answer, n / 2);
		break;
	case IS_SILENT:
		sleep(20);
		break;
	case DRIPS:
		for (size_t i = 0; i < 2000; i++) {
			say(fd, spam_answer + i % n, 1);
			usleep(10000);
		}
		break;
	case FLOODS:
		memset(room, 'x', sizeof(room));
		for (int i = 0; i < 1000; i++)
			say(fd, room, sizeof(room));
		break;
	case HANGS_UP:
		break;
	}
	_exit(0);
}

/* A scanner on a port of its own for one question; s knows where. */
static pid_t
start(struct spam_scan *s, enum manner manner)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	memcpy(&s->addresses[s->address_count].sa, &sa, sizeof(sa));
	s->addresses[s->address_count++].n = sizeof(sa);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		serve(accept(fd, NULL, NULL), manner);
	}
	close(fd);
	return pid;
}

static void
finish(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int
ask(struct spam_scan *s, size_t size, bool *spam_out, enum err_code *code_out)
{
	const struct spam_question q = { .task = SPAM_CHECK, .user = SPAN("alice") };
	struct arena *a = arena_new(SPAM_REPLY_MAX);
	char *text = calloc(1, size);
	struct err e = ERR_INIT;
	struct spam_verdict v = { .is_spam = false };
	int rc;

	memset(text, 'y', size);
	rc = spam_scan_ask(s, &q, span_of(text, size), a, &v, &e);
	*spam_out = v.is_spam;
	*code_out = e.code;
	free(text);
	arena_free(a);
	return rc;
}

static void
test_manners(void **state)
{
	static const struct {
		enum manner manner;
		size_t size;
		enum err_code code;
	} cases[] = {
		{ ANSWERS, 100, ERR_NONE }, { ANSWERS, 5000000, ERR_NONE }, { ANSWERS_AT_ONCE, 100, ERR_NONE },
		/* spamd gives back the whole header, which may be larger than an answer is read: the verdict is in front of it. */
		{ ANSWERS_LONG, 100, ERR_NONE },
		{ IS_SILENT, 100, ERR_TIMEOUT }, { IS_SILENT, 20000000, ERR_TIMEOUT }, { DRIPS, 100, ERR_TIMEOUT },
		{ FLOODS, 100, ERR_LIMIT }, { HANGS_UP, 100, ERR_EOF }, { BREAKS_OFF, 100, ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spam_scan s = { .on = true, .scanner = SPAM_SPAMD, .timeout_ms = cases[i].code == ERR_TIMEOUT ? 300 : 10000 };
		pid_t pid = start(&s, cases[i].manner);
		enum err_code code;
		bool spam;
		int rc = ask(&s, cases[i].size, &spam, &code);

		finish(pid);
		/* One that ends with data unread is a reset, sooner or later. */
		if (cases[i].code == ERR_EOF && code == ERR_TEMP)
			code = ERR_EOF;
		if (code != cases[i].code || rc != (code == ERR_NONE ? 0 : -1) || spam != (code == ERR_NONE))
			fail_msg("case %zu: rc %d, code %d, spam %d", i, rc, (int)code, spam);
	}
}

static void
test_several(void **state)
{
	struct spam_memory memory = { .silent_until = 0 };
	struct spam_scan s = { .on = true, .scanner = SPAM_SPAMD, .timeout_ms = 10000, .memory = &memory };
	enum err_code code;
	pid_t pid;
	bool spam;

	(void)state;
	/* Nobody is at the first address: the second is asked. */
	pid = start(&s, ANSWERS);
	finish(pid);
	pid = start(&s, ANSWERS);
	assert_int_equal(ask(&s, 100, &spam, &code), 0);
	assert_true(spam);
	finish(pid);
	assert_int_equal(ask(&s, 100, &spam, &code), -1);
	assert_int_equal(code, ERR_TEMP);
	assert_true(memory.silent_until == 0);
	/* Nobody was found. */
	s.address_count = 0;
	assert_int_equal(ask(&s, 100, &spam, &code), -1);
	assert_int_equal(code, ERR_NOTFOUND);
}

static int
ask_one(struct spam_scan *s, enum manner manner, int timeout_ms)
{
	enum err_code code;
	bool spam;
	pid_t pid;
	int rc;

	s->address_count = 0;
	s->timeout_ms = timeout_ms;
	pid = start(s, manner);
	rc = ask(s, 100, &spam, &code);
	finish(pid);
	if (rc == -1)
		assert_int_equal(code, ERR_TIMEOUT);
	return rc;
}

/* One that lets two questions in a row wait is left alone for a while; one message alone may be what takes so long. */
static void
test_silence(void **state)
{
	struct spam_memory memory = { .silent_until = 0 };
	struct spam_scan s = { .on = true, .scanner = SPAM_SPAMD, .memory = &memory };

	(void)state;
	assert_int_equal(ask_one(&s, IS_SILENT, 200), -1);
	assert_true(memory.silent_until == 0);
	assert_int_equal(ask_one(&s, ANSWERS, 10000), 0);
	assert_int_equal(ask_one(&s, IS_SILENT, 200), -1);
	assert_true(memory.silent_until == 0);
	assert_int_equal(ask_one(&s, IS_SILENT, 200), -1);
	assert_true(memory.silent_until > 0);
	assert_int_equal(ask_one(&s, ANSWERS, 10000), -1);
	/* The time is over. */
	memory.silent_until = 1;
	assert_int_equal(ask_one(&s, ANSWERS, 10000), 0);
}

/* A socket whose queue is full: it is waited for, but not for ever. */
static void
test_full_queue(void **state)
{
	struct spam_scan s = { .on = true, .scanner = SPAM_SPAMD, .timeout_ms = 300, .address_count = 1 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), held = socket(AF_UNIX, SOCK_STREAM, 0);
	enum err_code code;
	bool spam;
	pid_t pid;

	(void)state;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/culver-spam-%ld", (long)getpid());
	unlink(sa.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(connect(held, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	memcpy(&s.addresses[0].sa, &sa, sizeof(sa));
	s.addresses[0].n = sizeof(sa);
	assert_int_equal(ask(&s, 100, &spam, &code), -1);
	assert_int_equal(code, ERR_TIMEOUT);
	s.timeout_ms = 10000;
	pid = fork();
	if (pid == 0) {
		alarm(30);
		usleep(200000);
		close(accept(fd, NULL, NULL));
		serve(accept(fd, NULL, NULL), ANSWERS);
	}
	assert_int_equal(ask(&s, 100, &spam, &code), 0);
	assert_true(spam);
	finish(pid);
	close(held);
	close(fd);
	unlink(sa.sun_path);
}

static void
test_fate(void **state)
{
	struct spam_verdict v = { .is_spam = true, .score = 6000, .required = 5000 };
	struct spam_scan s = { .on = true };

	(void)state;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_JUNK);
	v.is_spam = false;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_NONE);
	/* The site's threshold for the mailbox is not the scanner's for what spam is. */
	s.has_junk = true;
	s.junk = 6000;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_JUNK);
	v.is_spam = true;
	s.junk = 6001;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_NONE);
	s.has_junk = false;
	s.has_reject = v.is_spam = v.reject = true;
	s.reject = 15000;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_JUNK);
	v.score = 15000;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_REJECT);
	s.has_reject = false;
	v.score = 1;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_REJECT);
	v.defer = true;
	assert_int_equal(spam_scan_fate(&s, &v), SPAM_FATE_DEFER);
}

static void
put_piece(void *ctx, struct span piece)
{
	buf_add(ctx, piece);
}

static void
expect_stripped(struct span text, struct span want)
{
	struct buf out = BUF_INIT(64 << 20);

	assert_int_equal(spam_scan_is_forged(text), text.n != want.n);
	spam_scan_strip(text, put_piece, &out);
	if (!span_eq(buf_span(&out), want))
		fail_msg("got\n%.*s\nwanted\n%.*s", SPAN_ARG(span_sub(buf_span(&out), 0, 2000)), SPAN_ARG(span_sub(want, 0, 2000)));
	buf_clear(&out);
}

static void
test_strip(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" }, { "X-Spam-Flag: YES", "" }, { "X-Spam-Flag: YES\r\n", "" }, { "\r\nX-Spam-Flag: NO\r\n", "\r\nX-Spam-Flag: NO\r\n" },
		{ "A: b\r\nx-sPAM-fLAG  : NO\r\nC: d\r\n\r\nX-Spam-Flag: in the body\r\n", "A: b\r\nC: d\r\n\r\nX-Spam-Flag: in the body\r\n" },
		{ "X-Spam-Status: No,\r\n score=-100\r\n\ttests=none\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
		{ "X-Spam-:\n\nX", "\nX" }, { "A: X-Spam-Flag: NO\n\nX", "A: X-Spam-Flag: NO\n\nX" },
		/* As others name theirs; what is no field. */
		{ "X-Spam: Yes\nX-Spamd-Bar: /\nX-Spam-Flag\n\n", "X-Spam: Yes\nX-Spamd-Bar: /\nX-Spam-Flag\n\n" },
		{ "A: b\r\n X-Spam-Flag: NO\r\n\r\n", "A: b\r\n X-Spam-Flag: NO\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_stripped(span_str(cases[i][0]), span_str(cases[i][1]));
}

/* Wherever it hides, and as often as it is there: half a million fields. */
static void
test_strip_many(void **state)
{
	struct buf text = BUF_INIT(64 << 20), want = BUF_INIT(64 << 20);

	(void)state;
	for (int i = 0; i < 250000; i++) {
		buf_adds(&text, "A: b\r\n");
		buf_adds(&want, "A: b\r\n");
	}
	buf_adds(&text, "X-Spam-Flag: NO\r\n");
	for (int i = 0; i < 250000; i++) {
		buf_adds(&text, "A: b\r\nX-Spam-Level: *\r\n");
		buf_adds(&want, "A: b\r\n");
	}
	buf_adds(&text, "\r\nHello.\r\n");
	buf_adds(&want, "\r\nHello.\r\n");
	assert_false(text.failed || want.failed);
	expect_stripped(buf_span(&text), buf_span(&want));
	buf_clear(&text);
	buf_clear(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_manners), cmocka_unit_test(test_several),
		cmocka_unit_test(test_silence), cmocka_unit_test(test_full_queue), cmocka_unit_test(test_fate),
		cmocka_unit_test(test_strip), cmocka_unit_test(test_strip_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
