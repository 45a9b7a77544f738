/* SPDX-License-Identifier: MIT */
/* sieve test: runs scripts that test scripts; needs no server and no configuration. */
#include "adm/adm.h"

#include <stdio.h>
#include <unistd.h>
#include "lib-filter/sieve/tester-file.h"

struct shown {
	const char *path;
	bool all;			/* also those that passed */
};

static void
on_test(void *ctx, struct span test, unsigned line, struct span why)
{
	const struct shown *s = ctx;

	if (why.n > 0)
		printf("%s:%u: %.*s: FAILED: %.*s\n", s->path, line, SPAN_ARG(test), SPAN_ARG(why));
	else if (s->all)
		printf("%s:%u: %.*s: ok\n", s->path, line, SPAN_ARG(test));
}

int
cmd_sieve_test(struct adm *a)
{
	struct shown s = { .all = a->verbose };
	unsigned passed = 0, failed = 0;
	int opt;

	while ((opt = getopt(a->argc, a->argv, "v")) != -1) {
		if (opt != 'v')
			return adm_usage(a);
		s.all = true;
	}
	if (optind >= a->argc)
		return adm_usage(a);
	for (int i = optind; i < a->argc; i++) {
		struct sieve_tester_result result;
		struct sieve_error error;

		s.path = a->argv[i];
		if (sieve_tester_run_file(s.path, on_test, &s, &result, &error) == -1) {
			printf("%s:%u: FAILED: %s\n", s.path, error.line, error.text);
			failed++;
		}
		passed += result.passed;
		failed += result.failed;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 ? ADM_OK : ADM_FAILED;
}
