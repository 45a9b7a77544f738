/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_LOGIN_TOKEN_H
#define CULVER_AUTH_LOGIN_TOKEN_H
/* What a one-time token stands for: a login, with what its redemption needs; or a user that was looked up already. */
#include "auth/request.h"

/* fields: those that the passdb has prefetched, or (is_resolved) all that the userdb said.  Into r->token. */
bool login_token_make(struct request *r, const struct fields *fields, bool is_resolved);
/* Fills in the user, the addresses, and r->prefetch or r->user_fields. */
bool login_token_take(struct request *r, struct span token, bool *is_resolved_out);
#endif
