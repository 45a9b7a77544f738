/* SPDX-License-Identifier: MIT */
#include "lib-mail/encoded-word.h"

#include "lib-mail/header.h"
#include "lib/encode.h"

enum {
	CHARSET_OCTETS = 64,
	OPENS_MAX = 200		/* conversions opened for one value: each may cost a look into the file system */
};

/* encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="  (RFC 2047 section 2, RFC 2231) */
struct word {
	struct span charset, text;
	bool base64;
	size_t size;	/* of the whole */
};

static bool
word_parse(struct span s, struct word *w)
{
	struct span rest = span_from(s, 2);
	size_t n = span_chr(span_sub(rest, 0, CHARSET_OCTETS + 1), '?'), star;

	if (!span_starts(s, SPAN("=?")) || n == 0 || n > CHARSET_OCTETS || rest.n < n + 3 || rest.p[n + 2] != '?')
		return false;
	w->charset = span_of(rest.p, n);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)rest.p[i] <= ' ')
			return false;
	}
	star = span_chr(w->charset, '*');
	w->charset.n = star;
	switch (rest.p[n + 1]) {
	case 'B': case 'b':
		w->base64 = true;
		break;
	case 'Q': case 'q':
		w->base64 = false;
		break;
	default:
		return false;
	}
	rest = span_from(rest, n + 3);
	/* No "?" can be in the text, so this ends before the next word begins: linear, whatever is written. */
	n = span_chr(rest, '?');
	if (rest.n - n < 2 || rest.p[n + 1] != '=')
		return false;
	w->text = span_of(rest.p, n);
	w->size = (size_t)(rest.p + n + 2 - s.p);
	return true;
}

static bool
is_blank(struct span s)
{
	return span_trim(s).n == 0;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

struct decoder {
	struct charset_cache *cache;
	struct buf *out;
	struct charset *cs;	/* of the word before, still open: its last character may end in the next one */
	struct span name;
	struct buf octets;
	unsigned opens;
};

static void
decoder_close(struct decoder *d)
{
	if (d->cs != NULL)
		charset_finish(d->cs, d->out);
	charset_close(d->cs);
	d->cs = NULL;
}

/* What is between encoded words. */
static void
add_text(struct decoder *d, struct span text)
{
	decoder_close(d);
	if (is_ascii(text)) {
		header_unfold(d->out, text);
		return;
	}
	buf_reset(&d->octets);
	header_unfold(&d->octets, text);
	charset_to_utf8(d->cache, d->out, SPAN_NONE, buf_span(&d->octets));
}

static void
add_word(struct decoder *d, const struct word *w)
{
	if (d->cs != NULL && !span_ieq(d->name, w->charset))
		decoder_close(d);
	if (d->cs == NULL)
		d->cs = charset_open(d->cache, d->opens++ < OPENS_MAX ? w->charset : SPAN_NONE);
	if (d->cs == NULL) {
		d->out->failed = true;
		return;
	}
	d->name = w->charset;
	buf_reset(&d->octets);
	if (w->base64)
		base64_decode_mime(&d->octets, w->text);
	else
		qp_decode(&d->octets, w->text, true);
	charset_add(d->cs, d->out, buf_span(&d->octets));
}

void
encoded_word_decode(struct charset_cache *cache, struct buf *out, struct span value)
{
	struct decoder d = { .cache = cache, .out = out, .octets = BUF_INIT(value.n) };
	struct span text = span_of(value.p, 0);		/* since the last word */
	size_t pos = 0;

	if (value.n == 0)	/* and p may be NULL */
		return;
	while (pos < value.n && !out->failed) {
		struct word w;

		pos += span_chr(span_from(value, pos), '=');
		if (pos == value.n || !word_parse(span_from(value, pos), &w)) {
			pos += pos < value.n;
			continue;
		}
		text.n = (size_t)(value.p + pos - text.p);
		if (d.cs == NULL || !is_blank(text))
			add_text(&d, text);
		add_word(&d, &w);
		pos += w.size;
		text = span_of(value.p + pos, 0);
	}
	text.n = (size_t)(value.p + value.n - text.p);
	if (text.n > 0)
		add_text(&d, text);
	decoder_close(&d);
	buf_clear(&d.octets);
}

/* What may stand for itself in the Q encoding anywhere, also in a phrase (RFC 2047 section 5, rule 3). */
static bool
is_q_plain(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static bool
needs_encoding(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c >= 0x7f || (c == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
			return true;
	}
	return false;
}

static size_t
q_size(struct span s)
{
	size_t size = 0;

	for (size_t i = 0; i < s.n; i++)
		size += is_q_plain(s.p[i]) || s.p[i] == ' ' ? 1 : 3;
	return size;
}

static void
q_add(struct buf *out, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_q_plain((char)c)) {
			buf_addc(out, (char)c);
		} else if (c == ' ') {
			buf_addc(out, '_');
		} else {
			buf_addc(out, '=');
			buf_addc(out, hex[c >> 4]);
			buf_addc(out, hex[c & 15]);
		}
	}
}

/* How much of s, in whole characters, fits into one word. */
static size_t
word_take(struct span s, bool base64)
{
	enum { ROOM = 75 - 10 - 2 };	/* without "=?UTF-8?B?" and "?=" */
	size_t pos = 0;

	while (pos < s.n) {
		size_t next = pos;
		uint32_t cp;

		utf8_next(s, &next, &cp);
		if ((base64 ? (next + 2) / 3 * 4 : q_size(span_of(s.p, next))) > ROOM)
			break;
		pos = next;
	}
	return pos;
}

void
encoded_word_encode(struct buf *out, struct span utf8)
{
	bool base64, first = true;

	if (!needs_encoding(utf8)) {
		buf_add(out, utf8);
		return;
	}
	base64 = (utf8.n + 2) / 3 * 4 < q_size(utf8);
	while (utf8.n > 0 && !out->failed) {
		size_t n = word_take(utf8, base64);

		if (!first)
			buf_add(out, SPAN("\r\n "));
		first = false;
		buf_add(out, base64 ? SPAN("=?UTF-8?B?") : SPAN("=?UTF-8?Q?"));
		if (base64)
			base64_encode(out, span_of(utf8.p, n));
		else
			q_add(out, span_of(utf8.p, n));
		buf_add(out, SPAN("?="));
		utf8 = span_from(utf8, n);
	}
}
