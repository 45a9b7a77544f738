/* SPDX-License-Identifier: MIT */
#include "login/crowd.h"

#include <stdlib.h>

#define ADDRESS_OCTETS 16

struct crowd_address {
	struct crowd_member *first, *last;
	size_t count, n;
	char octets[ADDRESS_OCTETS];
};

bool
crowd_init(struct crowd *c, size_t max, size_t address_max)
{
	memset(c, 0, sizeof(*c));
	c->max = max;
	c->address_max = address_max;
	c->addresses = hash_new(max + 1);
	return c->addresses != NULL;
}

void
crowd_clear(struct crowd *c)
{
	struct span key;
	void *value;
	size_t pos = 0;

	if (c->addresses != NULL)
		while (hash_next(c->addresses, &pos, &key, &value))
			free(value);
	hash_free(c->addresses);
	memset(c, 0, sizeof(*c));
}

struct crowd_member *
crowd_victim(const struct crowd *c, struct span address)
{
	struct crowd_address *a = address.n == 0 ? NULL : hash_get(c->addresses, address);
	struct crowd_member *m;

	if (a != NULL && c->address_max > 0 && a->count >= c->address_max) {
		for (m = a->first; m != NULL && m->is_busy; m = m->address_next)
			;
		return m == NULL ? a->first : m;
	}
	if (c->count < c->max)
		return NULL;
	for (m = c->first; m != NULL && m->is_busy; m = m->next)
		;
	return m == NULL ? c->first : m;
}

static struct crowd_address *
address_get(struct crowd *c, struct span address)
{
	struct crowd_address *a = hash_get(c->addresses, address);

	if (a != NULL || address.n > ADDRESS_OCTETS || (a = calloc(1, sizeof(*a))) == NULL)
		return a;
	memcpy(a->octets, address.p, address.n);
	a->n = address.n;
	if (!hash_set(c->addresses, address, a)) {
		free(a);
		return NULL;
	}
	return a;
}

bool
crowd_add(struct crowd *c, struct crowd_member *m, struct span address)
{
	memset(m, 0, sizeof(*m));
	if (address.n > 0) {
		m->address = address_get(c, address);
		if (m->address == NULL)
			return false;
		m->address->count++;
		m->address_prev = m->address->last;
		if (m->address_prev != NULL)
			m->address_prev->address_next = m;
		else
			m->address->first = m;
		m->address->last = m;
	}
	m->prev = c->last;
	if (m->prev != NULL)
		m->prev->next = m;
	else
		c->first = m;
	c->last = m;
	c->count++;
	return true;
}

static void
leave_address(struct crowd *c, struct crowd_member *m)
{
	struct crowd_address *a = m->address;

	if (m->address_prev != NULL)
		m->address_prev->address_next = m->address_next;
	else
		a->first = m->address_next;
	if (m->address_next != NULL)
		m->address_next->address_prev = m->address_prev;
	else
		a->last = m->address_prev;
	if (--a->count == 0) {
		hash_remove(c->addresses, span_of(a->octets, a->n));
		free(a);
	}
}

void
crowd_remove(struct crowd *c, struct crowd_member *m)
{
	if (m->address != NULL)
		leave_address(c, m);
	if (m->prev != NULL)
		m->prev->next = m->next;
	else
		c->first = m->next;
	if (m->next != NULL)
		m->next->prev = m->prev;
	else
		c->last = m->prev;
	c->count--;
	memset(m, 0, sizeof(*m));
}
