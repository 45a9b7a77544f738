/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_TOKEN_H
#define CULVER_AUTH_TOKEN_H
/*
 * One-time tokens: what a login process is given in place of the user's identity, and a service parent redeems.  Good
 * once, for TOKEN_LIFE_MS; of too many the oldest is forgotten.
 */
#include "lib/buf.h"
#include "lib/ipc-types.h"

#define TOKEN_LIFE_MS 60000

struct tokens;

struct tokens *tokens_new(size_t max);	/* NULL when memory is out */
void tokens_free(struct tokens *t);
/* payload is copied.  False when memory is out. */
bool token_make(struct tokens *t, int64_t now_ms, struct span service, struct span payload,
    unsigned char out[AUTH_TOKEN_LEN]);
/* True: the payload is appended to out, and the token is gone.  A token of another service stays, and is refused. */
bool token_take(struct tokens *t, int64_t now_ms, struct span service, struct span token, struct buf *out);
void tokens_sweep(struct tokens *t, int64_t now_ms);
size_t tokens_count(const struct tokens *t);
#endif
