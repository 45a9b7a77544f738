/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/stream.h"
#include "lib/sys.h"
#include "lmtp/rawlog.h"

/* What was written, with each time of a line as "T". */
static void
read_back(int fd, char *out, size_t room)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct span rest;
	size_t n = 0;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, b.max, &b, &e), 0);
	for (rest = buf_span(&b); rest.n > 0;) {
		size_t line = span_chr(rest, '\n'), time = span_chr(rest, ' ');

		assert_true(time > 10 && time < line && rest.p[time - 7] == '.');
		line += line < rest.n;
		assert_true(n + 2 + line - time < room);
		n += (size_t)snprintf(out + n, room - n, "T%.*s", SPAN_ARG(span_sub(rest, time, line - time)));
		rest = span_from(rest, line);
	}
	buf_clear(&b);
}

static void
test_record(void **state)
{
	int pair[2];
	int fds[2] = { memfd_create("in", MFD_CLOEXEC), memfd_create("out", MFD_CLOEXEC) };
	char text[1000] = "";
	struct rawlog r;
	struct stream s;
	struct span line;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	rawlog_init(&r, fds);
	stream_init_fd(&s, pair[0], 1000, 1000);
	s.record = rawlog_record;
	s.record_ctx = &r;
	stream_puts(&s, "220 hello\r\n");
	assert_int_equal(write(pair[1], "LHLO a", 6), 6);
	assert_int_equal(stream_fill(&s, &e), 0);
	assert_int_equal(write(pair[1], "\r\nNOOP\r\nMAIL", 13), 13);
	assert_int_equal(stream_line(&s, 100, &line, &e), 0);
	assert_true(span_eq(line, SPAN("LHLO a")));
	stream_puts(&s, "250-a\r\n");
	stream_puts(&s, "250 b\r\n");
	assert_int_equal(stream_flush(&s, &e), 0);
	read_back(fds[0], text, sizeof(text));
	assert_string_equal(text, "T LHLO a\r\nT NOOP\r\nT MAIL");
	read_back(fds[1], text, sizeof(text));
	assert_string_equal(text, "T 220 hello\r\nT 250-a\r\nT 250 b\r\n");
	/* Past its limit a file gets no more; the other one, and the session, go on. */
	r.left[1] = 10;
	stream_puts(&s, "250 c\r\n");
	assert_int_equal(stream_flush(&s, &e), 0);
	assert_int_equal(r.fds[1], -1);
	assert_int_not_equal(r.fds[0], -1);
	stream_clear(&s);
	close(pair[0]);
	close(pair[1]);
	close(fds[0]);
}

static void
test_open(void **state)
{
	char dir[] = "/tmp/culver-rawlog-XXXXXX", command[200];
	struct err e = ERR_INIT;
	struct stat sb;
	int fds[2], more[2];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(rawlog_open(dir, fds, &e), 0);
	assert_int_equal(rawlog_open(dir, more, &e), 0);
	assert_int_equal(fstat(fds[0], &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(more[i]);
	}
	snprintf(command, sizeof(command), "test $(ls %s | grep -c '[.]in$') = 2 && rm -r %s", dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(rawlog_open(dir, fds, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_record), cmocka_unit_test(test_open) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
