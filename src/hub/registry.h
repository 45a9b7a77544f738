/* SPDX-License-Identifier: MIT */
#ifndef CULVER_HUB_REGISTRY_H
#define CULVER_HUB_REGISTRY_H
/* Who is connected: sessions, and how many each user has from each address. */
#include <time.h>
#include "lib/buf.h"
#include "lib/hash.h"
#include "lib-config/netaddr.h"

struct session {
	struct session *prev, *next;
	struct span service, user, rip, id;	/* in the session's own memory */
	uint32_t pid;				/* of its worker; 0: not started yet */
	time_t since;
	void *worker, *parent;			/* the owner's */
};

struct registry {
	struct session *first;
	struct hash *by_id, *counts;
	size_t count;
};

bool registry_init(struct registry *r, size_t max);
void registry_clear(struct registry *r);

enum registry_rc { REGISTRY_OK, REGISTRY_LIMIT, REGISTRY_FULL };

/*
 * Adds a session unless its user has limit (0: none) sessions of that service from that address already.
 * REGISTRY_FULL: max, or memory is out, or the id is there already.
 */
enum registry_rc registry_add(struct registry *r, const struct session *like, uint32_t limit, struct session **out);
void registry_remove(struct registry *r, struct session *s);	/* frees it */
struct session *registry_find(const struct registry *r, struct span id);

/* Which sessions somebody means: a mask with * and ? for the user, a network for the address. */
struct session_filter {
	struct span user;	/* empty: all */
	struct netaddr net;	/* family 0: all */
};
bool session_matches(const struct session *s, const struct session_filter *f);
bool mask_matches(struct span mask, struct span text);
#endif
