/* SPDX-License-Identifier: MIT */
#include "auth/cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include "lib/buf.h"
#include "lib/hash.h"
#include "lib/sys.h"

#define SALT_LEN 16
#define ENTRY_OVERHEAD 128	/* what the table costs besides, about */

struct entry {
	struct entry *next, *prev;	/* least recently used first */
	struct cache_key key;
	int64_t expires_ms;
	bool known, has_password;
	unsigned char salt[SALT_LEN], digest[32];
	size_t user_len, raw_len;
	char data[];			/* user, raw */
};

struct cache {
	struct hash *by_key;
	struct entry *first, *last;
	size_t size, used;
	uint64_t ttl_ms, negative_ttl_ms;
	unsigned char secret[32];
};

struct cache *
cache_new(size_t size, uint64_t ttl_ms, uint64_t negative_ttl_ms)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->size = size;
	c->ttl_ms = ttl_ms;
	c->negative_ttl_ms = negative_ttl_ms;
	c->by_key = hash_new(size / sizeof(struct entry) + 1);
	if (c->by_key == NULL) {
		free(c);
		return NULL;
	}
	random_bytes(c->secret, sizeof(c->secret));
	return c;
}

static size_t
cost(const struct entry *it)
{
	return sizeof(*it) + it->user_len + it->raw_len + ENTRY_OVERHEAD;
}

static void
unlink_entry(struct cache *c, struct entry *it)
{
	*(it->prev == NULL ? &c->first : &it->prev->next) = it->next;
	*(it->next == NULL ? &c->last : &it->next->prev) = it->prev;
}

static void
link_last(struct cache *c, struct entry *it)
{
	it->next = NULL;
	it->prev = c->last;
	*(c->last == NULL ? &c->first : &c->last->next) = it;
	c->last = it;
}

static void
drop(struct cache *c, struct entry *it)
{
	hash_remove(c->by_key, span_of(it->key.id, CACHE_KEY_LEN));
	unlink_entry(c, it);
	c->used -= cost(it);
	explicit_bzero(it->data, it->user_len + it->raw_len);	/* raw may hold a stored password */
	free(it);
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	while (c->first != NULL)
		drop(c, c->first);
	hash_free(c->by_key);
	explicit_bzero(c->secret, sizeof(c->secret));
	free(c);
}

size_t
cache_used(const struct cache *c)
{
	return c->used;
}

static bool
digest_of(const struct cache *c, const struct span *parts, size_t count, unsigned char out[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned n = 0;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		EVP_DigestUpdate(ctx, c->secret, sizeof(c->secret)) == 1;

	for (size_t i = 0; ok && i < count; i++) {
		char len[8];

		be64_put(len, parts[i].n);
		ok = EVP_DigestUpdate(ctx, len, sizeof(len)) == 1 && EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(ctx, out, &n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool
cache_make_key(struct cache *c, const struct span *parts, size_t count, struct cache_key *out)
{
	return digest_of(c, parts, count, out->id);
}

static bool
password_digest(const struct cache *c, const struct entry *it, struct span password, unsigned char out[32])
{
	struct span parts[] = { SPAN("password"), span_of(it->salt, SALT_LEN), password };

	return digest_of(c, parts, 3, out);
}

bool
cache_get(struct cache *c, int64_t now_ms, const struct cache_key *key, struct span password, struct cache_hit *out)
{
	struct entry *it = hash_get(c->by_key, span_of(key->id, CACHE_KEY_LEN));
	unsigned char digest[32];

	if (it == NULL)
		return false;
	if (it->expires_ms <= now_ms) {
		drop(c, it);
		return false;
	}
	unlink_entry(c, it);
	link_last(c, it);
	out->known = it->known;
	out->raw = span_of(it->data + it->user_len, it->raw_len);
	out->password_right = it->has_password && password_digest(c, it, password, digest) &&
		CRYPTO_memcmp(digest, it->digest, sizeof(digest)) == 0;
	return true;
}

void
cache_remove(struct cache *c, const struct cache_key *key)
{
	struct entry *it = hash_get(c->by_key, span_of(key->id, CACHE_KEY_LEN));

	if (it != NULL)
		drop(c, it);
}

void
cache_put(struct cache *c, int64_t now_ms, const struct cache_key *key, struct span user, bool known,
    struct span raw, struct span password)
{
	uint64_t ttl = known ? c->ttl_ms : c->negative_ttl_ms;
	struct entry *it;

	cache_remove(c, key);
	if (ttl == 0 || c->size == 0)
		return;
	it = calloc(1, sizeof(*it) + user.n + raw.n);
	if (it == NULL)
		return;
	it->key = *key;
	it->expires_ms = now_ms + (int64_t)(ttl < INT64_MAX / 2 ? ttl : INT64_MAX / 2);
	it->known = known;
	it->user_len = user.n;
	it->raw_len = raw.n;
	if (user.n > 0)
		memcpy(it->data, user.p, user.n);
	if (raw.n > 0)
		memcpy(it->data + user.n, raw.p, raw.n);
	if (password.p != NULL) {
		random_bytes(it->salt, sizeof(it->salt));
		it->has_password = password_digest(c, it, password, it->digest);
	}
	while (c->first != NULL && (cost(it) > c->size - c->used || c->used > c->size))
		drop(c, c->first);
	if (cost(it) > c->size || !hash_set(c->by_key, span_of(key->id, CACHE_KEY_LEN), it)) {
		free(it);
		return;
	}
	c->used += cost(it);
	link_last(c, it);
}

size_t
cache_flush(struct cache *c, struct span user)
{
	size_t count = 0;

	for (struct entry *it = c->first, *next; it != NULL; it = next) {
		next = it->next;
		if (user.n > 0 && !span_eq(user, span_of(it->data, it->user_len)))
			continue;
		drop(c, it);
		count++;
	}
	return count;
}
