/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_TESTING_H
#define CULVER_TESTS_TESTING_H
/* What unit tests share: cmocka with the headers that it wants before it, and a few lines that each would write again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "lib/buf.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* s is these octets; a failure shows both. */
#define assert_span(s, text) testing_assert_span((s), span_str(text), __FILE__, __LINE__)

static inline void
testing_assert_span(struct span have, struct span want, const char *file, int line)
{
	if (span_eq(have, want))
		return;
	print_error("have (%zu): \"%.*s\"\nwant (%zu): \"%.*s\"\n", have.n, SPAN_ARG(have), want.n, SPAN_ARG(want));
	_fail(file, line);
}

/* A new directory of this test alone; temp_dir_remove takes all of it away. */
static inline void
temp_dir_make(char path[64])
{
	const char *top = getenv("TMPDIR");

	if (top == NULL || strlen(top) > 40)
		top = "/tmp";
	snprintf(path, 64, "%s/culver-test-XXXXXX", top);
	assert_non_null(mkdtemp(path));
}

static inline void
temp_dir_remove(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Runs body(data) in a forked child; gives what waitpid says.  The child must leave with _exit or return 0..255. */
static inline int
in_child(int (*body)(void *), void *data)
{
	pid_t pid;
	int status = -1;

	fflush(NULL);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0)
		_exit(body(data));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
#endif
