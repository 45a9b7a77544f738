/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_REACT_H
#define CULVER_IMAP_REACT_H
/* What follows from a session's events (event.h): scripts, and lessons for the spam scanner.  For the process behind it. */
#include "imap/event.h"
#include "lib-deliver/deliver.h"
#include "lib-deliver/spam-scan.h"

struct imap_react_params {
	struct storage *storage;
	const struct set_view *view;
	struct span user, home, session;
	const struct deliver_means *means;	/* of scripts */
	bool (*told_to_end)(void);		/* then no further script runs; may be NULL */
	const struct spam_scan *scan;		/* whom to teach: not `on': nobody */
};

struct imap_react;

/* Where scripts can not be had that is in the log, and the rest goes on.  -1: no memory. */
int imap_react_new(const struct imap_react_params *p, struct imap_react **out, struct err *e);
void imap_react_free(struct imap_react *r);		/* NULL is fine */

/*
 * The event's scripts on its messages from *next on, which goes on to the first of those for which there was no time any more.
 * Failures are in the log.
 */
void imap_react_scripts(struct imap_react *r, const struct imap_event *event, size_t *next);

/* Lessons are given one by one, so that scripts of later events need not wait for all of them. */
struct imap_lessons {
	size_t next;		/* message of the event; event->count: all have been given */
	size_t learned, missed;	/* missed: not learned, for a reason in the log */
	size_t nothing_new;	/* the scanner took them, and has not learned from them */
};
/* The next one.  When it was told to end meanwhile that one is still to be given. */
void imap_react_teach(struct imap_react *r, const struct imap_event *event, struct imap_lessons *l);
void imap_react_teach_end(const struct imap_event *event, const struct imap_lessons *l);	/* a line in the log */
#endif
