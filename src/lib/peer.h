/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PEER_H
#define CULVER_LIB_PEER_H
/*
 * One end of an IPC socket in an event-driven process: frames in are checked against a table of who may send what and
 * handed to its handler; frames out wait in a queue when the socket is full.  A peer that sends what it may not, or a
 * malformed frame, is logged and closed; only that peer.
 *
 * One callback ends in exactly one of *wait* or *free*: peer_free() is safe inside a handler of the same peer (the
 * memory goes when the handler has returned).
 */
#include <ev.h>
#include "lib/ipc.h"

struct peer;

/* 0; or -1 with e set: the peer is logged and closed. */
typedef int peer_handler(struct peer *p, struct ipc_msg *m, struct err *e);

struct ipc_rule {
	uint16_t type;
	unsigned who;		/* kinds of peers (bits) that may send it */
	peer_handler *handler;
};

struct peer_options {
	const struct ipc_rule *rules;	/* ends with a NULL handler */
	unsigned kind;			/* one bit */
	void (*on_close)(struct peer *p);	/* it has gone; the peer is freed after the call.  May be NULL */
	void *data;
	size_t queue_max;		/* octets waiting for it at most (a descriptor is 16 KiB); then it is closed; 0: 1 MiB */
};

/* Takes *fd over (-1 on success).  NULL when memory is out. */
struct peer *peer_new(struct ev_loop *loop, int *fd, const struct peer_options *o);
void peer_free(struct peer *p);		/* closes; on_close is not called.  NULL is fine */
/* Handles what has come of one that has ended; with that it may be closed (on_close), and is gone then.  NULL is fine. */
void peer_drain(struct peer *p);
/* Sends or queues o, and clears it; descriptors in it are duplicated if they must wait.  A peer that can not take it
 * is closed (on_close is called from the loop, never from here). */
void peer_send(struct peer *p, struct ipc_out *o);
void *peer_data(const struct peer *p);
void peer_set_data(struct peer *p, void *data);
size_t peer_waiting(const struct peer *p);	/* octets of queue_max that are in use */
unsigned peer_kind(const struct peer *p);
int peer_fd(const struct peer *p);
struct ev_loop *peer_loop(const struct peer *p);
#endif
