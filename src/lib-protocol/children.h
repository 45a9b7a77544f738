/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_CHILDREN_H
#define CULVER_LIB_PROTOCOL_CHILDREN_H
/*
 * The worker processes of a service parent: forked up to a limit, every end seen.  One struct children a process: it
 * owns the loop's SIGCHLD.
 */
#include "lib-protocol/service.h"

struct children;

/* What the parent knows of a child; its own memory, kept by the caller's data pointer. */
typedef void children_end(void *ctx, pid_t pid, int status, void *data);

/* service_busy() is told how many there are, with each fork and end. */
struct children *children_new(struct service *s, uint32_t limit, children_end *on_end, void *ctx);
size_t children_count(const struct children *c);
/*
 * Of a child that children_finish() has told to end, and that SIGTERM has ended, on_end is told that it ended well (status 0).  Where
 * a status means that something was done, it must not be: then all are told as they are.
 */
void children_tell_all(struct children *c);
/* What the service is busy with besides: counted for service_busy() alone. */
void children_besides(struct children *c, uint32_t count);
/* change processes more (or less) rest: they are not counted, neither here nor for the limit nor for service_busy(). */
void children_rest(struct children *c, int change);
size_t children_resting(const struct children *c);
bool children_full(const struct children *c);
/*
 * As fork(): 0 in the child, after service_child() with keep; -1 with e set (ERR_LIMIT: as many as allowed; ERR_TEMP: all of
 * them are about to end).
 */
pid_t children_fork(struct children *c, const int *keep, size_t count, void *data, struct err *e);
bool children_signal(struct children *c, pid_t pid, int sig);	/* false: it is no child of ours */
/*
 * Ends all: SIGTERM now, SIGKILL after grace seconds; when the last one is gone, the loop ends.  More children are not
 * forked from then on.
 */
void children_finish(struct children *c, double grace);
#endif
