/* SPDX-License-Identifier: MIT */
/* Processes behind sessions: the parent's part. */
#include "lib-protocol/worker-private.h"

#include <stdio.h>
#include <unistd.h>
#include "lib/log.h"

/* A channel of its own, by which it tells what it changed: to hub it is no session of the user's. */
static int
hub_channel(struct parent *pa, struct span name)
{
	struct hub_client_session hs = { .service = span_str(pa->o->service), .user = SPAN(""), .rip = SPAN(""), .session = name };
	struct err e = ERR_INIT;
	uint32_t asked;
	int pair[2];

	if (ipc_pair(pair, &e) == -1)
		return -1;
	hs.fd = pair[1];
	asked = hub_client_connect(pa->hub, &hs, NULL, NULL);
	close(pair[1]);
	if (asked != 0)
		return pair[0];
	close(pair[0]);
	return -1;
}

/* fd: what the session has the other end of. */
static int
start(struct running *owner, int fd, struct err *e)
{
	struct parent *pa = owner->parent;
	struct worker_session ws = owner->ws;
	struct running *r;
	static uint32_t number;
	char name[SESSION_ID_MAX];
	int pair[2], keep[3];

	if (ipc_pair(pair, e) == -1)
		return -1;
	r = worker_running_new(pa, &ws);
	if (r == NULL) {
		close(pair[0]);
		close(pair[1]);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	r->is_behind = true;
	snprintf(name, sizeof(name), "behind-%ld-%u", (long)getpid(), ++number);
	ws.client_fd = keep[0] = fd;
	ws.parent_fd = keep[1] = pair[1];
	ws.hub_fd = keep[2] = hub_channel(pa, span_str(name));
	r->pid = children_fork(pa->children, keep, ws.hub_fd == -1 ? 2 : 3, r, e);
	if (r->pid == 0)
		worker_child_behind(&pa->service, pa->o, &pa->behind, &ws);
	close(pair[1]);
	if (ws.hub_fd != -1)
		close(ws.hub_fd);
	if (r->pid == -1) {
		close(pair[0]);
		worker_running_free(r);
		return -1;
	}
	worker_running_channel(r, &pair[0]);
	hub_client_started(pa->hub, span_str(name), (uint32_t)r->pid);
	r->owner = owner;
	owner->behind_count++;
	return 0;
}

int
worker_behind_wanted(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(p);
	struct err failed = ERR_INIT;
	int fd = ipc_fd(m);

	if (!ipc_end(m) || r->is_behind || r->parent->o->behind == NULL) {
		if (fd != -1)
			close(fd);
		return err_set(e, ERR_SYNTAX, "malformed wish for a process behind the session");
	}
	if (r->behind_count >= WORKER_BEHINDS)
		err_set(&failed, ERR_LIMIT, "there are enough");
	else
		start(r, fd, &failed);
	close(fd);
	if (failed.code != ERR_NONE)
		log_error("user %.*s: the process behind the session: %s", SPAN_ARG(r->ws.id.user), failed.log);
	return 0;
}

void
worker_behind_forget(struct running *r)
{
	if (r->owner != NULL)
		r->owner->behind_count--;
	r->owner = NULL;
	for (struct running *x = r->behind_count == 0 ? NULL : r->parent->running; x != NULL; x = x->next)
		if (x->owner == r)
			x->owner = NULL;
	r->behind_count = 0;
}
