/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_TESTER_FILE_H
#define CULVER_LIB_FILTER_SIEVE_TESTER_FILE_H
#include "lib-filter/sieve/tester.h"

/*
 * A test script in a file; what it names is looked for from its directory.  on_test: for each test, why empty: it passed.
 * run: gets no ctx; NULL: no programs are run.
 */
int sieve_tester_run_file(const char *path, void (*on_test)(void *ctx, struct span test, unsigned line, struct span why), void *ctx,
    sieve_tester_program *run, struct sieve_tester_result *out, struct sieve_error *error);
#endif
