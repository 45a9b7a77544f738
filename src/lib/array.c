/* SPDX-License-Identifier: MIT */
#include "lib/array.h"

#include <stdlib.h>

void
array_clear(struct array *a)
{
	free(a->p);
	a->p = NULL;
	a->n = a->cap = 0;
}

bool
array_reserve(struct array *a, size_t n)
{
	size_t cap = a->cap < 8 ? 8 : a->cap;
	void *p;

	if (n <= a->cap)
		return true;
	if (n > a->max || n > SIZE_MAX / 2 / a->size)
		return false;
	while (cap < n)
		cap *= 2;
	if (cap > a->max)
		cap = a->max;
	p = reallocarray(a->p, cap, a->size);
	if (p == NULL)
		return false;
	a->p = p;
	a->cap = cap;
	return true;
}

void *
array_push(struct array *a)
{
	if (!array_reserve(a, a->n + 1))
		return NULL;
	return memset(array_at(a, a->n++), 0, a->size);
}

void
array_remove(struct array *a, size_t idx, size_t count)
{
	if (count == 0)
		return;
	memmove(array_at(a, idx), array_at(a, idx + count), (a->n - idx - count) * a->size);
	a->n -= count;
}
