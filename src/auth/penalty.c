/* SPDX-License-Identifier: MIT */
#include "auth/penalty.h"

#include <stdlib.h>
#include "lib/buf.h"
#include "lib/hash.h"
#include "lib-config/netaddr.h"

struct entry {
	struct entry *next, *prev;	/* the one that failed longest ago first */
	struct netaddr net;
	int64_t last_ms;
	uint64_t wait_ms;
	uint64_t tried;			/* keyed hash of the last user and password */
};

struct penalty {
	struct hash *by_net;
	struct entry *first, *last;
	size_t max;
	uint64_t max_ms;
};

struct penalty *
penalty_new(size_t max_addresses, uint64_t max_ms)
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->max = max_addresses == 0 ? 1 : max_addresses;
	p->max_ms = max_ms;
	p->by_net = hash_new(p->max);
	if (p->by_net == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

static struct span
net_key(const struct netaddr *net)
{
	return span_of(net->octets, net->family == 4 ? 4 : 8);
}

static void
unlink_entry(struct penalty *p, struct entry *it)
{
	*(it->prev == NULL ? &p->first : &it->prev->next) = it->next;
	*(it->next == NULL ? &p->last : &it->next->prev) = it->prev;
}

static void
drop(struct penalty *p, struct entry *it)
{
	hash_remove(p->by_net, net_key(&it->net));
	unlink_entry(p, it);
	free(it);
}

void
penalty_free(struct penalty *p)
{
	if (p == NULL)
		return;
	while (p->first != NULL)
		drop(p, p->first);
	hash_free(p->by_net);
	free(p);
}

/* False: no address, or this host. */
static bool
net_of(struct span address, struct netaddr *out)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (address.n == 0 || !netaddr_parse(address, out))
		return false;
	return out->family == 4 ? out->octets[0] != 127 : memcmp(out->octets, loopback6, 16) != 0;
}

uint64_t
penalty_ms(struct penalty *p, int64_t now_ms, struct span address)
{
	struct netaddr net;
	struct entry *it;

	while (p->first != NULL && p->first->last_ms + PENALTY_FORGET_MS <= now_ms)
		drop(p, p->first);
	if (p->max_ms == 0 || !net_of(address, &net))
		return 0;
	it = hash_get(p->by_net, net_key(&net));
	return it == NULL ? 0 : it->wait_ms;
}

static uint64_t
hash_tried(struct span user, struct span password)
{
	struct buf b = BUF_INIT(8192);
	uint64_t h;

	buf_add_be32(&b, (uint32_t)user.n);
	buf_add(&b, user);
	buf_add(&b, password);
	h = hash_of(buf_span(&b));
	buf_wipe(&b);
	return h;
}

void
penalty_failed(struct penalty *p, int64_t now_ms, struct span address, struct span user, struct span password)
{
	uint64_t tried = hash_tried(user, password);
	struct netaddr net;
	struct entry *it;

	if (p->max_ms == 0 || !net_of(address, &net))
		return;
	it = hash_get(p->by_net, net_key(&net));
	if (it == NULL) {
		if (hash_count(p->by_net) >= p->max)
			drop(p, p->first);
		it = calloc(1, sizeof(*it));
		if (it == NULL)
			return;
		it->net = net;
		if (!hash_set(p->by_net, net_key(&net), it)) {
			free(it);
			return;
		}
		it->wait_ms = PENALTY_FIRST_MS;
	} else {
		unlink_entry(p, it);
		if (it->tried != tried)
			it->wait_ms *= 2;
	}
	if (it->wait_ms > p->max_ms)
		it->wait_ms = p->max_ms;
	it->last_ms = now_ms;
	it->tried = tried;
	it->next = NULL;
	it->prev = p->last;
	*(p->last == NULL ? &p->first : &p->last->next) = it;
	p->last = it;
}

void
penalty_ended(struct penalty *p, struct span address)
{
	struct netaddr net;
	struct entry *it;

	if (net_of(address, &net) && (it = hash_get(p->by_net, net_key(&net))) != NULL)
		drop(p, it);
}
