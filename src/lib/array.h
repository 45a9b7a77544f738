/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_ARRAY_H
#define CULVER_LIB_ARRAY_H
/* A growing array of objects of one size.  Pointers into it are valid until the next push. */
#include "lib/span.h"

struct array {
	void *p;
	size_t n, cap;		/* in objects */
	size_t size, max;	/* bytes of one object; objects at most */
};

#define ARRAY_INIT(type, maximum) ((struct array){ NULL, 0, 0, sizeof(type), (maximum) })

void array_clear(struct array *a);	/* frees; may be used again */
bool array_reserve(struct array *a, size_t n);	/* room for n objects in all; false when that is over max */

/* A new zeroed object at the end; NULL when the array is full or memory is out. */
void *array_push(struct array *a);
/* The object at idx < n. */
static inline void *
array_at(const struct array *a, size_t idx)
{
	return (char *)a->p + idx * a->size;
}
void array_remove(struct array *a, size_t idx, size_t count);
#endif
