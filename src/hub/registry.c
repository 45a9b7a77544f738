/* SPDX-License-Identifier: MIT */
#include "hub/registry.h"

#include <stdlib.h>

#define KEY_MAX 512

bool
registry_init(struct registry *r, size_t max)
{
	memset(r, 0, sizeof(*r));
	r->by_id = hash_new(max);
	r->counts = hash_new(max);
	return r->by_id != NULL && r->counts != NULL;
}

void
registry_clear(struct registry *r)
{
	while (r->first != NULL)
		registry_remove(r, r->first);
	hash_free(r->by_id);
	hash_free(r->counts);
	memset(r, 0, sizeof(*r));
}

/* Counters are numbers in the place of pointers: never NULL, since an entry with none is removed. */
static bool
key_of(const struct session *s, char room[KEY_MAX], struct span *out)
{
	struct buf key;

	if (s->service.n + s->user.n + s->rip.n + 2 > KEY_MAX)
		return false;
	key = (struct buf){ .p = room, .cap = KEY_MAX, .max = KEY_MAX };
	buf_add(&key, s->service);
	buf_addc(&key, '\0');
	buf_add(&key, s->user);
	buf_addc(&key, '\0');
	buf_add(&key, s->rip);
	*out = buf_span(&key);
	return true;
}

static struct span
place(char **at, struct span s)
{
	struct span copy = span_of(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

static struct session *
session_new(const struct session *like)
{
	struct session *s = calloc(1, sizeof(*s) + like->service.n + like->user.n + like->rip.n + like->id.n);
	char *at;

	if (s == NULL)
		return NULL;
	*s = *like;
	at = (char *)(s + 1);
	s->service = place(&at, like->service);
	s->user = place(&at, like->user);
	s->rip = place(&at, like->rip);
	s->id = place(&at, like->id);
	return s;
}

enum registry_rc
registry_add(struct registry *r, const struct session *like, uint32_t limit, struct session **out)
{
	struct session *s;
	struct span key;
	uintptr_t count;
	char room[KEY_MAX];

	if (!key_of(like, room, &key) || hash_get(r->by_id, like->id) != NULL)
		return REGISTRY_FULL;
	count = (uintptr_t)hash_get(r->counts, key);
	if (limit > 0 && count >= limit)
		return REGISTRY_LIMIT;
	s = session_new(like);
	if (s == NULL)
		return REGISTRY_FULL;
	if (!hash_set(r->by_id, s->id, s)) {
		free(s);
		return REGISTRY_FULL;
	}
	if (!hash_set(r->counts, key, (void *)(count + 1))) {
		hash_remove(r->by_id, s->id);
		free(s);
		return REGISTRY_FULL;
	}
	s->prev = NULL;
	s->next = r->first;
	if (s->next != NULL)
		s->next->prev = s;
	r->first = s;
	r->count++;
	*out = s;
	return REGISTRY_OK;
}

void
registry_remove(struct registry *r, struct session *s)
{
	struct span key;
	uintptr_t count;
	char room[KEY_MAX];

	if (key_of(s, room, &key)) {
		count = (uintptr_t)hash_get(r->counts, key);
		if (count > 1)
			hash_set(r->counts, key, (void *)(count - 1));
		else
			hash_remove(r->counts, key);
	}
	hash_remove(r->by_id, s->id);
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		r->first = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	r->count--;
	free(s);
}

struct session *
registry_find(const struct registry *r, struct span id)
{
	return hash_get(r->by_id, id);
}

/* One star at a time: linear in text for each, with no recursion. */
bool
mask_matches(struct span mask, struct span text)
{
	size_t m = 0, t = 0, star = SIZE_MAX, star_t = 0;

	while (t < text.n) {
		if (m < mask.n && mask.p[m] == '*') {
			star = m++;
			star_t = t;
		} else if (m < mask.n && (mask.p[m] == '?' || ascii_lower(mask.p[m]) == ascii_lower(text.p[t]))) {
			m++;
			t++;
		} else if (star != SIZE_MAX) {
			m = star + 1;
			t = ++star_t;
		} else
			return false;
	}
	while (m < mask.n && mask.p[m] == '*')
		m++;
	return m == mask.n;
}

bool
session_matches(const struct session *s, const struct session_filter *f)
{
	struct netaddr addr;

	if (f->user.n > 0 && !mask_matches(f->user, s->user))
		return false;
	if (f->net.family == 0)
		return true;
	return netaddr_parse(s->rip, &addr) && netaddr_in(&addr, &f->net);
}
