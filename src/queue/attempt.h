/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUEUE_ATTEMPT_H
#define CULVER_QUEUE_ATTEMPT_H
/* One try to send one message: in a process of its own, which ends with it. */
#include "lib-config/settings.h"
#include "queue/store.h"

#define ATTEMPT_WORD_MAX 400

/*
 * Never returns.  Through report_fd goes a line: "2", "4" or "5" (done, another time, never), and why.  A message that goes to
 * sendmail_path is that program's, whose exit status tells it instead, and its standard error, said_fd, why.
 */
void attempt_run(const struct set_view *view, const struct queue_item *item, int message_fd, int report_fd, int said_fd)
    __attribute__((noreturn));

/* Whether there is a way for mail to leave: submission_host, or a sendmail_path that can be run. */
bool attempt_has_way(const struct set_view *view);

/* What an exit status of sendmail_path (sysexits.h) means: 2, 4 or 5. */
unsigned attempt_status(int status);

/*
 * Whom a notice tells that mail could not be passed on: its user, or of mail that is no user's the sender (RFC 5321 section
 * 6.1), unless he wants no such report.  Empty: nobody; notices and answers are not told of.
 */
struct span notice_recipient(const struct queue_item *item);

struct notice {
	struct span from;		/* postmaster_address */
	struct span hostname, date, arrival;	/* dates as in a Date field */
	struct span why;
	bool eight_bit;			/* what is returned has octets beyond ASCII */
	bool header_only;		/* that is the message's header alone */
};
/* A report of RFC 3464: its text up to the original, and what stands behind that. */
void notice_write(struct buf *head, struct buf *tail, const struct queue_item *item, const struct notice *n);
/* Whether all of the message goes back, or its header alone. */
bool notice_returns_all(const struct queue_item *item);
#endif
