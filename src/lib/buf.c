/* SPDX-License-Identifier: MIT */
#include "lib/buf.h"

#include <stdio.h>
#include <stdlib.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = BUF_INIT(max);
}

void
buf_clear(struct buf *b)
{
	bool secret = b->secret;

	if (secret && b->p != NULL)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	*b = BUF_INIT(b->max);
	b->secret = secret;
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
}

bool
buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < 64 ? 64 : b->cap;
	char *p;

	if (need <= b->cap)
		return true;
	if (need > b->max) {
		b->failed = true;
		return false;
	}
	while (cap < need)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	p = b->secret ? malloc(cap) : realloc(b->p, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	if (b->secret && b->p != NULL) {
		/* realloc would leave the old octets behind */
		memcpy(p, b->p, b->n);
		explicit_bzero(b->p, b->cap);
		free(b->p);
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void
buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	char small[512];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < sizeof(small)) {
		buf_add(b, span_of(small, (size_t)n));
	} else if (b->failed || (size_t)n > b->max - b->n) {
		b->failed = true;
	} else {
		char *whole = NULL;

		n = vasprintf(&whole, fmt, again);
		if (n < 0) {
			b->failed = true;
		} else {
			buf_add(b, span_of(whole, (size_t)n));
			if (b->secret)
				explicit_bzero(whole, (size_t)n);
			free(whole);
		}
	}
	if (b->secret)
		explicit_bzero(small, sizeof(small));
	va_end(again);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(b, fmt, ap);
	va_end(ap);
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_add(b, span_of(digits + i, sizeof(digits) - i));
}

void
buf_add_be16(struct buf *b, uint16_t v)
{
	unsigned char q[2] = { (unsigned char)(v >> 8), (unsigned char)v };

	buf_add(b, span_of(q, sizeof(q)));
}

void
buf_add_be32(struct buf *b, uint32_t v)
{
	char q[4];

	be32_put(q, v);
	buf_add(b, span_of(q, sizeof(q)));
}

void
buf_add_be64(struct buf *b, uint64_t v)
{
	char q[8];

	be64_put(q, v);
	buf_add(b, span_of(q, sizeof(q)));
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	if (n < b->n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->failed || (b->n > 0 && memchr(b->p, '\0', b->n) != NULL))
		return NULL;
	if (b->n == b->cap && !buf_grow(b, b->n + 1))
		return NULL;
	b->p[b->n] = '\0';
	return b->p;
}
