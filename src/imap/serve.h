/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_SERVE_H
#define CULVER_IMAP_SERVE_H
/* The IMAP session worker (libimap.a). */
#include "lib-protocol/session.h"

/*
 * A whole session: greeting, commands, logout line.  Runs in its own process: it takes SIGTERM (the session ends with
 * BYE after the command that is running).  Returns the process's exit status: 0 whenever the session itself came to an
 * end, 1 when it could not begin.
 */
session_serve imap_serve;
void imap_refuse_client(int fd, struct span tag);	/* for struct worker_parent_options */
#endif
