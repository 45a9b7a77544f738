/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_USER_NAME_H
#define CULVER_AUTH_USER_NAME_H
/*
 * What a user name may be.  Names become parts of paths (%u, %n, %d, %2n ...), so whatever the settings allow: no '/', no
 * control character, no ".." anywhere, no part between '@' that is empty or ".", valid UTF-8.
 */
#include "auth/conf.h"
#include "lib/arena.h"

/* The rule above alone: also for names that databases give.  ERR_SYNTAX with the reason. */
int user_name_check(struct span name, size_t max, struct err *e);
/* What the client sent -> auth_username_translation, auth_username_chars, auth_default_realm, auth_username_format and
 * the rule.  The result is in the arena. */
int user_name_make(const struct auth_conf *c, struct span raw, struct arena *a, struct span *out, struct err *e);
/* username_filter: words of patterns with * and ?; "!" in front: not these.  An empty filter lets all through. */
bool user_name_passes_filter(struct span filter, struct span name);
bool user_name_matches(struct span pattern, struct span name);	/* * and ?; linear but for the last * */
#endif
