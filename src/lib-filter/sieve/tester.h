/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_TESTER_H
#define CULVER_LIB_FILTER_SIEVE_TESTER_H
/*
 * Scripts that test scripts: the extension "vnd.dovecot.testsuite".  All that the actions of a test do is done in memory:
 * mailboxes, sent mail, metadata.
 */
#include "lib-filter/sieve/script.h"

/* As filter.h's run, with variables NAME=value. */
typedef int sieve_tester_program(void *ctx, const struct filter_program *p, const struct span *env, size_t env_count,
    struct span input, struct arena *a, struct span *out, int *status, struct err *e);

struct sieve_tester_io {
	void *ctx;
	/* A file that a test names, from the directory of the test; in a.  ERR_NOTFOUND. */
	int (*read)(void *ctx, struct span path, struct arena *a, struct span *out, struct err *e);
	sieve_tester_program *run;	/* NULL: programs are not run */
	struct span dir;		/* ${tst.path}: the directory of the test */
	/* A test has ended; why: empty when it passed. */
	void (*report)(void *ctx, struct span test, unsigned line, struct span why);
};

struct sieve_tester_result {
	unsigned passed, failed;
};

/* Runs the whole of a test script.  -1: it could not be compiled, or failed outside of a test; *error. */
int sieve_tester_run(struct span text, const struct sieve_tester_io *io, struct sieve_tester_result *out,
    struct sieve_error *error);
#endif
