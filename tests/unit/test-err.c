/* SPDX-License-Identifier: MIT */
/* err and log. */
#include "testing.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <syslog.h>
#include "lib/err.h"
#include "lib/log.h"
#include "lib/sys.h"

static void
test_err(void **state)
{
	static const struct {
		int error;
		enum err_code want;
	} cases[] = {
		{ ENOENT, ERR_NOTFOUND }, { EACCES, ERR_DENIED }, { EPERM, ERR_DENIED }, { EROFS, ERR_DENIED },
		{ ENOSPC, ERR_QUOTA }, { EDQUOT, ERR_QUOTA }, { EFBIG, ERR_QUOTA }, { EEXIST, ERR_EXISTS },
		{ EIO, ERR_TEMP }, { EINTR, ERR_TEMP },
	};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&e, ERR_QUOTA, "%d over", 5), -1);
	assert_int_equal(e.code, ERR_QUOTA);
	assert_string_equal(e.log, "5 over");
	assert_int_equal(err_wrap(&e, "saving %s", "x"), -1);
	assert_string_equal(e.log, "saving x: 5 over");
	assert_int_equal(e.code, ERR_QUOTA);
	for (size_t i = 0; i < COUNT(cases); i++) {
		errno = cases[i].error;
		assert_int_equal(err_errno(&e, "open %s", "f"), -1);
		assert_int_equal(errno, cases[i].error);
		assert_int_equal(e.code, cases[i].want);
		assert_memory_equal(e.log, "open f: ", 8);
		assert_string_equal(e.log + 8, strerror(cases[i].error));
	}
}

/* Texts are cut at the end, never overrun, wherever they meet it. */
static void
test_err_cut(void **state)
{
	struct err e = ERR_INIT;
	char big[1000];

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_TEMP, "%s", big);
	assert_int_equal(strlen(e.log), sizeof(e.log) - 1);
	err_wrap(&e, "front");
	assert_int_equal(strlen(e.log), sizeof(e.log) - 1);
	assert_memory_equal(e.log, "front: xxx", 10);
	err_wrap(&e, "%s", big);
	assert_int_equal(strlen(e.log), sizeof(e.log) - 1);
	errno = EIO;
	err_errno(&e, "%s", big);
	assert_int_equal(strlen(e.log), sizeof(e.log) - 1);
}

static char *
take_log(int fd)
{
	static char text[8192];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_log_lines(void **state)
{
	int main_pipe[2], info_pipe[2], debug_pipe[2];
	struct log_target t = { .timestamp = "T " };

	(void)state;
	assert_int_equal(pipe2(main_pipe, O_NONBLOCK), 0);
	assert_int_equal(pipe2(info_pipe, O_NONBLOCK), 0);
	assert_int_equal(pipe2(debug_pipe, O_NONBLOCK), 0);
	t.fd = main_pipe[1];
	t.info_fd = info_pipe[1];
	t.debug_fd = debug_pipe[1];
	log_init(&t);
	log_prefix("imap(%s)", "bob");
	assert_false(log_is_debug());
	log_debug("unseen");
	log_info("hello %d", 1);
	log_warning("careful");
	errno = ENOSPC;
	log_error("broken");
	assert_int_equal(errno, ENOSPC);
	log_as(LOG_LVL_ERROR, "other", "line");
	assert_string_equal(take_log(main_pipe[0]),
		"T imap(bob): Warning: careful\nT imap(bob): Error: broken\nT other: Error: line\n");
	assert_string_equal(take_log(info_pipe[0]), "T imap(bob): hello 1\n");
	assert_string_equal(take_log(debug_pipe[0]), "");
	t.debug = true;
	log_init(&t);
	assert_true(log_is_debug());
	log_debug("seen");
	assert_string_equal(take_log(debug_pipe[0]), "T imap(bob): Debug: seen\n");
	t.debug_fd = -1;
	log_init(&t);
	log_debug("seen");
	assert_string_equal(take_log(info_pipe[0]), "T imap(bob): Debug: seen\n");
	t.info_fd = -1;
	t.timestamp = NULL;
	log_init(&t);
	log_info("default time");
	assert_non_null(strstr(take_log(main_pipe[0]), " imap(bob): default time\n"));
	for (int i = 0; i < 2; i++) {
		close(main_pipe[i]);
		close(info_pipe[i]);
		close(debug_pipe[i]);
	}
}

static void
test_log_escapes(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "a\nJan 1 forged", "a\\x0aJan 1 forged" },
		{ "\x1b[2J\r\t\x7f", "\\x1b[2J\\x0d\\x09\\x7f" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "bad \xff\xc3", "bad \\xff\\xc3" },
		{ "c1 \xc2\x9b" "2J", "c1 \\xc2\\x9b2J" },
	};
	struct log_target t = { .info_fd = -1, .debug_fd = -1, .timestamp = "" };
	char big[5000];
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	t.fd = fds[1];
	log_init(&t);
	log_prefix("p");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char want[200];

		log_info("%s", cases[i].in);
		snprintf(want, sizeof(want), "p: %s\n", cases[i].want);
		assert_string_equal(take_log(fds[0]), want);
	}
	memset(big, '\1', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_info("%s", big);
	assert_in_range(strlen(take_log(fds[0])), 1900, 2100);
	log_as(LOG_LVL_INFO, big, "x");		/* a prefix is cut too, and the text still there */
	assert_non_null(strstr(take_log(fds[0]), ": x\n"));
	close(fds[0]);
	close(fds[1]);
}

