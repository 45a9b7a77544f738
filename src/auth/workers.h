/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_WORKERS_H
#define CULVER_AUTH_WORKERS_H
/*
 * Threads for what would keep the event loop waiting: slow password hashes, look-ups in the system's databases.  A job
 * runs in a thread and knows nothing but its own memory; its end is told on the loop.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

struct workers;

struct job {
	struct job *next;
	void (*run)(struct job *j);	/* in a thread */
	void (*done)(struct job *j);	/* on the loop; frees the job */
};

/* Threads are started when they are first needed, max at most.  NULL when memory is out. */
struct workers *workers_new(struct ev_loop *loop, unsigned max, size_t queue_max);
/* Waits for the jobs that run; jobs that wait are done() without having run. */
void workers_free(struct workers *w);
bool workers_submit(struct workers *w, struct job *j);	/* false: the queue is full; the job is still the caller's */
size_t workers_queued(struct workers *w);
#endif
