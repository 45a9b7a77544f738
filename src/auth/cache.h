/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_CACHE_H
#define CULVER_AUTH_CACHE_H
/*
 * Remembered answers of databases.  A key is made from everything that the answer depended on; passwords are kept as
 * salted, keyed digests only.  The least recently used goes first when the memory is used up.
 */
#include "lib/span.h"

#define CACHE_KEY_LEN 32

struct cache;

struct cache_key {
	unsigned char id[CACHE_KEY_LEN];
};

struct cache_hit {
	bool known;		/* false: there is no such user */
	bool password_right;	/* the password is the one that was right when the entry was made */
	struct span raw;	/* the database's fields, as they were put; valid until the next call */
};

/* size 0: nothing is ever found.  NULL when memory is out. */
struct cache *cache_new(size_t size, uint64_t ttl_ms, uint64_t negative_ttl_ms);
void cache_free(struct cache *c);
/* The parts are told apart: "a" "bc" is not "ab" "c".  False when memory is out. */
bool cache_make_key(struct cache *c, const struct span *parts, size_t count, struct cache_key *out);
bool cache_get(struct cache *c, int64_t now_ms, const struct cache_key *key, struct span password, struct cache_hit *out);
void cache_put(struct cache *c, int64_t now_ms, const struct cache_key *key, struct span user, bool known,
    struct span raw, struct span password);
void cache_remove(struct cache *c, const struct cache_key *key);
/* Of one user, or all for an empty name; returns how many were dropped. */
size_t cache_flush(struct cache *c, struct span user);
size_t cache_used(const struct cache *c);
#endif
