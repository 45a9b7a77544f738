/* SPDX-License-Identifier: MIT */
/*
 * Modified UTF-7, the form of mailbox names in IMAP4rev1 (RFC 3501 section 5.1.3).  There is exactly one right way to
 * write each name, and only that one is taken: two spellings of one mailbox would be two keys in everything above.
 */
#include "lib/encode.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool
is_direct(uint32_t cp)	/* printable US-ASCII stands for itself; "&" is "&-" */
{
	return cp >= 0x20 && cp <= 0x7e;
}

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}

/* One UTF-16 unit; *high is a high surrogate that waits for its other half, or 0. */
static bool
put_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

	if (is_low != (*high != 0) || is_direct(unit))
		return false;
	if (is_low) {
		utf8_put(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
	} else {
		utf8_put(out, unit);
	}
	return true;
}

/* The base64 from *pos, behind "&", up to and with its "-". */
static bool
decode_shifted(struct buf *out, struct span in, size_t *pos)
{
	uint32_t bits = 0, high = 0;
	unsigned count = 0;

	for (; *pos < in.n && in.p[*pos] != '-'; (*pos)++) {
		int v = value_of(in.p[*pos]);

		if (v == -1)
			return false;
		bits = bits << 6 | (uint32_t)v;
		count += 6;
		if (count >= 16) {
			count -= 16;
			if (!put_unit(out, bits >> count & 0xffff, &high))
				return false;
			bits &= (1u << count) - 1;
		}
	}
	if (*pos == in.n || high != 0 || count >= 6 || bits != 0)
		return false;
	(*pos)++;
	return true;
}

bool
mutf7_decode(struct buf *out, struct span in)
{
	size_t pos = 0, from = 0, shift_end = SIZE_MAX;

	while (pos < in.n) {
		if (!is_direct((unsigned char)in.p[pos]))
			return false;
		if (in.p[pos] != '&') {
			pos++;
			continue;
		}
		buf_add(out, span_sub(in, from, pos - from));
		if (pos + 1 < in.n && in.p[pos + 1] == '-') {
			buf_addc(out, '&');
			pos += 2;
		} else {
			/* "...-&..." of two shifted parts could have been one */
			if (pos == shift_end)
				return false;
			pos++;
			if (!decode_shifted(out, in, &pos))
				return false;
			shift_end = pos;
		}
		from = pos;
	}
	buf_add(out, span_from(in, from));
	return !out->failed;
}

struct shifter {
	struct buf *out;
	uint32_t bits;
	unsigned count;
	bool open;
};

static void
put_bits(struct shifter *s, uint32_t unit)
{
	if (!s->open)
		buf_addc(s->out, '&');
	s->open = true;
	s->bits = s->bits << 16 | unit;
	s->count += 16;
	while (s->count >= 6) {
		s->count -= 6;
		buf_addc(s->out, alphabet[s->bits >> s->count & 63]);
	}
	s->bits &= (1u << s->count) - 1;
}

static void
shift_close(struct shifter *s)
{
	if (!s->open)
		return;
	if (s->count > 0)
		buf_addc(s->out, alphabet[s->bits << (6 - s->count) & 63]);
	buf_addc(s->out, '-');
	*s = (struct shifter){ .out = s->out };
}

bool
mutf7_encode(struct buf *out, struct span utf8)
{
	struct shifter s = { .out = out };
	size_t pos = 0;
	uint32_t cp;

	while (pos < utf8.n) {
		if (!utf8_next(utf8, &pos, &cp))
			return false;
		if (is_direct(cp)) {
			shift_close(&s);
			buf_addc(out, (char)cp);
			if (cp == '&')
				buf_addc(out, '-');
		} else if (cp >= 0x10000) {
			put_bits(&s, 0xd800 + ((cp - 0x10000) >> 10));
			put_bits(&s, 0xdc00 + ((cp - 0x10000) & 0x3ff));
		} else {
			put_bits(&s, cp);
		}
	}
	shift_close(&s);
	return !out->failed;
}
