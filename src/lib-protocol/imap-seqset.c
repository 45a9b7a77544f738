/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-seqset.h"

#include <stdlib.h>

/* seq-number = nz-number / "*"; *star_out tells which. */
static bool
take_number(struct span *in, uint32_t star, uint32_t *out, bool *star_out)
{
	uint32_t v = 0;
	size_t i = 0;

	*star_out = in->n > 0 && in->p[0] == '*';
	if (*star_out) {
		*in = span_from(*in, 1);
		*out = star;
		return true;
	}
	for (; i < in->n && ascii_is_digit(in->p[i]); i++) {
		uint32_t digit = (uint32_t)(in->p[i] - '0');

		if (v > (UINT32_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (i == 0 || v == 0)
		return false;
	*in = span_from(*in, i);
	*out = v;
	return true;
}

static int
range_cmp(const void *a, const void *b)
{
	const struct imap_range *ra = a, *rb = b;

	return ra->first < rb->first ? -1 : ra->first > rb->first;
}

/* Whether next goes on where (or before) prev ends; both are in order of first. */
static bool
touches(const struct imap_range *prev, const struct imap_range *next)
{
	return prev->last == UINT32_MAX || next->first <= prev->last + 1;
}

static size_t
merge(struct imap_range *r, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && touches(&r[kept - 1], &r[i])) {
			if (r[i].last > r[kept - 1].last)
				r[kept - 1].last = r[i].last;
		} else
			r[kept++] = r[i];
	}
	return kept;
}

enum imap_set_rc
imap_set_parse(struct span text, uint32_t star, size_t max, struct arena *a, struct imap_set *out)
{
	size_t items = 1, n = 0;
	bool sorted = true;
	struct imap_range *r;

	for (size_t i = 0; i < text.n; i++)
		items += text.p[i] == ',';
	r = arena_alloc(a, items, sizeof(*r));
	if (r == NULL)
		return IMAP_SET_LIMIT;
	for (;;) {
		struct imap_range range;
		bool has_star, more_star = false;

		if (!take_number(&text, star, &range.first, &has_star))
			return IMAP_SET_BAD;
		range.last = range.first;
		if (text.n > 0 && text.p[0] == ':') {
			text = span_from(text, 1);
			if (!take_number(&text, star, &range.last, &more_star))
				return IMAP_SET_BAD;
		}
		if (range.first > range.last)
			range = (struct imap_range){ range.last, range.first };
		if (range.first > 0) {	/* 0: a "*" where nothing is */
			sorted = sorted && (n == 0 || r[n - 1].first <= range.first);
			r[n++] = range;
		}
		if (text.n == 0)
			break;
		if (text.p[0] != ',')
			return IMAP_SET_BAD;
		text = span_from(text, 1);
	}
	if (!sorted)
		qsort(r, n, sizeof(*r), range_cmp);
	n = merge(r, n);
	if (n > max)
		return IMAP_SET_LIMIT;
	*out = (struct imap_set){ r, n };
	return IMAP_SET_OK;
}

uint64_t
imap_set_count(const struct imap_set *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->n; i++)
		count += (uint64_t)set->r[i].last - set->r[i].first + 1;
	return count;
}

bool
imap_set_add(struct array *maker, uint32_t first, uint32_t last)
{
	struct imap_range *r = maker->n == 0 ? NULL : array_at(maker, maker->n - 1);
	struct imap_range next = { first, last };

	if (r != NULL && touches(r, &next)) {
		if (last > r->last)
			r->last = last;
		return true;
	}
	r = array_push(maker);
	if (r == NULL)
		return false;
	*r = next;
	return true;
}

struct imap_set
imap_set_made(const struct array *maker)
{
	return (struct imap_set){ maker->p, maker->n };
}

static void
range_write(struct buf *out, bool first, struct imap_range r)
{
	if (!first)
		buf_addc(out, ',');
	buf_add_u64(out, r.first);
	if (r.last != r.first) {
		buf_addc(out, ':');
		buf_add_u64(out, r.last);
	}
}

void
imap_set_write(struct buf *out, const struct imap_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		range_write(out, i == 0, set->r[i]);
}

void
imap_set_put(struct stream *out, const struct imap_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (i > 0)
			stream_put(out, SPAN(","));
		stream_put_u64(out, set->r[i].first);
		if (set->r[i].last != set->r[i].first) {
			stream_put(out, SPAN(":"));
			stream_put_u64(out, set->r[i].last);
		}
	}
}

void
imap_uids_write(struct buf *out, const uint32_t *uids, size_t count)
{
	for (size_t i = 0, j; i < count; i = j) {
		for (j = i + 1; j < count && uids[j] == uids[j - 1] + 1; j++)
			;
		range_write(out, i == 0, (struct imap_range){ uids[i], uids[j - 1] });
	}
}
