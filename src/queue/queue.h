/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUEUE_QUEUE_H
#define CULVER_QUEUE_QUEUE_H
/* The service: who hands messages in (intake.c), and when they are sent (main.c). */
#include "lib-protocol/children.h"
#include "queue/store.h"

struct queue {
	struct service service;
	struct children *children;
	struct queue_store store;
	char dir[4096];
	ev_timer due;			/* of the next message that is to be sent */
	ev_timer others;		/* what a process from before a reload may have left */
	ev_tstamp started;
	bool ending;			/* told to stop: what does not end soon is killed */
	uint64_t max_size, max_count;
	int64_t retry_first, retry_most, lifetime;	/* seconds */
	uint32_t processes, running, conns;
	struct hash *crowd;		/* intake.c: how many connections each user of the system has */
	ev_io accept[SERVICE_LISTENERS_MAX];
};

/* Makes sure that the directory is there. */
int queue_ready(struct queue *q, struct err *e);
/* Something in the store has changed: sends what is due, and sets the clock for the rest. */
void queue_look(struct queue *q);

/* Looks for what a process from before a reload has left. */
void queue_look_again(struct queue *q);

/* intake.c: a connection to the service's socket; *fd is taken. */
void intake_accept(struct queue *q, int *fd);
#endif
