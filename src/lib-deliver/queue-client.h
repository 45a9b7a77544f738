/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_QUEUE_CLIENT_H
#define CULVER_LIB_DELIVER_QUEUE_CLIENT_H
/* The way of a message to the queue: its socket in base_dir.  Blocking, each wait bounded. */
#include "lib-config/settings.h"
#include "lib-deliver/outgoing.h"

#define QUEUE_SOCKET "queue"

/*
 * 0: the queue has it on disk, and it would survive a power cut.  For struct deliver_means; ctx is the settings (struct
 * set_view).  What is no address in the envelope is refused before it is sent.
 */
int queue_submit(void *ctx, const struct outgoing *o, struct err *e);

/* A connected socket to the queue of these settings; -1. */
int queue_connect(const struct set_view *view, struct err *e);
#endif
