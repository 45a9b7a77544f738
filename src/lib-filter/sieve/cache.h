/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_CACHE_H
#define CULVER_LIB_FILTER_SIEVE_CACHE_H
/*
 * A script from its file, by way of the binary beside it: NAME.sieve has NAME.csvbin.  The binary is made anew when the
 * script, what it includes, or this program has changed; where it can not be written, there is none.  One is believed only when
 * root, the script's owner or the asking user has written it, and nobody else may.
 */
#include "lib-filter/sieve/script.h"

/* ERR_NOTFOUND no such file, ERR_TOOBIG larger than max, ERR_SYNTAX: *error says where the script is wrong. */
int sieve_cache_open(const char *path, size_t max, const struct sieve_compile_options *options, struct sieve_script **out,
    struct sieve_error *error, struct err *e);

/* Makes the binary, readable for whoever may read the script (sieve_cache_open() makes one for its user alone).  Errors as above. */
int sieve_cache_make(const char *path, size_t max, const struct sieve_compile_options *options, struct sieve_error *error,
    struct err *e);
#endif
