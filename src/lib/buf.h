/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_BUF_H
#define CULVER_LIB_BUF_H
/*
 * Owned bytes that grow up to a stated maximum.  Failure sticks: append as much as you like, look at `failed` once when
 * the whole is written.  A failed append changes nothing else.
 */
#include <stdarg.h>
#include "lib/span.h"

struct buf {
	char *p;
	size_t n, cap, max;	/* always n <= cap <= max */
	bool failed;		/* over max, or out of memory; stays set until buf_reset() */
	bool secret;		/* what leaves the buffer's memory is overwritten: set it before passwords go in */
};

#define BUF_INIT(maximum) ((struct buf){ NULL, 0, 0, (maximum), false, false })

void buf_init(struct buf *b, size_t max);
void buf_clear(struct buf *b);		/* frees; the buffer may be used again */
void buf_wipe(struct buf *b);		/* as buf_clear, but overwritten first, even if not marked secret */
bool buf_grow(struct buf *b, size_t need);	/* room for need bytes in all; false sets failed */

static inline void
buf_reset(struct buf *b)	/* empty, the memory stays */
{
	b->n = 0;
	b->failed = false;
}

static inline struct span
buf_span(const struct buf *b)	/* valid until the next change of b */
{
	return span_of(b->p, b->n);
}

static inline void
buf_add(struct buf *b, struct span s)
{
	if (s.n > b->max - b->n)
		b->failed = true;
	if (b->failed || s.n == 0)
		return;
	if (s.n > b->cap - b->n && !buf_grow(b, b->n + s.n))	/* the sum is <= max: it can not wrap */
		return;
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

static inline void
buf_addc(struct buf *b, char c)
{
	buf_add(b, span_of(&c, 1));
}

static inline void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, span_str(s));
}

void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_add_u64(struct buf *b, uint64_t v);	/* decimal; much cheaper than buf_addf */
void buf_add_be16(struct buf *b, uint16_t v);
void buf_add_be32(struct buf *b, uint32_t v);
void buf_add_be64(struct buf *b, uint64_t v);
void buf_drop(struct buf *b, size_t n);		/* takes n bytes off the front; n <= b->n */

/* A NUL-terminated view of the content; NULL when there is a NUL inside, or no room for the terminator. */
const char *buf_cstr(struct buf *b);

static inline uint16_t
be16_get(const void *p)
{
	const unsigned char *q = p;

	return (uint16_t)((q[0] << 8) | q[1]);
}

static inline uint32_t
be32_get(const void *p)
{
	const unsigned char *q = p;

	return ((uint32_t)q[0] << 24) | ((uint32_t)q[1] << 16) | ((uint32_t)q[2] << 8) | q[3];
}

static inline uint64_t
be64_get(const void *p)
{
	return ((uint64_t)be32_get(p) << 32) | be32_get((const char *)p + 4);
}

static inline void
be32_put(void *p, uint32_t v)
{
	unsigned char *q = p;

	q[0] = (unsigned char)(v >> 24);
	q[1] = (unsigned char)(v >> 16);
	q[2] = (unsigned char)(v >> 8);
	q[3] = (unsigned char)v;
}

static inline void
be64_put(void *p, uint64_t v)
{
	be32_put(p, (uint32_t)(v >> 32));
	be32_put((char *)p + 4, (uint32_t)v);
}
#endif
