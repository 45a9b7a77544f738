/* SPDX-License-Identifier: MIT */
#include "lib/span.h"

bool
span_ieq(struct span a, struct span b)
{
	return a.n == b.n && span_icmp(a, b) == 0;
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int rc = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return rc != 0 ? rc : (a.n > b.n) - (a.n < b.n);
}

int
span_icmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)ascii_lower(a.p[i]), y = (unsigned char)ascii_lower(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool
span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq(span_of(s.p, prefix.n), prefix);
}

bool
span_istarts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_ieq(span_of(s.p, prefix.n), prefix);
}

bool
span_ends(struct span s, struct span suffix)
{
	return s.n >= suffix.n && span_eq(span_from(s, s.n - suffix.n), suffix);
}

size_t
span_find(struct span s, struct span needle)
{
	const char *q;

	if (needle.n == 0)
		return 0;
	q = s.n < needle.n ? NULL : memmem(s.p, s.n, needle.p, needle.n);
	return q == NULL ? SIZE_MAX : (size_t)(q - s.p);
}

/*
 * Rabin and Karp's way: a hash of each stretch, rolled on octet by octet, tells where to look closely.  Linear whatever
 * the text; a text made to collide would have to know the base, which is odd and differs from process to process.
 */
static size_t
ifind_hashed(struct span s, struct span needle)
{
	static const char anchor;
	uint64_t base = ((uint64_t)(uintptr_t)&anchor << 1 | 1) * 0x9e3779b97f4a7c15u, want = 0, have = 0, top = 1;

	for (size_t i = 0; i < needle.n; i++) {
		want = want * base + (unsigned char)needle.p[i];
		have = have * base + (unsigned char)ascii_lower(s.p[i]);
		if (i > 0)
			top *= base;
	}
	for (size_t i = 0;; i++) {
		if (have == want && span_ieq(span_of(s.p + i, needle.n), needle))
			return i;
		if (i == s.n - needle.n)
			return SIZE_MAX;
		have -= top * (unsigned char)ascii_lower(s.p[i]);
		have = have * base + (unsigned char)ascii_lower(s.p[i + needle.n]);
	}
}

size_t
span_ifind(struct span s, struct span needle)
{
	/* How many octets may be compared in vain: most texts need far fewer, one made to be slow is left to the hash. */
	size_t patience = 4096 + s.n, at;

	if (needle.n == 0)
		return 0;
	for (size_t i = 0; needle.n <= s.n && i <= s.n - needle.n; i++) {
		size_t same = 0;

		while (same < needle.n && ascii_lower(s.p[i + same]) == needle.p[same])
			same++;
		if (same == needle.n)
			return i;
		if (same > patience) {
			at = ifind_hashed(span_from(s, i), needle);
			return at == SIZE_MAX ? SIZE_MAX : i + at;
		}
		patience -= same;
	}
	return SIZE_MAX;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
span_next(struct span *rest, char sep, struct span *piece_out)
{
	size_t i;

	if (rest->n == 0)
		return false;
	i = span_chr(*rest, sep);
	*piece_out = span_of(rest->p, i);
	*rest = span_from(*rest, i + 1);
	return true;
}

bool
span_line(struct span in, size_t *used, struct span *line_out)
{
	struct span rest = span_from(in, *used);
	size_t i = span_chr(rest, '\n');

	if (i == rest.n)
		return false;
	*used += i + 1;
	if (i > 0 && rest.p[i - 1] == '\r')
		i--;
	*line_out = span_of(rest.p, i);
	return true;
}

bool
span_u64(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(s.p[i] - '0');

		if (!ascii_is_digit(s.p[i]) || digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

bool
span_u32(struct span s, uint32_t *out)
{
	uint64_t v;

	if (!span_u64(s, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}
