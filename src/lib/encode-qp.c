/* SPDX-License-Identifier: MIT */
/* Quoted-printable (RFC 2045 section 6.7) and its relative in headers (RFC 2047 section 4.2). */
#include "lib/encode.h"

#define LINE_OCTETS 76	/* RFC 2045 section 6.7, rule 5; without the line end */

/* The length of a line end at i: 2 CRLF, 1 LF, 0 none. */
static size_t
eol_at(struct span in, size_t i)
{
	if (i < in.n && in.p[i] == '\n')
		return 1;
	return i + 1 < in.n && in.p[i] == '\r' && in.p[i + 1] == '\n' ? 2 : 0;
}

static size_t
skip_wsp(struct span in, size_t i)
{
	while (i < in.n && ascii_is_wsp(in.p[i]))
		i++;
	return i;
}

/* What "=" at i means: appends it, and returns where to go on. */
static size_t
decode_escape(struct buf *out, struct span in, size_t i, bool header)
{
	int high = i + 1 < in.n ? hex_value(in.p[i + 1]) : -1, low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;
	size_t end;

	if (high != -1 && low != -1) {
		buf_addc(out, (char)(high << 4 | low));
		return i + 3;
	}
	/* A soft line break, even with white space that a relay put behind it; the end of the text is as good as a line's. */
	end = skip_wsp(in, i + 1);
	if (!header && (end == in.n || eol_at(in, end) > 0))
		return end + eol_at(in, end);
	buf_addc(out, '=');
	return i + 1;
}

/* White space from i on: appended unless a line ends behind it (rule 3: then a relay added it). */
static size_t
decode_wsp(struct buf *out, struct span in, size_t i)
{
	size_t end = skip_wsp(in, i);

	if (end < in.n && eol_at(in, end) == 0)
		buf_add(out, span_sub(in, i, end - i));
	return end;
}

void
qp_decode(struct buf *out, struct span in, bool header)
{
	size_t i = 0;

	while (i < in.n && !out->failed) {
		size_t from = i;

		while (i < in.n && in.p[i] != '=' && (header ? in.p[i] != '_' : !ascii_is_wsp(in.p[i])))
			i++;
		buf_add(out, span_sub(in, from, i - from));
		if (i == in.n)
			return;
		if (in.p[i] == '=') {
			i = decode_escape(out, in, i, header);
		} else if (header) {
			buf_addc(out, ' ');
			i++;
		} else {
			i = decode_wsp(out, in, i);
		}
	}
}

static bool
must_escape(struct span in, size_t i, size_t column)
{
	char c = in.p[i];

	if (ascii_is_wsp(c))
		return i + 1 == in.n || eol_at(in, i + 1) > 0;
	if (c < 0x21 || c > 0x7e || c == '=')
		return true;
	/* Not asked for, but relays change these at the start of a line: mbox's "From ", SMTP's lone dot. */
	if (column > 0)
		return false;
	return (c == '.' && (i + 1 == in.n || eol_at(in, i + 1) > 0)) || span_starts(span_from(in, i), SPAN("From "));
}

void
qp_encode(struct buf *out, struct span in)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t lf = span_chr(in, '\n'), column = 0, eol;
	/* Soft breaks look like the text's own line ends. */
	struct span soft = lf < in.n && (lf == 0 || in.p[lf - 1] != '\r') ? SPAN("=\n") : SPAN("=\r\n");

	for (size_t i = 0; i < in.n && !out->failed; i++) {
		unsigned char c = (unsigned char)in.p[i];
		bool escape;
		size_t width;

		eol = eol_at(in, i);
		if (eol > 0) {
			buf_add(out, span_sub(in, i, eol));
			i += eol - 1;
			column = 0;
			continue;
		}
		escape = must_escape(in, i, column);
		width = escape ? 3 : 1;
		/* The last column is the soft break's "=", unless the line ends here. */
		if (column + width + (i + 1 < in.n && eol_at(in, i + 1) == 0) > LINE_OCTETS) {
			buf_add(out, soft);
			column = 0;
			escape = must_escape(in, i, column);
			width = escape ? 3 : 1;
		}
		if (escape) {
			char octets[3] = { '=', digits[c >> 4], digits[c & 15] };

			buf_add(out, span_of(octets, 3));
		} else {
			buf_addc(out, (char)c);
		}
		column += width;
	}
}
