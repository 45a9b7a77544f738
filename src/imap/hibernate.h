/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_HIBERNATE_H
#define CULVER_IMAP_HIBERNATE_H
/*
 * An idling session as a few octets.  What is kept is the view (uidvalidity, uidnext, modseq and which UIDs it has, as
 * ranges), what the client enabled, the tag of its IDLE, and the counters for the log.
 */
#include "imap/session.h"

/* Appends the state to out.  False: it can not be saved (more than out takes). */
bool imap_state_save(struct imap_session *s, struct buf *out);
/*
 * Selects what was selected and tells what happened since.  -1: the state is malformed or the mailbox can not be opened;
 * then the client is to be told BYE.
 */
int imap_state_load(struct imap_session *s, struct span state, struct err *e);
/*
 * Hands the client over to the hibernate process.  True: it has it (s->end is IMAP_END_HIBERNATED); false: not now, the
 * session goes on as it is.
 */
bool imap_hibernate(struct imap_session *s);
/* The rest of an IDLE that was woken up. */
void imap_idle_go_on(struct imap_session *s);
#endif
