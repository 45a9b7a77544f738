/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_VARS_H
#define CULVER_LIB_CONFIG_VARS_H
/*
 * %variables in settings.  One is
 *	% [offset "."] [["0"] width] *modifier (letter / "{" name "}")
 * as %u, %{user}, %Ln (in lower case), %2.26Nu (a hash below 26, two digits), %.3u (the first three characters).  Names
 * may be
 *	{md5:user} {sha256;rounds=2,salt=x,truncate=32,format=base64:user} {pkcs5;...:user}	hashes
 *	{if;value;operator;value;then;else}	== != < <= > >= of numbers, eq ne lt le gt ge * !* ~ !~ of text
 *	{env:NAME}
 * and the part of an {if} may hold variables again; \ takes the meaning from a character there.  %% is a %.
 * Modifiers: L lower case, U upper case, E \ before quotes, X hexadecimal, R reversed, N and H hash, M MD5, D as
 * LDAP's dc=, T without white space at the end.
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

/* Whether `in` can be expanded at all, with whatever variables: for the checks of the configuration.  ERR_SYNTAX. */
int vars_check(struct span in, struct err *e);

/*
 * %u %n %d %h and their long names (user, username, domain, home), domain_first, domain_last: the base of every table.
 * The caller's own variables follow, and the end.  A home of SPAN_NONE is an error where it is used.  Any other variable
 * whose value is SPAN_NONE is empty.
 */
#define VARS_USER_COUNT 6
void vars_for_user(struct var out[VARS_USER_COUNT], struct span user, struct span home);
#endif
