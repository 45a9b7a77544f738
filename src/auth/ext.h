/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_EXT_H
#define CULVER_AUTH_EXT_H
/*
 * One connection of an MTA or a tool, as a protocol engine without a descriptor: input in, output in a buffer, and a call
 * when there is output that no input asked for (a slow password database, a failure's delay).
 */
#include "auth/auth.h"
#include "lib/buf.h"

#define EXT_REQUESTS_MAX 1024	/* at once, of one connection */

enum ext_kind {
	EXT_CLIENT,	/* asks whether passwords are right */
	EXT_USERDB,	/* looks users up */
	EXT_MASTER,	/* the same, and what passdbs say of a user; flushes the cache */
	EXT_MUX,	/* saslauthd's protocol */
};

struct ext;

/* By the last part of a listener's name: "...userdb", "...master", "mux" and "saslauthd"; everything else is a client's. */
enum ext_kind ext_kind_of(struct span listener_name);
/* wake: output waits, or ext_is_done() has become true; never called from within ext_input().  NULL: memory is out. */
struct ext *ext_new(struct auth *a, enum ext_kind kind, void (*wake)(void *ctx), void *ctx);
/* A connection that anybody may make: it is told of users with this uid only, of others that it may not. */
void ext_restrict(struct ext *x, uid_t uid);
void ext_free(struct ext *x);
/* How many octets were taken off the front of in.  Sets *bad_out when the connection must end: with a line in the log. */
size_t ext_input(struct ext *x, struct span in, bool *bad_out);
struct buf *ext_output(struct ext *x);	/* the caller drops what it has sent */
bool ext_is_done(const struct ext *x);	/* close when the output is sent */
size_t ext_requests(const struct ext *x);
#endif
