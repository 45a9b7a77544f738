/* SPDX-License-Identifier: MIT */
/*
 * The UIDs of a large mailbox with many gaps, as they were at some modseq: walking over its records would cost a SELECT
 * milliseconds.  The change log tells what has happened since; so it need not be new, and it may be lost.
 *
 *	octet 0		1
 *	octets 1..	uidvalidity, uidnext (4 each), modseq (8)
 *	then		for each run: UIDs left out since the last one, and its length, as numbers of seven bits an octet,
 *			the lowest first, the eighth set in all but the last
 */
#include "lib-storage/storage-priv.h"

#define HEAD 17
#define CACHE_MAX ((size_t)4 << 20)

/* Cuts a number off [*p, end). */
static inline bool
take_number(const uint8_t **p, const uint8_t *end, uint32_t *out)
{
	uint64_t n = 0;

	for (unsigned shift = 0; *p < end && shift < 35; shift += 7) {
		uint8_t c = *(*p)++;

		n |= (uint64_t)(c & 127) << shift;
		if (!(c & 128)) {
			*out = (uint32_t)n;
			return n <= UINT32_MAX;
		}
	}
	return false;
}

static void
add_number(struct buf *b, uint32_t n)
{
	for (; n > 127; n >>= 7)
		buf_addc(b, (char)((n & 127) | 128));
	buf_addc(b, (char)n);
}

int
view_cache_get(struct index_txn *t, uint32_t id, struct view *v, struct err *e)
{
	const uint8_t *p, *end;
	struct span s;
	uint64_t last = 0;
	uint32_t gap, length;
	int rc = index_view_get(t, id, &s, e);

	if (rc != 1)
		return rc;
	if (s.n < HEAD || s.p[0] != 1)
		return 0;
	v->uidvalidity = be32_get(s.p + 1);
	v->uidnext = be32_get(s.p + 5);
	v->modseq = be64_get(s.p + 9);
	v->n = 0;
	v->count = 0;
	/* A run is two octets at least. */
	if (!view_reserve(v, (s.n - HEAD) / 2 + 1))
		return err_set(e, ERR_TEMP, "out of memory");
	end = (const uint8_t *)s.p + s.n;
	for (p = (const uint8_t *)s.p + HEAD; p < end; last += gap + (uint64_t)length) {
		if (!take_number(&p, end, &gap) || !take_number(&p, end, &length) || length == 0 ||
		    (gap == 0 && last != 0) || last + gap + length >= v->uidnext)
			return 0;
		v->runs[v->n++] = (struct view_run){ (uint32_t)last + gap + 1, (uint32_t)last + gap + length, v->count + 1 };
		v->count += length;
	}
	return 1;
}

int
view_cache_put(struct index_txn *t, uint32_t id, const struct view *v, struct err *e)
{
	struct buf b = BUF_INIT(CACHE_MAX);
	char head[HEAD] = { 1 };
	uint32_t last = 0;
	int rc = 0;

	be32_put(head + 1, v->uidvalidity);
	be32_put(head + 5, v->uidnext);
	be64_put(head + 9, v->modseq);
	buf_add(&b, span_of(head, sizeof(head)));
	for (size_t i = 0; i < v->n && !b.failed; i++) {
		add_number(&b, v->runs[i].first - last - 1);
		add_number(&b, v->runs[i].last - v->runs[i].first + 1);
		last = v->runs[i].last;
	}
	/* One that is too large is walked each time. */
	if (!b.failed)
		rc = index_view_put(t, id, buf_span(&b), e);
	buf_clear(&b);
	return rc;
}
