/* SPDX-License-Identifier: MIT */
/* Asking scanners that answer, hesitate, talk too much, hang up: each is a process of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib-deliver/spam-scan.h"

static const char spam_answer[] = "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 7.0 / 5.0\r\n\r\nX-Spam-Status: Yes tests=A,B\r\n\r\n";

enum manner { ANSWERS, ANSWERS_AT_ONCE, IS_SILENT, DRIPS, FLOODS, HANGS_UP, BREAKS_OFF };

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
	volatile int64_t silent_until = 0;
	struct spam_scan s = { .on = true, .scanner = SPAM_SPAMD, .timeout_ms = 10000, .silent_until = &silent_until };
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
	s.address_count = 0;
	pid = start(&s, ANSWERS);
	s.has_junk = true;
	s.junk = 7001;
	assert_int_equal(ask(&s, 100, &spam, &code), 0);
	assert_false(spam);
	finish(pid);
	assert_int_equal(ask(&s, 100, &spam, &code), -1);
	assert_int_equal(code, ERR_TEMP);
	assert_true(silent_until == 0);
	/* One that let us wait is left alone for a while. */
	s.address_count = 0;
	s.timeout_ms = 200;
	pid = start(&s, IS_SILENT);
	assert_int_equal(ask(&s, 100, &spam, &code), -1);
	assert_true(silent_until > 0);
	finish(pid);
	s.address_count = 0;
	pid = start(&s, ANSWERS);
	assert_int_equal(ask(&s, 100, &spam, &code), -1);
	assert_int_equal(code, ERR_TIMEOUT);
	silent_until = 1;
	assert_int_equal(ask(&s, 100, &spam, &code), 0);
	finish(pid);
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

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_manners), cmocka_unit_test(test_several),
		cmocka_unit_test(test_fate) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
