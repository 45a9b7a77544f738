/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_SHELF_H
#define CULVER_LIB_FILTER_SIEVE_SHELF_H
/*
 * Scripts that stay compiled in a process.  Each is looked at before it is used again: its file, and the text of what it
 * includes.  One shelf may serve several users, for scripts of the server: a script stays for those who may use the same
 * extensions.
 */
#include "lib-filter/sieve/script.h"

struct sieve_shelf;

struct sieve_shelf *sieve_shelf_new(void);	/* NULL: out of memory */
void sieve_shelf_free(struct sieve_shelf *s);	/* NULL is fine */

/*
 * As sieve_cache_open(); the script is the shelf's, up to sieve_shelf_done().  name: of a script in the file dictionary that path
 * is then (dict.h); empty: path is the script.
 */
int sieve_shelf_open(struct sieve_shelf *s, const char *path, struct span name, size_t max, const struct sieve_compile_options *options,
    const struct sieve_script **out, struct sieve_error *error, struct err *e);
/* Behind each sieve_shelf_open() that gave one, before the next. */
void sieve_shelf_done(struct sieve_shelf *s);

/* How often a file of a script had to be read. */
uint64_t sieve_shelf_reads(const struct sieve_shelf *s);
#endif
