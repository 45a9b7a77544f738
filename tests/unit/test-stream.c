/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include "lib/stream.h"
#include "lib/sys.h"

static void
test_lines_any_cut(void **state)
{
	static const char *const want[] = { "a NOOP", "", "b LOGIN x y", "c" };
	struct span script = SPAN("a NOOP\r\n\nb LOGIN x y\r\nc\nrest");

	(void)state;
	for (size_t step = 1; step <= script.n; step++) {
		struct err e = ERR_INIT;
		struct stream s;
		struct span line;

		stream_init_mem(&s, script, 100, 100);
		s.script_step = step;
		for (size_t i = 0; i < COUNT(want); i++) {
			assert_int_equal(stream_line(&s, 50, &line, &e), 0);
			assert_span(line, want[i]);
		}
		assert_int_equal(stream_line(&s, 50, &line, &e), -1);
		assert_int_equal(e.code, ERR_EOF);
		assert_span(stream_in(&s), "rest");
		assert_int_equal(s.in_octets, script.n);
		assert_true(s.eof);
		assert_int_equal(stream_fill(&s, &e), -1);
		assert_int_equal(e.code, ERR_EOF);
		stream_clear(&s);
	}
}

static void
test_line_limit(void **state)
{
	static const struct {
		const char *script;
		bool ok;
	} cases[] = {
		{ "1234567\n", true },
		{ "123456\r\n", true },
		{ "12345678\n", false },
		{ "12345678\nmore that came with it\n", false },
		{ "123456789", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t step = 1; step < 20; step += 9) {
			struct err e = ERR_INIT;
			struct stream s;
			struct span line;

			stream_init_mem(&s, span_str(cases[i].script), 100, 100);
			s.script_step = step;
			assert_int_equal(stream_line(&s, 8, &line, &e), cases[i].ok ? 0 : -1);
			assert_int_equal(e.code, cases[i].ok ? ERR_NONE : ERR_LIMIT);
			stream_clear(&s);
		}
	}
}

static void
test_input_limit(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;

	(void)state;
	stream_init_mem(&s, SPAN("0123456789"), 6, 100);
	assert_int_equal(stream_fill(&s, &e), 0);
	assert_span(stream_in(&s), "012345");
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	stream_drop(&s, 4);
	assert_int_equal(stream_fill(&s, &e), 0);
	assert_span(stream_in(&s), "456789");
	stream_drop(&s, 6);
	assert_span(stream_in(&s), "");
	stream_unread(&s, SPAN("more than six"));	/* what login had read comes in whatever the limit */
	assert_span(stream_in(&s), "more than six");
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	stream_drop(&s, 10);
	stream_unread(&s, SPAN("the "));
	assert_span(stream_in(&s), "the six");
	assert_int_equal(stream_wait(&s, -1, 0, &e), 1);
	stream_clear(&s);
}

