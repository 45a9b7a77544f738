/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_LISTENERS_H
#define CULVER_AUTH_LISTENERS_H
/* The sockets that auth offers to MTAs and tools, and the connections to them. */
#include "auth/auth.h"
#include "lib-protocol/service.h"

struct listeners;

/* on_clients: the number of connections has changed. */
struct listeners *listeners_new(struct auth *a, void (*on_clients)(size_t count));
void listeners_free(struct listeners *ls);
/* The descriptor stays the service's.  max_clients: over all listeners; 0: a usual number. */
void listeners_add(struct listeners *ls, const struct service_listener *l, uint32_t max_clients);
void listeners_stop(struct listeners *ls);	/* no new connections; those that wait for nothing are closed */
size_t listeners_clients(const struct listeners *ls);
#endif
