/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_WORKER_CHILD_H
#define CULVER_LIB_PROTOCOL_WORKER_CHILD_H
/* The first steps of a worker after the fork: from root to a shut-in process of the mail user.  For worker-parent.c. */
#include "lib/priv.h"
#include "lib-protocol/service.h"
#include "lib-protocol/worker-parent.h"

/* What a session is made of; strings live with their owner. */
struct worker_session {
	struct identity id;
	struct span session, rip, lip, tag, preread, state;
	uint32_t rport, lport;
	bool secured;
	int client_fd, hub_fd, parent_fd;	/* -1: none */
};

/* What a worker puts on. */
struct worker_shut {
	const struct priv_filter *filter;
	bool always;		/* else where Landlock does not keep signals inside */
};

/* Serves and ends the process. */
void worker_child_run(struct service *s, const struct worker_parent_options *o, const struct worker_shut *shut,
    const struct worker_session *ws) __attribute__((noreturn));
/* The same with o->behind, whose client_fd is ws's: it becomes the user, and shuts itself in. */
void worker_child_behind(struct service *s, const struct worker_parent_options *o, const struct worker_behind *behind,
    const struct worker_session *ws) __attribute__((noreturn));
/* Becomes the user, calls o->mark_suspect, and ends the process. */
void worker_child_mark(struct service *s, const struct worker_parent_options *o, const struct worker_session *ws)
    __attribute__((noreturn));
#endif
