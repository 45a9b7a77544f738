/* SPDX-License-Identifier: MIT */
#include "lib/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN _Alignof(max_align_t)
#define BLOCK_MIN 4096

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

struct arena {
	struct block *head;	/* the one being filled; older ones follow */
	size_t max, used;
};

struct arena *
arena_new(size_t max)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->max = max;
	return a;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct block *b = a->head, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

void
arena_reset(struct arena *a)
{
	struct block *b = a->head;

	/* Keep one block, unless a single large object made it unusually big. */
	while (b != NULL && (b->next != NULL || b->size > 16 * BLOCK_MIN)) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
	if (b != NULL)
		b->used = 0;
	a->head = b;
	a->used = 0;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}

static struct block *
block_add(struct arena *a, size_t need)
{
	size_t size = a->head == NULL ? BLOCK_MIN : a->head->size < 1 << 20 ? a->head->size * 2 : a->head->size;
	struct block *b;

	if (size < need)
		size = need;
	if (size > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (b == NULL)
		return NULL;
	b->size = size;
	b->used = 0;
	b->next = a->head;
	a->head = b;
	return b;
}

static void *
raw_alloc(struct arena *a, size_t n)
{
	struct block *b = a->head;
	size_t room;
	void *p;

	if (n > a->max - a->used)
		return NULL;
	room = (n + ALIGN - 1) / ALIGN * ALIGN;
	if (room < n)
		return NULL;
	if ((b == NULL || room > b->size - b->used) && (b = block_add(a, room)) == NULL)
		return NULL;
	p = b->data + b->used;
	b->used += room;
	/* The padding counts too, or a million single octets would be sixteen times what max says. */
	a->used += room < a->max - a->used ? room : a->max - a->used;
	return p;
}

void *
arena_alloc(struct arena *a, size_t count, size_t size)
{
	void *p;

	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	p = raw_alloc(a, count * size);
	return p == NULL ? NULL : memset(p, 0, count * size);
}

struct span
arena_dup(struct arena *a, struct span s)
{
	char *p = raw_alloc(a, s.n);

	if (p == NULL)
		return SPAN_NONE;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

char *
arena_cstr(struct arena *a, struct span s)
{
	char *p;

	if (s.n == SIZE_MAX || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL) || (p = raw_alloc(a, s.n + 1)) == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = raw_alloc(a, (size_t)n + 1)) == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
