/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_HUB_CLIENT_H
#define CULVER_LIB_PROTOCOL_HUB_CLIENT_H
/*
 * A service parent's side of hub: asks whether one more session of a user is allowed, and gives hub the end of a socket
 * pair whose other end the session's worker holds (MSG_WATCH, MSG_CHANGED, MSG_KICK; hub sees the session's end when it
 * closes).  The hub is a convenience, never a gate that can fall shut: while it is away sessions start without it.
 *
 * When hub comes back its memory is empty.  on_start lets the parent tell its sessions anew, each with a new channel
 * (hub_client_connect), whose other end it sends to the worker as MSG_CHANNEL "hub" over the worker's parent_fd.
 */
#include "lib-protocol/service.h"

struct hub_client;

struct hub_client_options {
	void (*on_kick)(void *ctx, uint32_t pid);	/* end this worker */
	void (*on_start)(void *ctx);	/* a hub is there: the first one, or a new one */
	void *ctx;
};

struct hub_client_session {
	struct span service, user, rip, session;
	uint32_t limit;		/* of sessions of this user from this address; 0: none */
	int fd;			/* hub's end; borrowed */
};

/* allowed: or one too many.  Called once for each question, never from within asking. */
typedef void hub_client_answer(void *ctx, bool allowed);

struct hub_client *hub_client_new(struct service *s, const struct hub_client_options *o);
bool hub_client_is_there(const struct hub_client *h);
void hub_client_channel(struct hub_client *h, int *fd);	/* from on_channel, when the name is "hub" */
/* The id for hub_client_forget, or 0: hub is not there, nothing will be called, go on without it.  f may be NULL. */
uint32_t hub_client_connect(struct hub_client *h, const struct hub_client_session *hs, hub_client_answer *f, void *ctx);
void hub_client_forget(struct hub_client *h, uint32_t id);
void hub_client_started(struct hub_client *h, struct span session, uint32_t pid);
#endif