/* A log that takes nothing delays nobody for long, and what was lost is told once it takes lines again. */
static void
test_log_full(void **state)
{
	struct log_target t = { .info_fd = -1, .debug_fd = -1, .timestamp = "" };
	char junk[4096] = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_nonblock(fds[1], true), 0);
	while (write(fds[1], junk, sizeof(junk)) > 0)
		;
	assert_int_equal(fd_nonblock(fds[1], false), 0);
	t.fd = fds[1];
	log_init(&t);
	log_prefix("p");
	log_info("one");
	log_info("two");
	assert_int_equal(fd_nonblock(fds[0], true), 0);
	while (read(fds[0], junk, sizeof(junk)) > 0)
		;
	log_info("three");
	assert_string_equal(take_log(fds[0]), "(2 lines lost before) p: three\n");
	log_info("four");
	assert_string_equal(take_log(fds[0]), "p: four\n");
	close(fds[0]);
	close(fds[1]);
}

static char hooked[256];

static void
on_line(enum log_level level, const char *line)
{
	snprintf(hooked, sizeof(hooked), "%d %s", (int)level, line);
}

static int
child_fatal(void *data)
{
	(void)data;
	log_fatal("the end");
}

static int
child_syslog(void *data)
{
	struct log_target t = { .fd = -1, .syslog_ident = "culver-test", .syslog_facility = LOG_MAIL };

	(void)data;
	log_init(&t);
	t.info_fd = t.debug_fd = -1;
	log_init(&t);
	log_info("from the unit tests");
	return 0;
}

static void
test_log_ends(void **state)
{
	struct log_target t = { .info_fd = -1, .debug_fd = -1, .timestamp = "" };
	int fds[2], status;

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	t.fd = fds[1];
	log_init(&t);
	log_prefix("p");
	log_hook(on_line);
	log_info("not for the hook");
	assert_string_equal(hooked, "");
	log_warning("for the hook");
	assert_string_equal(hooked, "2 p: Warning: for the hook");
	log_hook(NULL);
	take_log(fds[0]);
	status = in_child(child_fatal, NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 89);
	assert_string_equal(take_log(fds[0]), "p: Fatal: the end\n");
	assert_int_equal(in_child(child_syslog, NULL), 0);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_err_cut),
		cmocka_unit_test(test_log_lines),
		cmocka_unit_test(test_log_escapes),
		cmocka_unit_test(test_log_full),
		cmocka_unit_test(test_log_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