static void
test_output_mem(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;
	char *room;

	(void)state;
	stream_init_mem(&s, SPAN_NONE, 10, 40);
	stream_puts(&s, "* ");
	stream_put_u64(&s, 12);
	stream_putf(&s, " %s", "EXISTS");
	stream_put(&s, SPAN("\r\n"));
	room = stream_reserve(&s, 10);
	assert_non_null(room);
	memcpy(room, "ok", 2);
	stream_commit(&s, 2);
	assert_int_equal(stream_flush(&s, &e), 0);
	assert_span(buf_span(&s.out), "* 12 EXISTS\r\nok");
	assert_null(stream_reserve(&s, 26));
	assert_true(s.failed);
	assert_int_equal(stream_flush(&s, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	stream_puts(&s, "x");
	stream_put_u64(&s, 1);
	stream_putf(&s, "x");
	assert_null(stream_reserve(&s, 1));
	assert_span(buf_span(&s.out), "* 12 EXISTS\r\nok");
	assert_int_equal(stream_fill(&s, &e), -1);	/* an engine that goes on reading finds the end here */
	stream_clear(&s);
	stream_init_mem(&s, SPAN_NONE, 10, 1);
	stream_put_u64(&s, 12);
	assert_true(s.failed);
	stream_clear(&s);
	stream_init_mem(&s, SPAN_NONE, 10, 1);
	stream_putf(&s, "%d", 12);
	assert_true(s.failed);
	stream_clear(&s);
	stream_init_mem(&s, SPAN_NONE, 10, 1 << 20);
	assert_null(stream_reserve(&s, (64 << 10) + 1));
	stream_clear(&s);
}

static unsigned waits;

static void
on_wait(void *ctx)
{
	waits += *(unsigned *)ctx;
}

static void
test_socket(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;
	struct span line;
	unsigned two = 2;
	char got[10];
	int fds[2], other[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(pipe(other), 0);
	stream_init_fd(&s, fds[0], 100, 10000);
	s.on_wait = on_wait;
	s.ctx = &two;
	assert_int_equal(write(fds[1], "one\r\ntw", 7), 7);
	stream_puts(&s, "hello");
	assert_int_equal(stream_wait(&s, other[0], 10000, &e), 1);
	assert_int_equal(read(fds[1], got, sizeof(got)), 5);	/* the wait flushed */
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(stream_line(&s, 50, &line, &e), 0);
	assert_span(line, "one");
	assert_int_equal(waits, 2);
	assert_int_equal(write(fds[1], "o\r\n", 3), 3);
	assert_int_equal(stream_line(&s, 50, &line, &e), 0);
	assert_span(line, "two");
	assert_int_equal(stream_wait(&s, other[0], 1, &e), 0);
	assert_int_equal(write(other[1], "x", 1), 1);
	assert_int_equal(stream_wait(&s, other[0], 10000, &e), 2);
	s.read_timeout_ms = 20;
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	close(fds[1]);
	assert_int_equal(stream_wait(&s, other[0], 10000, &e), 1);
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_EOF);
	assert_int_equal(stream_wait(&s, -1, 10000, &e), 1);
	stream_puts(&s, "x");
	assert_int_equal(stream_flush(&s, &e), -1);
	assert_int_equal(e.code, ERR_EOF);
	assert_true(s.failed);
	stream_clear(&s);
	close(fds[0]);
	close(other[0]);
	close(other[1]);
}

/* A pipe is read with the same timeouts, and a file to its end. */
static void
test_no_socket(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;
	char got[10];
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	stream_init_fd(&s, fds[0], 100, 20);
	s.out_fd = fds[1];
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	stream_puts(&s, "loop");
	assert_int_equal(stream_fill(&s, &e), 0);
	assert_span(stream_in(&s), "loop");
	close(fds[1]);
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_EOF);
	stream_clear(&s);
	close(fds[0]);
	fd = memfd_sealed("f", SPAN("content"), &e);
	stream_init_fd(&s, fd, 100, 20);
	assert_int_equal(stream_fill(&s, &e), 0);
	assert_span(stream_in(&s), "content");
	stream_puts(&s, "x");
	assert_int_equal(stream_flush(&s, &e), -1);		/* sealed */
	assert_int_equal(e.code, ERR_DENIED);
	stream_clear(&s);
	close(fd);
	(void)got;
	stream_init_fd(&s, -1, 100, 20);
	s.in_fd = s.out_fd = 9999;
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	stream_puts(&s, "x");
	assert_int_equal(stream_flush(&s, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	stream_clear(&s);
}

static int
read_all_slowly(void *data)
{
	const int *fds = data;
	uint64_t total = 0, next = 0;
	static uint32_t block[1024];
	ssize_t n;

	close(fds[0]);
	while ((n = recv(fds[1], block, sizeof(block), MSG_WAITALL)) > 0) {
		for (ssize_t i = 0; i < n / 4; i++)
			if (block[i] != next++)
				return 1;
		total += (uint64_t)n;
	}
	return total == 4 * 1000000 ? 0 : 2;
}

/* Far more than the buffer, in pieces of all sizes: it arrives whole and in order, and memory stays bounded. */
static void
test_large_output(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;
	uint32_t *numbers = malloc(4 * 1000000), at = 0;
	static const uint32_t sizes[] = { 1, 3000, 16384, 100000, 7, 60000, 32769 };
	int fds[2], status;
	pid_t pid;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++)
		numbers[i] = i;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(read_all_slowly(fds));
	close(fds[1]);
	stream_init_fd(&s, fds[0], 100, 60000);
	for (size_t k = 0; at < 1000000; k++) {
		uint32_t n = sizes[k % COUNT(sizes)] < 1000000 - at ? sizes[k % COUNT(sizes)] : 1000000 - at;

		if (n <= 16384 && k % 2 == 0) {
			char *room = stream_reserve(&s, 65536);

			assert_non_null(room);
			memcpy(room, numbers + at, (size_t)n * 4);
			stream_commit(&s, (size_t)n * 4);
		} else {
			stream_put(&s, span_of(numbers + at, (size_t)n * 4));
		}
		assert_true(s.out.cap <= 192 * 1024);
		at += n;
	}
	assert_int_equal(stream_flush(&s, &e), 0);
	assert_int_equal(s.out_octets, 4000000);
	assert_true(s.out.cap > 100000);
	assert_int_equal(stream_wait(&s, -1, 0, &e), 0);	/* a session that waits holds little */
	assert_int_equal(s.out.cap, 0);
	stream_clear(&s);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(numbers);
}

/* Who takes no output is given up, and the reason is still known afterwards. */
static void
test_write_timeout(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;
	char *big = calloc(1, 4 << 20);
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	stream_init_fd(&s, fds[0], 100, 10);
	stream_put(&s, span_of(big, 4 << 20));
	assert_true(s.failed);
	assert_int_equal(stream_flush(&s, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	stream_puts(&s, "x");
	assert_int_equal(stream_wait(&s, -1, 0, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(stream_fill(&s, &e), -1);
	stream_clear(&s);
	close(fds[0]);
	close(fds[1]);
	free(big);
}

static int
write_all_numbers(void *data)
{
	const int *fds = data;
	static uint32_t block[5000];
	struct err e = ERR_INIT;

	close(fds[0]);
	for (uint32_t at = 0; at < 1000000; at += 5000) {
		for (uint32_t i = 0; i < 5000; i++)
			block[i] = at + i;
		if (fd_write_all(fds[1], span_of(block, sizeof(block)), &e) == -1)
			return 1;
	}
	return 0;
}

/* Input that keeps coming is read in larger pieces, never beyond the limit, and whole. */
static void
test_large_input(void **state)
{
	struct err e = ERR_INIT;
	uint32_t next = 0, have;
	struct stream s;
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(write_all_numbers(fds));
	close(fds[1]);
	stream_init_fd(&s, fds[0], 100000, 60000);
	while (stream_fill(&s, &e) == 0) {
		assert_true(stream_in(&s).n <= 100000);
		while (stream_in(&s).n >= 4) {
			memcpy(&have, stream_in(&s).p, 4);
			assert_int_equal(have, next++);
			stream_drop(&s, 4);
		}
	}
	assert_int_equal(e.code, ERR_EOF);
	assert_int_equal(next, 1000000);
	assert_int_equal(s.in_octets, 4000000);
	stream_clear(&s);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_any_cut),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_input_limit),
		cmocka_unit_test(test_output_mem),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_large_output),
		cmocka_unit_test(test_large_input),
		cmocka_unit_test(test_write_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
