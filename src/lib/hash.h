/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_HASH_H
#define CULVER_LIB_HASH_H
/*
 * A table from byte strings to pointers.  Keys are copied; values are the caller's.  SipHash with a random key a
 * process: a peer that chooses the keys can not make it slow.
 */
#include "lib/arena.h"
#include "lib/span.h"

struct hash;

struct hash *hash_new(size_t max);	/* max entries at most; NULL when memory is out */
/* For one that is soon gone: with room for count entries, and its keys in the arena, until the arena's end. */
struct hash *hash_new_in(struct arena *keys, size_t count, size_t max);
void hash_free(struct hash *h);		/* NULL is fine; values are not touched */
size_t hash_count(const struct hash *h);
void *hash_get(const struct hash *h, struct span key);	/* NULL: not there */
/* Adds or replaces; value is not NULL.  False when the table is full or memory is out: nothing changed. */
bool hash_set(struct hash *h, struct span key, void *value);
/*
 * Where the value of key is, which is made when it is not there, with NULL for a value: valid until the table is changed.
 * NULL when the table is full or memory is out.
 */
void **hash_slot(struct hash *h, struct span key);
void *hash_remove(struct hash *h, struct span key);	/* the value that was there, or NULL */
/* Walks: start with *pos = 0; false at the end.  No hash_set meanwhile; hash_remove of the entry just given is fine. */
bool hash_next(const struct hash *h, size_t *pos, struct span *key_out, void **value_out);
uint64_t hash_of(struct span key);	/* the keyed SipHash itself */
#endif
