/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_AUTH_H
#define CULVER_AUTH_AUTH_H
/* The engine of the auth process: databases, what is remembered, what runs.  It owns no socket. */
#include <ev.h>
#include "auth/cache.h"
#include "auth/conf.h"
#include "auth/helper.h"
#include "auth/passwd-file.h"
#include "auth/penalty.h"
#include "auth/token.h"
#include "auth/workers.h"

struct request;

struct auth {
	struct ev_loop *loop;
	const struct auth_conf *conf;
	struct arena *arena;			/* what drivers made of their args */
	struct passdb *passdbs;
	struct userdb *userdbs;
	struct cache *cache;
	struct tokens *tokens;
	struct penalty *penalty;
	struct passwd_files *files;
	struct workers *hashers;		/* slow password hashes: no more threads than processors */
	struct workers *lookups;		/* the system's databases */
	struct helper *helper;			/* borrowed; NULL: no root helper */
	size_t request_count;			/* under way, without those that serve their delay */
	struct request *delayed, **delayed_last;
	size_t delayed_count;
};

/* Opens all databases.  conf, loop and helper (NULL: none is needed) must live as long.  NULL with e set. */
struct auth *auth_new(struct ev_loop *loop, const struct auth_conf *conf, struct helper *helper, struct err *e);
/* No request is left; waits for threads. */
void auth_free(struct auth *a);
bool auth_needs_helper(const struct auth_conf *conf);	/* whether a passdb asks PAM or the shadow file */
size_t auth_flush_cache(struct auth *a, struct span user);	/* an empty name: all */
#endif
