/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LOGIN_CROWD_H
#define CULVER_LOGIN_CROWD_H
/*
 * Who is connected and not logged in.  When there is no room for one more, or an address has too many, the oldest goes,
 * not the newcomer: whoever sits on connections only pushes out himself, and an honest login, which takes a moment,
 * always finds room.
 */
#include "lib/hash.h"

struct crowd_member {
	struct crowd_member *prev, *next;	/* in the order of arrival */
	struct crowd_address *address;
	struct crowd_member *address_prev, *address_next;
	bool is_busy;		/* auth or the parent works for it: it goes only when nobody else is left */
};

struct crowd {
	struct crowd_member *first, *last;
	size_t count, max, address_max;		/* address_max 0: no limit */
	struct hash *addresses;
};

/* False when memory is out.  max > 0. */
bool crowd_init(struct crowd *c, size_t max, size_t address_max);
void crowd_clear(struct crowd *c);	/* members are not touched */

/*
 * Who must go before a newcomer from this address comes in: NULL nobody.  Ask again after each removal.  address: its
 * octets, an IPv6 one as its /64; empty: local, without a limit of its own.
 */
struct crowd_member *crowd_victim(const struct crowd *c, struct span address);
bool crowd_add(struct crowd *c, struct crowd_member *m, struct span address);	/* false: memory is out */
void crowd_remove(struct crowd *c, struct crowd_member *m);
#endif
