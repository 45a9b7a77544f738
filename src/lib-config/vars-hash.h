/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_VARS_HASH_H
#define CULVER_LIB_CONFIG_VARS_HASH_H
/* The hashes among the %variables. */
#include "lib/buf.h"
#include "lib/err.h"

bool vars_is_hash(struct span name);
/*
 * Appends the hash of value; params is "rounds=2,salt=x,truncate=32,format=base64" or empty.  compute false: only looks
 * whether the parameters are right.  ERR_SYNTAX.
 */
int vars_hash(struct buf *out, struct span name, struct span params, struct span value, bool compute, struct err *e);
void vars_md5(struct span value, unsigned char out[16]);	/* zeros when OpenSSL has no MD5 */
#endif
