/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_BEHIND_H
#define CULVER_IMAP_BEHIND_H
/*
 * The process behind an IMAP session: takes its events (event.h) and does what follows from them (react.h).  It begins with
 * the first event, may outlive the session, and ends when all is done.  Events wait in its memory, so many of them that a
 * client can not outrun it; what is too much waits in the socket, and then is refused to the session, which logs it.
 */
#include "lib-protocol/worker-parent.h"

int imap_behind_prepare(const struct set_view *view, struct worker_behind *out, struct err *e);
session_serve imap_behind_serve;
#endif
