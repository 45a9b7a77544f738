/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_SIEVE_SETTING_H
#define CULVER_LIB_CONFIG_SIEVE_SETTING_H
/* What plugin { sieve... } may hold: looked at when the configuration is read, so that a mistake is not met by mail. */
#include "lib/err.h"
#include "lib/span.h"

/*
 * As quota_setting_check(): ERR_SYNTAX the value is wrong, ERR_DENIED it is accepted with a word of warning, 0.  *known_out
 * false: the name is none of Sieve's.
 */
int sieve_setting_check(struct span key, struct span value, bool *known_out, struct err *e);
#endif
