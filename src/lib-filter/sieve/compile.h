/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_COMPILE_H
#define CULVER_LIB_FILTER_SIEVE_COMPILE_H
/* What the compiler of texts and the loader of binaries share. */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/script.h"

struct sieve_script *sieve_script_new(struct sieve_error *error);
/* Checks the commands of s, and of all that it includes. */
int sieve_script_check(struct sieve_script *s, const struct sieve_compile_options *o, struct sieve_error *error);

/* A script that main knows by its name already; NULL: none. */
struct sieve_script *sieve_include_known(const struct sieve_script *main, bool personal, struct span name);
/* A further one, not parsed yet; NULL: there are too many, or no memory. */
struct sieve_script *sieve_include_new(struct sieve_script *main, bool personal, struct span name);
/*
 * The checked script that the command n includes.  *out NULL: it is missing, and may be (optional; or an upload, where the
 * author can still add it).  once: it may be one that includes this one.
 */
int sieve_include_find(struct sieve_checker *c, struct sieve_node *n, bool personal, struct span name, bool optional,
    bool once, struct sieve_script **out);
#endif
