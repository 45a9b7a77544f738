/* SPDX-License-Identifier: MIT */
#ifndef CULVER_POP3_SERVE_H
#define CULVER_POP3_SERVE_H
/* The life of a POP3 session's worker, from login's last word to the end of the connection. */
#include "lib-protocol/session.h"

session_serve pop3_serve;
void pop3_refuse_login(int fd, struct span tag);	/* for struct worker_parent_options; there are no tags */
#endif
