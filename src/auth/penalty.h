/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_PENALTY_H
#define CULVER_AUTH_PENALTY_H
/*
 * Addresses that go on failing wait before they are heard: 2 s after the first failure, doubling up to the maximum.  A
 * success, or PENALTY_FORGET_MS without a failure, ends it.  The same wrong password tried again (a mail program that
 * was not told the new one) does not make it longer.  An IPv6 address stands for its /64; this host itself is exempt.
 */
#include "lib/span.h"

#define PENALTY_FIRST_MS 2000
#define PENALTY_FORGET_MS 900000

struct penalty;

struct penalty *penalty_new(size_t max_addresses, uint64_t max_ms);	/* NULL when memory is out */
void penalty_free(struct penalty *p);
uint64_t penalty_ms(struct penalty *p, int64_t now_ms, struct span address);
void penalty_failed(struct penalty *p, int64_t now_ms, struct span address, struct span user, struct span password);
void penalty_ended(struct penalty *p, struct span address);
#endif
