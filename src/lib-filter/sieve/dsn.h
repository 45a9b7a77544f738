/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_DSN_H
#define CULVER_LIB_FILTER_SIEVE_DSN_H
/* RFC 6009: for redirect (action.c) and envelope (test.c). */
#include "lib-filter/sieve/run.h"

struct sieve_checker;

#define SIEVE_DSN_TAGS                                                                                                 \
	{ TAG_NOTIFY, EXT_REDIRECT_DSN }, { TAG_RET, EXT_REDIRECT_DSN }, { TAG_BYTIMERELATIVE, EXT_REDIRECT_DELIVERBY },     \
	{ TAG_BYTIMEABSOLUTE, EXT_REDIRECT_DELIVERBY }, { TAG_BYMODE, EXT_REDIRECT_DELIVERBY },                             \
	{ TAG_BYTRACE, EXT_REDIRECT_DELIVERBY }

bool sieve_parse_rfc3339(struct span s, int64_t *out);
int sieve_check_redirect_options(struct sieve_checker *c, const struct sieve_node *n);
int sieve_redirect_options(struct sieve_run *r, const struct sieve_node *n, struct filter_action *action);
/* The extension whose part of the envelope the name is; EXT_CORE: of none of these two. */
enum sieve_ext sieve_dsn_item(struct span name);
/* The values of that part: 1, 0, -1. */
int sieve_dsn_match(struct sieve_matching *x, struct span name);
#endif
