/* SPDX-License-Identifier: MIT */
#include "lib/squeeze.h"

#define REACH 65535u		/* of a distance, and of positions that are remembered */
#define FEW 15u
#define STRIDE 16

static inline unsigned
hash_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (v * 2654435761u) >> 20;
}

void
squeezer_init(struct squeezer *s, struct span known)
{
	memset(s, 0, sizeof(*s));
	s->known = known.n;
	for (size_t i = 0; i + SQUEEZE_LEAST <= known.n; i++)
		s->last[hash_at(known.p + i)] = (uint16_t)(i + 1);
}

static void
put_rest(struct buf *out, size_t n)
{
	if (n < FEW)
		return;
	for (n -= FEW; n >= 0x80; n >>= 7)
		buf_addc(out, (char)(n | 0x80));
	buf_addc(out, (char)n);
}

static void
put_sequence(struct buf *out, struct span literals, size_t repeated, size_t distance)
{
	size_t more = repeated == 0 ? 0 : repeated - SQUEEZE_LEAST;

	buf_addc(out, (char)((literals.n < FEW ? literals.n : FEW) << 4 | (more < FEW ? more : FEW)));
	put_rest(out, literals.n);
	buf_add(out, literals);
	if (repeated == 0)
		return;
	buf_add_be16(out, (uint16_t)distance);
	put_rest(out, more);
}

void
squeeze(struct buf *out, const struct squeezer *s, struct span all, size_t start)
{
	uint16_t last[sizeof(s->last) / sizeof(s->last[0])];
	size_t at = start, from = at, reach = all.n < REACH ? all.n : REACH;

	memcpy(last, s->last, sizeof(last));
	for (size_t i = s->known; i < start && i + SQUEEZE_LEAST <= reach; i++)
		last[hash_at(all.p + i)] = (uint16_t)(i + 1);
	while (at + SQUEEZE_LEAST <= reach) {
		unsigned h = hash_at(all.p + at);
		size_t was = last[h], n = 0;

		last[h] = (uint16_t)(at + 1);
		if (was != 0)
			while (at + n < all.n && all.p[was - 1 + n] == all.p[at + n])
				n++;
		if (n < SQUEEZE_LEAST) {
			at++;
			continue;
		}
		put_sequence(out, span_sub(all, from, at - from), n, at - (was - 1));
		for (size_t end = at + n; ++at < end;)
			if (at + SQUEEZE_LEAST <= reach)
				last[hash_at(all.p + at)] = (uint16_t)(at + 1);
		from = at;
	}
	if (from < all.n)
		put_sequence(out, span_from(all, from), 0, 0);
}

/* A number whose first four bits are n.  False: the octets end before it does. */
static inline bool
get_rest(const char **p, const char *end, size_t *n)
{
	unsigned shift = 0;
	unsigned char c;

	if (*n < FEW)
		return true;
	do {
		if (*p == end || shift > 28)
			return false;
		c = (unsigned char)*(*p)++;
		*n += (size_t)(c & 0x7f) << shift;
		shift += 7;
	} while (c & 0x80);
	return true;
}

/* Octets that begin distance before to, which may overlap it; a stride is written beyond them. */
static inline void
repeat(char *to, size_t distance, size_t n)
{
	const char *from = to - distance;

	if (distance >= STRIDE) {
		for (size_t i = 0; i < n; i += STRIDE)
			memcpy(to + i, from + i, STRIDE);
		return;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

bool
unsqueeze(char *room, size_t known, size_t n, struct span in)
{
	const char *p = in.p, *end = in.n == 0 ? in.p : in.p + in.n;
	char *to = room + known, *const stop = to + n;

	while (to < stop) {
		size_t literals, repeated, distance;

		if (p == end)
			return false;
		literals = (unsigned char)*p >> 4;
		repeated = (unsigned char)*p++ & 15;
		if (!get_rest(&p, end, &literals) || literals > (size_t)(end - p) || literals > (size_t)(stop - to))
			return false;
		if (literals <= STRIDE && end - p >= STRIDE)
			memcpy(to, p, STRIDE);
		else
			memcpy(to, p, literals);
		to += literals;
		p += literals;
		if (to == stop)
			return p == end && repeated == 0;
		if (end - p < 2)
			return false;
		distance = be16_get(p);
		p += 2;
		if (!get_rest(&p, end, &repeated))
			return false;
		repeated += SQUEEZE_LEAST;
		if (distance == 0 || distance > (size_t)(to - room) || repeated > (size_t)(stop - to))
			return false;
		repeat(to, distance, repeated);
		to += repeated;
	}
	return p == end;
}
