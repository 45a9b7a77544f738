/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_KEPT_EVENTS_H
#define CULVER_IMAP_KEPT_EVENTS_H
/*
 * Events that the process behind a session (behind.h) could not work off when it was told to end: in a file beside the user's mail,
 * for the next one.
 *
 *	record = length:32 time:64 frame		(of the frame, which is imap_event_write()'s; seconds)
 */
#include "imap/event.h"

#define KEPT_EVENTS_FILE "culver-filter.events"
#define KEPT_EVENTS_MAX ((size_t)1 << 20)
#define KEPT_SCRIPTS_S 86400		/* what a script does with a message may be unexpected later than that */
#define KEPT_LESSONS_S (30 * 86400)

/* Synced.  ERR_LIMIT: there is too much. */
int kept_events_add(int dir_fd, struct span records, struct err *e);
void kept_events_write(struct buf *out, const struct imap_event *event, int64_t now);
/* All of them, which are gone from there then; nothing when there are none. */
int kept_events_take(int dir_fd, struct buf *out, struct err *e);

/*
 * The next one that is not too old, and its time; strings are the frame's, uids are in room.  False: there is none, or what
 * follows is damaged.
 */
bool kept_events_next(struct span *rest, int64_t now, struct ipc_msg *m, uint32_t room[IMAP_EVENT_UIDS], struct imap_event *out,
    int64_t *since_out);
#endif
