/* SPDX-License-Identifier: MIT */
#include "lib/hash.h"

#include <stdlib.h>
#include <sys/random.h>

/*
 * Open addressing with linear probing; a removed entry leaves a tombstone (key NULL, value the table itself), which the
 * next growth sweeps.
 */
struct entry {
	uint64_t hash;
	char *key;
	size_t key_n;
	void *value;
};

struct hash {
	struct entry *entries;
	size_t slots, used, live, max;	/* used counts tombstones too */
	struct arena *keys;		/* NULL: each key is allocated by itself */
};

static uint64_t sip_key[2];

static uint64_t
rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t
le64(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

/* SipHash-1-3, by its authors' description (Aumasson and Bernstein, 2012). */
uint64_t
hash_of(struct span key)
{
	uint64_t v[4], m;
	size_t i;

	if (sip_key[0] == 0 && getrandom(sip_key, sizeof(sip_key), GRND_NONBLOCK) != sizeof(sip_key))
		sip_key[0] = 1;
	v[0] = sip_key[0] ^ 0x736f6d6570736575u;
	v[1] = sip_key[1] ^ 0x646f72616e646f6du;
	v[2] = sip_key[0] ^ 0x6c7967656e657261u;
	v[3] = sip_key[1] ^ 0x7465646279746573u;
	for (i = 0; i + 8 <= key.n; i += 8) {
		m = le64(key.p + i, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = le64(key.p + i, key.n - i) | ((uint64_t)key.n << 56);
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct hash *
hash_new(size_t max)
{
	struct hash *h = calloc(1, sizeof(*h));

	if (h != NULL)
		h->max = max;
	return h;
}

void
hash_free(struct hash *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->slots && h->keys == NULL; i++)
		free(h->entries[i].key);
	free(h->entries);
	free(h);
}

size_t
hash_count(const struct hash *h)
{
	return h->live;
}

static struct entry *
lookup(const struct hash *h, struct span key, uint64_t hash)
{
	if (h->slots == 0)
		return NULL;
	for (size_t i = hash & (h->slots - 1);; i = (i + 1) & (h->slots - 1)) {
		struct entry *en = &h->entries[i];

		if (en->key == NULL && en->value == NULL)
			return NULL;
		if (en->key != NULL && en->hash == hash && span_eq(span_of(en->key, en->key_n), key))
			return en;
	}
}

static bool
resize(struct hash *h, size_t count)
{
	size_t slots = 16;
	struct entry *fresh;

	while (slots < count * 2)
		slots *= 2;
	fresh = calloc(slots, sizeof(*fresh));
	if (fresh == NULL)
		return false;
	for (size_t i = 0; i < h->slots; i++) {
		struct entry *en = &h->entries[i];
		size_t j;

		if (en->key == NULL)
			continue;
		for (j = en->hash & (slots - 1); fresh[j].key != NULL; j = (j + 1) & (slots - 1))
			;
		fresh[j] = *en;
	}
	free(h->entries);
	h->entries = fresh;
	h->slots = slots;
	h->used = h->live;
	return true;
}

struct hash *
hash_new_in(struct arena *keys, size_t count, size_t max)
{
	struct hash *h = hash_new(max);

	if (h == NULL)
		return NULL;
	h->keys = keys;
	if (!resize(h, count)) {
		hash_free(h);
		return NULL;
	}
	return h;
}

void *
hash_get(const struct hash *h, struct span key)
{
	struct entry *en = lookup(h, key, hash_of(key));

	return en == NULL ? NULL : en->value;
}

static char *
key_copy(struct hash *h, struct span key)
{
	char *copy;

	if (h->keys != NULL)
		return (char *)(uintptr_t)arena_dup(h->keys, key).p;
	copy = malloc(key.n + 1);
	if (copy != NULL && key.n > 0)
		memcpy(copy, key.p, key.n);
	return copy;
}

/* The entry of key, made when it is not there. */
static struct entry *
take(struct hash *h, struct span key)
{
	uint64_t hash = hash_of(key);
	struct entry *en = lookup(h, key, hash);
	char *copy;
	size_t i;

	if (en != NULL)
		return en;
	if (h->live >= h->max || (h->used + 1 > h->slots / 4 * 3 && !resize(h, h->live + 1)))
		return NULL;
	copy = key_copy(h, key);
	if (copy == NULL)
		return NULL;
	for (i = hash & (h->slots - 1); h->entries[i].key != NULL || h->entries[i].value != NULL;
	     i = (i + 1) & (h->slots - 1))
		;
	h->entries[i] = (struct entry){ hash, copy, key.n, NULL };
	h->used++;
	h->live++;
	return &h->entries[i];
}

void **
hash_slot(struct hash *h, struct span key)
{
	struct entry *en = take(h, key);

	return en == NULL ? NULL : &en->value;
}

bool
hash_set(struct hash *h, struct span key, void *value)
{
	void **slot = hash_slot(h, key);

	if (slot == NULL)
		return false;
	*slot = value;
	return true;
}

void *
hash_remove(struct hash *h, struct span key)
{
	struct entry *en = lookup(h, key, hash_of(key));
	void *value;

	if (en == NULL)
		return NULL;
	value = en->value;
	if (h->keys == NULL)
		free(en->key);
	en->key = NULL;
	en->value = h;
	h->live--;
	return value;
}

bool
hash_next(const struct hash *h, size_t *pos, struct span *key_out, void **value_out)
{
	while (*pos < h->slots) {
		struct entry *en = &h->entries[(*pos)++];

		if (en->key == NULL)
			continue;
		*key_out = span_of(en->key, en->key_n);
		*value_out = en->value;
		return true;
	}
	return false;
}
