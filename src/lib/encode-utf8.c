/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629). */
#include "lib/encode.h"

/* The index of the first octet from pos on that is not ASCII, or s.n: most text is ASCII, eight octets a look. */
static size_t
skip_ascii(struct span s, size_t pos)
{
	uint64_t eight;

	while (s.n - pos >= sizeof(eight)) {
		memcpy(&eight, s.p + pos, sizeof(eight));
		if ((eight & 0x8080808080808080u) != 0)
			break;
		pos += sizeof(eight);
	}
	while (pos < s.n && (unsigned char)s.p[pos] < 0x80)
		pos++;
	return pos;
}

/* The length of the well-formed character at pos < s.n, or 0 (table 3-7 of the Unicode standard). */
static size_t
char_length(struct span s, size_t pos)
{
	const unsigned char *p = (const unsigned char *)s.p + pos;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > s.n - pos)
		return 0;
	switch (p[0]) {
	case 0xe0: low = 0xa0; break;	/* overlong */
	case 0xed: high = 0x9f; break;	/* surrogates */
	case 0xf0: low = 0x90; break;	/* overlong */
	case 0xf4: high = 0x8f; break;	/* above U+10FFFF */
	}
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool
utf8_is_valid(struct span s)
{
	size_t pos = 0, n;

	while ((pos = skip_ascii(s, pos)) < s.n) {
		n = char_length(s, pos);
		if (n == 0)
			return false;
		pos += n;
	}
	return true;
}

bool
utf8_next(struct span s, size_t *pos, uint32_t *cp_out)
{
	static const unsigned char first_bits[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t n = *pos < s.n ? char_length(s, *pos) : 0;
	uint32_t cp;

	if (n == 0) {
		(*pos)++;
		return false;
	}
	cp = (unsigned char)s.p[*pos] & first_bits[n];
	for (size_t i = 1; i < n; i++)
		cp = cp << 6 | ((unsigned char)s.p[*pos + i] & 0x3f);
	*pos += n;
	*cp_out = cp;
	return true;
}

void
utf8_put(struct buf *out, uint32_t cp)
{
	char q[4];
	size_t n;

	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	if (cp < 0x80) {
		q[0] = (char)cp;
		n = 1;
	} else if (cp < 0x800) {
		q[0] = (char)(0xc0 | cp >> 6);
		n = 2;
	} else if (cp < 0x10000) {
		q[0] = (char)(0xe0 | cp >> 12);
		n = 3;
	} else {
		q[0] = (char)(0xf0 | cp >> 18);
		n = 4;
	}
	for (size_t i = 1; i < n; i++)
		q[i] = (char)(0x80 | (cp >> (6 * (n - 1 - i)) & 0x3f));
	buf_add(out, span_of(q, n));
}

void
utf8_put_valid(struct buf *out, struct span in)
{
	size_t pos = 0, from = 0;

	while ((pos = skip_ascii(in, pos)) < in.n) {
		size_t n = char_length(in, pos);

		if (n > 0) {
			pos += n;
			continue;
		}
		buf_add(out, span_sub(in, from, pos - from));
		buf_add(out, SPAN("\xef\xbf\xbd"));
		from = ++pos;
	}
	buf_add(out, span_from(in, from));
}
