/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_FAIL_LOG_H
#define CULVER_AUTH_FAIL_LOG_H
/*
 * The lines about refused logins, in the form that the usual rules of fail2ban for IMAP servers match:
 *	passwd-file(bob,192.0.2.1,<session>): Password mismatch
 * One line for each refused login, at once, with the password as auth_verbose_passwords says.
 */
#include "auth/request.h"

void fail_log(const struct request *r, const char *db, const char *text);
void fail_log_reason(const struct request *r, const char *db, const char *text, const char *reason);
/* The line itself. */
void fail_log_line(const struct request *r, const char *db, const char *text, struct buf *out);
#endif
