/* SPDX-License-Identifier: MIT */
/* Each file tests/sieve/NAME.svtest is a test; the cases in it are named when they fail. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib-filter/sieve/tester-file.h"
#include "testing.h"

#define FILES_MAX 500

static unsigned all;

static void
on_test(void *ctx, struct span test, unsigned line, struct span why)
{
	if (why.n > 0)
		print_error("%s:%u: %.*s: %.*s\n", (const char *)ctx, line, SPAN_ARG(test), SPAN_ARG(why));
}

static void
test_file(void **state)
{
	char *path = *state;
	struct sieve_tester_result result;
	struct sieve_error error;

	if (sieve_tester_run_file(path, on_test, path, NULL, &result, &error) == -1)
		fail_msg("%s:%u: %s", path, error.line, error.text);
	assert_int_equal(result.failed, 0);
	assert_true(result.passed > 0);
	all += result.passed;
}

/* So that cases which are not found any more are missed. */
static void
test_count(void **state)
{
	(void)state;
	print_message("%u cases\n", all);
	assert_true(all >= CASES_MIN);
}

int
main(void)
{
	static struct CMUnitTest tests[FILES_MAX + 1];
	glob_t found;
	size_t count = 0;
	int rc;

	if (glob(CULVER_SRCDIR "/tests/sieve/*.svtest", 0, NULL, &found) != 0)
		return 1;
	for (; count < found.gl_pathc && count < FILES_MAX; count++)
		tests[count] = (struct CMUnitTest){ strrchr(found.gl_pathv[count], '/') + 1, test_file, NULL, NULL, found.gl_pathv[count] };
	tests[count++] = (struct CMUnitTest){ "count", test_count, NULL, NULL, NULL };
	rc = _cmocka_run_group_tests("sieve scripts", tests, count, NULL, NULL);
	globfree(&found);
	return rc;
}
