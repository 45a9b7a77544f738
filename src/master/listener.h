/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MASTER_LISTENER_H
#define CULVER_MASTER_LISTENER_H
/*
 * Listening sockets.  The master holds them for as long as the server runs: services get copies, so that nobody is
 * turned away while one is started anew.  At a reload sockets whose address stays are kept.
 */
#include <sys/socket.h>
#include "lib/array.h"
#include "lib/err.h"
#include "lib-config/settings.h"

struct listener {
	char *key;		/* "inet 127.0.0.1 143", "unix /run/culver/lmtp": what makes it the same at a reload */
	char *name;		/* of the listener's block */
	char *path;		/* of a unix socket; NULL: inet */
	int fd;			/* -1: not bound yet */
	bool ssl;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct sockaddr_storage sa;
	socklen_t sa_n;
};

/* An array of struct listener. */
void listeners_init(struct array *a);
/* Closes what is open; unlinks unix sockets if unlink_them. */
void listeners_clear(struct array *a, bool unlink_them);
/* What the service's block asks for, not bound yet.  Names in `listen' that mean nothing are errors. */
int listeners_read(struct array *a, const struct set_view *v, const struct set_block *service, struct err *e);
/*
 * Binds those that are not bound.  Sockets in old (may be NULL) with the same key are taken over from it: they are
 * copied.  A stale socket file is removed, a living one is an error; patience_ms: how long an address in use is waited for
 * (a server killed a moment ago may still be going).
 */
int listeners_bind(struct array *a, const struct array *old, int patience_ms, struct err *e);
/* Unlinks those unix sockets of old that are not in any of the count arrays. */
void listeners_unlink_gone(const struct array *old, const struct array *const *now, size_t count);
/* "*", "::", "10.0.0.1", "[::1]", a host name: the addresses it stands for, appended to out (struct sockaddr_storage). */
int listen_addresses(struct span word, uint16_t port, struct array *out, struct err *e);
#endif
