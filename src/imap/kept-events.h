/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_KEPT_EVENTS_H
#define CULVER_IMAP_KEPT_EVENTS_H
/*
 * Events that the process behind a session (behind.h) could not work off when it was told to end: in a file beside the user's mail,
 * for the next one.
 *
 *	record = length:32 time:64 next:32 tries:32 frame	(length of the frame, which is imap_event_write()'s; seconds)
 *
 * Who takes them gives the file another name, and holds a lock on it until all of them are done; what is done it writes into the
 * records.  When it is killed the lock is gone, and the next process goes on where it was.  `next' is the message that it was at,
 * `tries' how many processes have begun with that one and did not come to its end.
 */
#include "imap/event.h"

#define KEPT_EVENTS_FILE "culver-filter.events"
#define KEPT_EVENTS_WORK "culver-filter.events-at-work"
#define KEPT_EVENTS_MAX ((size_t)1 << 20)
#define KEPT_SCRIPTS_S 86400		/* what a script does with a message may be unexpected later than that */
#define KEPT_LESSONS_S (30 * 86400)
#define KEPT_TRIES 3			/* a message that so many processes died over is given up */

struct kept_event {
	struct imap_event event;	/* either scripts or a lesson */
	int64_t time;			/* when it happened */
	size_t at;			/* its record */
	uint32_t next;			/* less than event.count */
	uint32_t tries;
};

/* Synced.  ERR_LIMIT: there is too much. */
int kept_events_add(int dir_fd, struct span records, struct err *e);
void kept_events_write(struct buf *out, const struct imap_event *event, int64_t time);	/* time: when it happened */

/*
 * All of them, with the lock: *work_out, which is the caller's.  -1 without an error: there are none, or another process is at work
 * on some, and looks for more when it is done.  What can not be read is removed, else it would come again and again.
 */
int kept_events_take(int dir_fd, struct buf *out, int *work_out, struct err *e);
/* In the record: before a message is worked off, and afterwards.  It outlives the process, not a power cut. */
int kept_events_mark(int work_fd, size_t at, uint32_t next, uint32_t tries, struct err *e);
int kept_events_done(int dir_fd, int *work_fd, struct err *e);	/* the file is removed, and *work_fd closed in any case */

/* The next one behind *at in all that is neither done nor too old; strings are all's, uids are in room.  False: there is none, or what
 * follows is damaged (*at is not the end then). */
bool kept_events_next(struct span all, size_t *at, int64_t now, struct ipc_msg *m, uint32_t room[IMAP_EVENT_UIDS],
    struct kept_event *out);
#endif
