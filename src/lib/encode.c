/* SPDX-License-Identifier: MIT */
/* Base64 and hexadecimal. */
#include "lib/encode.h"

#define STEP 3072	/* octets gathered before they go to the buffer; a multiple of 3 and of 4 */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value + 1 of each base64 letter, so that what is not named is 0: foreign. */
static const unsigned char value_of[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,
	['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
	['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,
	['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,
	['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
	['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

void
base64_encode(struct buf *out, struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	char step[STEP];
	size_t used = 0, i;

	for (i = 0; in.n - i >= 3; i += 3) {
		step[used++] = alphabet[p[i] >> 2];
		step[used++] = alphabet[(p[i] & 3) << 4 | p[i + 1] >> 4];
		step[used++] = alphabet[(p[i + 1] & 15) << 2 | p[i + 2] >> 6];
		step[used++] = alphabet[p[i + 2] & 63];
		if (used == sizeof(step)) {
			buf_add(out, span_of(step, used));
			used = 0;
		}
	}
	if (in.n - i > 0) {
		unsigned second = in.n - i == 2 ? p[i + 1] : 0;

		step[used++] = alphabet[p[i] >> 2];
		step[used++] = alphabet[(p[i] & 3) << 4 | second >> 4];
		step[used++] = in.n - i == 2 ? alphabet[(second & 15) << 2] : '=';
		step[used++] = '=';
	}
	buf_add(out, span_of(step, used));
}

/* Whole groups of four letters from the front of in; stops before a group with anything else in it. */
static size_t
decode_groups(struct buf *out, struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	unsigned char step[STEP];
	size_t used = 0, i;

	for (i = 0; in.n - i >= 4; i += 4) {
		unsigned a = value_of[p[i]], b = value_of[p[i + 1]], c = value_of[p[i + 2]], d = value_of[p[i + 3]];
		unsigned group;

		if (a == 0 || b == 0 || c == 0 || d == 0)
			break;
		group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
		step[used++] = (unsigned char)(group >> 16);
		step[used++] = (unsigned char)(group >> 8);
		step[used++] = (unsigned char)group;
		if (used == sizeof(step)) {
			buf_add(out, span_of(step, used));
			used = 0;
		}
	}
	buf_add(out, span_of(step, used));
	return i;
}

/* The octets of an incomplete group of 2 or 3 letters; the bits left over go to *rest_out. */
static void
decode_tail(struct buf *out, const unsigned char *values, size_t n, unsigned *rest_out)
{
	unsigned a = values[0] - 1u, b = values[1] - 1u, c = n == 3 ? values[2] - 1u : 0;

	buf_addc(out, (char)(a << 2 | b >> 4));
	*rest_out = b & 15;
	if (n == 3) {
		buf_addc(out, (char)((b & 15) << 4 | c >> 2));
		*rest_out = c & 3;
	}
}

bool
base64_decode(struct buf *out, struct span in)
{
	unsigned char values[3];
	size_t i, n = 0;
	unsigned rest;

	if (in.n % 4 != 0)
		return false;
	i = decode_groups(out, in);
	if (i == in.n)
		return !out->failed;
	/* "xx==" or "xxx=", and nothing behind it */
	if (in.n - i != 4 || in.p[i + 3] != '=')
		return false;
	for (; n < 3 && value_of[(unsigned char)in.p[i + n]] != 0; n++)
		values[n] = value_of[(unsigned char)in.p[i + n]];
	if (n < 2 || (n == 2 && in.p[i + 2] != '='))
		return false;
	decode_tail(out, values, n, &rest);
	return rest == 0 && !out->failed;
}

void
base64_decode_mime(struct buf *out, struct span in)
{
	unsigned char values[4];
	size_t n = 0, i = 0;
	unsigned rest;

	while (i < in.n) {
		unsigned char v;

		if (n == 0) {
			i += decode_groups(out, span_from(in, i));
			if (i == in.n)
				return;
		}
		v = value_of[(unsigned char)in.p[i]];
		if (in.p[i] == '=')
			break;
		i++;
		if (v == 0)
			continue;
		values[n++] = v;
		if (n == 4) {
			unsigned group = (values[0] - 1u) << 18 | (values[1] - 1u) << 12 | (values[2] - 1u) << 6 |
				(values[3] - 1u);
			unsigned char octets[3] = { (unsigned char)(group >> 16), (unsigned char)(group >> 8),
				(unsigned char)group };

			buf_add(out, span_of(octets, sizeof(octets)));
			n = 0;
		}
	}
	if (n >= 2)
		decode_tail(out, values, n, &rest);
}

void
hex_encode(struct buf *out, struct span in)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.n; i++) {
		char pair[2] = { digits[(unsigned char)in.p[i] >> 4], digits[(unsigned char)in.p[i] & 15] };

		buf_add(out, span_of(pair, 2));
	}
}

int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_decode(struct buf *out, struct span in)
{
	if (in.n % 2 != 0)
		return false;
	for (size_t i = 0; i < in.n; i += 2) {
		int high = hex_value(in.p[i]), low = hex_value(in.p[i + 1]);

		if (high == -1 || low == -1)
			return false;
		buf_addc(out, (char)(high << 4 | low));
	}
	return !out->failed;
}
