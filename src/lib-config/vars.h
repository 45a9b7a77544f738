/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_VARS_H
#define CULVER_LIB_CONFIG_VARS_H
/*
 * %variables: %u, %{user}, %Ln, %2.26Mu, %{sha256;rounds=2:user}, %{if;...}, %{env:X}: all of Dovecot 2.3's forms
 * with modifiers and hashes.
 */
#include "lib/buf.h"
#include "lib/err.h"

struct var {
	char letter;		/* 0: none */
	const char *name;	/* long name; NULL: none */
	struct span value;
};

/*
 * Appends `in` with its variables replaced.  vars ends with { 0, NULL, SPAN_NONE }.  %u without a value in vars is
 * ERR_SYNTAX, as is an unknown modifier.  A value of mailbox paths must have been checked by the caller: user names
 * with '/' or ".." never get here (auth refuses them).
 */
int vars_expand(struct buf *out, struct span in, const struct var *vars, struct err *e);

/* %u %n %d and their long names (user, username, domain) of one user name, then home: the base of every table. */
#define VARS_USER_COUNT 7
void vars_for_user(struct var out[VARS_USER_COUNT], struct span user, struct span home);
#endif
