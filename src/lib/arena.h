/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_ARENA_H
#define CULVER_LIB_ARENA_H
/*
 * Memory for one piece of work (a command, a message, a script), freed all at once.
 * Nothing in an arena owns anything outside it (descriptor, heap pointer): so arena_reset() can not leak.
 */
#include "lib/span.h"

struct arena;

struct arena *arena_new(size_t max);	/* hands out max bytes at most; NULL when memory is out */
void arena_free(struct arena *a);	/* NULL is fine */
void arena_reset(struct arena *a);	/* all handed out is gone; the first block stays, for the next piece of work */
size_t arena_used(const struct arena *a);	/* with the padding between objects */

/* Zeroed memory for count objects of size bytes, aligned for any type; NULL past max, and where the product overflows. */
void *arena_alloc(struct arena *a, size_t count, size_t size);

/* A copy of s in the arena.  SPAN_NONE when there is no room (and for an empty s a span whose p is not NULL). */
struct span arena_dup(struct arena *a, struct span s);

/* A NUL-terminated copy; NULL when s holds a NUL, or when there is no room. */
char *arena_cstr(struct arena *a, struct span s);

/* printf into the arena; NULL when there is no room. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
