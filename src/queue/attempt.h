/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUEUE_ATTEMPT_H
#define CULVER_QUEUE_ATTEMPT_H
/* One try to send one message: in a process of its own, which ends with it. */
#include "lib-config/settings.h"
#include "queue/store.h"

#define ATTEMPT_WORD_MAX 400

/*
 * Never returns.  Through report_fd goes a line: "2", "4" or "5" (done, another time, never), and why.  A message that goes to
 * sendmail_path is that program's, whose exit status tells it instead.
 */
void attempt_run(const struct set_view *view, const struct queue_item *item, int message_fd, int report_fd)
    __attribute__((noreturn));

/* What an exit status of sendmail_path (sysexits.h) means: 2, 4 or 5. */
unsigned attempt_status(int status);

/* The notice to a user whose mail could not be passed on: its text up to the original, and what stands behind that. */
void notice_write(struct buf *head, struct buf *tail, const struct queue_item *item, struct span from, struct span hostname,
    struct span date, struct span why);
#endif
