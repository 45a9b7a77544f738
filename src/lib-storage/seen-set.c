/* SPDX-License-Identifier: MIT */
#include "lib-storage/seen-set.h"

#define HEAD SPAN("culver-seen 1\n")

void
seen_clear(struct seen_set *s)
{
	array_clear(&s->ranges);
}

static const struct seen_range *
range_at(const struct seen_set *s, size_t i)
{
	return array_at(&s->ranges, i);
}

bool
seen_has(const struct seen_set *s, uint32_t uid)
{
	size_t lo = 0, hi = s->ranges.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (range_at(s, mid)->last < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->ranges.n && range_at(s, lo)->first <= uid;
}

/* Appends, joined to the last one where there is no gap.  r begins behind where that begins. */
static bool
append(struct seen_set *s, struct seen_range r)
{
	struct seen_range *last = s->ranges.n == 0 ? NULL : array_at(&s->ranges, s->ranges.n - 1);

	if (last != NULL && last->last >= r.first - 1) {
		if (r.last > last->last)
			last->last = r.last;
		return true;
	}
	last = array_push(&s->ranges);
	if (last == NULL)
		return false;
	*last = r;
	return true;
}

static bool
add(const struct seen_set *s, const uint32_t *uids, size_t count, struct seen_set *out)
{
	size_t i = 0, k = 0;
	bool ok = true;

	while (ok && (i < s->ranges.n || k < count)) {
		if (k == count || (i < s->ranges.n && range_at(s, i)->first <= uids[k]))
			ok = append(out, *range_at(s, i++));
		else {
			ok = uids[k] == 0 || append(out, (struct seen_range){ uids[k], uids[k] });
			k++;
		}
	}
	return ok;
}

static bool
take(const struct seen_set *s, const uint32_t *uids, size_t count, struct seen_set *out)
{
	size_t k = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < s->ranges.n; i++) {
		struct seen_range r = *range_at(s, i);

		while (k < count && uids[k] < r.first)
			k++;
		for (; ok && k < count && uids[k] <= r.last; k++) {
			if (uids[k] > r.first)
				ok = append(out, (struct seen_range){ r.first, uids[k] - 1 });
			r.first = uids[k] + 1;
		}
		if (ok && r.first <= r.last && r.first != 0)
			ok = append(out, r);
	}
	return ok;
}

bool
seen_change(struct seen_set *s, const uint32_t *uids, size_t count, bool on)
{
	struct seen_set out = SEEN_SET_INIT;

	if (!(on ? add(s, uids, count, &out) : take(s, uids, count, &out))) {
		seen_clear(&out);
		return false;
	}
	seen_clear(s);
	*s = out;
	return true;
}

bool
seen_parse(struct seen_set *s, struct span text)
{
	struct span line, piece;
	size_t used = 0;
	uint32_t before = 0;
	bool ok;

	if (!span_starts(text, HEAD))
		return false;
	text = span_from(text, HEAD.n);
	ok = span_line(text, &used, &line) && used == text.n;
	while (ok && line.n > 0) {
		struct seen_range r;
		size_t colon;

		ok = span_next(&line, ',', &piece);
		colon = span_chr(piece, ':');
		ok = ok && span_u32(span_sub(piece, 0, colon), &r.first);
		r.last = ok ? r.first : 0;
		if (ok && colon < piece.n)
			ok = span_u32(span_from(piece, colon + 1), &r.last);
		ok = ok && r.first > before && r.last >= r.first && append(s, r);
		before = r.last;
	}
	if (!ok)
		s->ranges.n = 0;
	return ok;
}

void
seen_write(struct buf *out, const struct seen_set *s)
{
	buf_add(out, HEAD);
	for (size_t i = 0; i < s->ranges.n; i++) {
		const struct seen_range *r = range_at(s, i);

		buf_adds(out, i == 0 ? "" : ",");
		if (r->first == r->last)
			buf_addf(out, "%u", r->first);
		else
			buf_addf(out, "%u:%u", r->first, r->last);
	}
	buf_addc(out, '\n');
}
