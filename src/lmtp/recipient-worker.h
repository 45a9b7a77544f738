/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_RECIPIENT_WORKER_H
#define CULVER_LMTP_RECIPIENT_WORKER_H
/*
 * A process that does what tables make of a recipient and is no user's: mail that is passed on, programs, files.  It is
 * recipient_user, who owns nothing but state_dir/recipient, where it is remembered what was done of a message that has to come
 * again.
 */
#include "lmtp/deliver-worker.h"

/* Besides enum recipient_end: the owner of a list is told who has not got the message. */
#define RECIPIENT_NOTICE 100

/* Whose processes these are; user is empty where there are no tables.  As root it makes the directory. */
int recipient_worker_identity(const struct set_view *view, struct identity *out, struct err *e);
void recipient_worker_run(struct service *s, const struct deliver_worker_params *p) __attribute__((noreturn));
#endif
