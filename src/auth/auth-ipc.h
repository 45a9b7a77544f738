/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_AUTH_IPC_H
#define CULVER_AUTH_AUTH_IPC_H
/* The channels of Culver's own processes to auth. */
#include "auth/auth.h"

struct auth_peers;

/* on_idle: the last request has ended. */
struct auth_peers *auth_peers_new(struct auth *a, void (*on_idle)(void));
void auth_peers_free(struct auth_peers *ps);
/* A new peer of this kind (one bit of enum peer_kind); takes *fd over. */
void auth_peers_add(struct auth_peers *ps, unsigned kind, int *fd);
size_t auth_peers_requests(const struct auth_peers *ps);	/* under way, delays included */
#endif
