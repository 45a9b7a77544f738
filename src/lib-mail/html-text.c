/* SPDX-License-Identifier: MIT */
#include "lib-mail/html-text.h"

#include "lib/encode.h"

#define NAME_OCTETS 12		/* of a tag's or an entity's name: longer ones are none that we know */

struct html {
	struct span in;
	size_t pos;
	struct buf *out;
	bool space, line;	/* to be written before the next text */
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static void
put(struct html *h, struct span text)
{
	if (h->out->n > 0 && h->line)
		buf_addc(h->out, '\n');
	else if (h->out->n > 0 && h->space)
		buf_addc(h->out, ' ');
	h->space = h->line = false;
	buf_add(h->out, text);
}

static bool
is_one_of(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(name, span_str(list[i])))
			return true;
	return false;
}

/* Elements that end a line. */
static bool
is_block(struct span name)
{
	static const char *const blocks[] = { "p", "div", "br", "hr", "tr", "table", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2",
		"h3", "h4", "h5", "h6", "pre", "blockquote", "title", "body", "head", "html", "section", "article", "header",
		"footer", "form", "address", "center", "option", "caption" };

	return is_one_of(name, blocks, sizeof(blocks) / sizeof(blocks[0]));
}

/* Elements whose content is not text. */
static bool
is_hidden(struct span name)
{
	static const char *const hidden[] = { "script", "style", "noscript", "template", "object", "applet" };

	return is_one_of(name, hidden, sizeof(hidden) / sizeof(hidden[0]));
}

/* Behind the ">" of a tag whose "<" is at pos; a quoted value may have one inside.  The end when there is none. */
static size_t
tag_end(struct span in, size_t pos)
{
	char quote = '\0', before = '\0';

	for (; pos < in.n; pos++) {
		char c = in.p[pos];

		if (quote != '\0') {
			if (c == quote)
				quote = '\0';
		} else if ((c == '"' || c == '\'') && before == '=') {
			quote = c;
		} else if (c == '>') {
			return pos + 1;
		}
		if (!is_space(c))
			before = c;
	}
	return in.n;
}

static struct span
tag_name(struct span in, size_t pos)
{
	size_t n = 0;

	while (pos + n < in.n && (ascii_is_alpha(in.p[pos + n]) || ascii_is_digit(in.p[pos + n])))
		n++;
	return span_sub(in, pos, n);
}

/* To behind the closing tag of that name. */
static void
skip_element(struct html *h, struct span name)
{
	while (h->pos < h->in.n) {
		h->pos += span_chr(span_from(h->in, h->pos), '<');
		if (h->pos + 1 < h->in.n && h->in.p[h->pos + 1] == '/' && span_ieq(tag_name(h->in, h->pos + 2), name)) {
			h->pos = tag_end(h->in, h->pos + 2);
			return;
		}
		if (h->pos < h->in.n)
			h->pos++;
	}
}

static void
on_tag(struct html *h)
{
	struct span rest = span_from(h->in, h->pos), name;
	bool closing = rest.n > 1 && rest.p[1] == '/';

	if (span_starts(rest, SPAN("<!--"))) {
		size_t end = span_find(span_from(rest, 4), SPAN("-->"));

		h->pos = end == SIZE_MAX ? h->in.n : h->pos + 4 + end + 3;
		return;
	}
	name = tag_name(h->in, h->pos + 1 + closing);
	if (name.n == 0 && !(rest.n > 1 && (rest.p[1] == '!' || rest.p[1] == '?' || closing))) {
		put(h, SPAN("<"));	/* "a < b" */
		h->pos++;
		return;
	}
	h->pos = tag_end(h->in, h->pos + 1);
	if (is_block(name))
		h->line = true;
	else if (span_ieq(name, SPAN("td")) || span_ieq(name, SPAN("th")))
		h->space = true;
	if (!closing && is_hidden(name) && !span_ends(span_sub(h->in, 0, h->pos), SPAN("/>")))
		skip_element(h, name);
}

static const struct {
	const char *name;
	uint32_t cp;
} entities[] = {
	{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' }, { "nbsp", ' ' }, { "iexcl", 0xa1 },
	{ "cent", 0xa2 }, { "pound", 0xa3 }, { "curren", 0xa4 }, { "yen", 0xa5 }, { "sect", 0xa7 }, { "uml", 0xa8 },
	{ "copy", 0xa9 }, { "laquo", 0xab }, { "reg", 0xae }, { "deg", 0xb0 }, { "plusmn", 0xb1 }, { "micro", 0xb5 },
	{ "para", 0xb6 }, { "middot", 0xb7 }, { "raquo", 0xbb }, { "frac12", 0xbd }, { "iquest", 0xbf }, { "Agrave", 0xc0 },
	{ "Aacute", 0xc1 }, { "Acirc", 0xc2 }, { "Atilde", 0xc3 }, { "Auml", 0xc4 }, { "Aring", 0xc5 }, { "AElig", 0xc6 },
	{ "Ccedil", 0xc7 }, { "Egrave", 0xc8 }, { "Eacute", 0xc9 }, { "Ecirc", 0xca }, { "Euml", 0xcb }, { "Igrave", 0xcc },
	{ "Iacute", 0xcd }, { "Icirc", 0xce }, { "Iuml", 0xcf }, { "ETH", 0xd0 }, { "Ntilde", 0xd1 }, { "Ograve", 0xd2 },
	{ "Oacute", 0xd3 }, { "Ocirc", 0xd4 }, { "Otilde", 0xd5 }, { "Ouml", 0xd6 }, { "times", 0xd7 }, { "Oslash", 0xd8 },
	{ "Ugrave", 0xd9 }, { "Uacute", 0xda }, { "Ucirc", 0xdb }, { "Uuml", 0xdc }, { "Yacute", 0xdd }, { "THORN", 0xde },
	{ "szlig", 0xdf }, { "agrave", 0xe0 }, { "aacute", 0xe1 }, { "acirc", 0xe2 }, { "atilde", 0xe3 }, { "auml", 0xe4 },
	{ "aring", 0xe5 }, { "aelig", 0xe6 }, { "ccedil", 0xe7 }, { "egrave", 0xe8 }, { "eacute", 0xe9 }, { "ecirc", 0xea },
	{ "euml", 0xeb }, { "igrave", 0xec }, { "iacute", 0xed }, { "icirc", 0xee }, { "iuml", 0xef }, { "eth", 0xf0 },
	{ "ntilde", 0xf1 }, { "ograve", 0xf2 }, { "oacute", 0xf3 }, { "ocirc", 0xf4 }, { "otilde", 0xf5 }, { "ouml", 0xf6 },
	{ "divide", 0xf7 }, { "oslash", 0xf8 }, { "ugrave", 0xf9 }, { "uacute", 0xfa }, { "ucirc", 0xfb }, { "uuml", 0xfc },
	{ "yacute", 0xfd }, { "thorn", 0xfe }, { "yuml", 0xff }, { "OElig", 0x152 }, { "oelig", 0x153 }, { "Scaron", 0x160 },
	{ "scaron", 0x161 }, { "ensp", ' ' }, { "emsp", ' ' }, { "thinsp", ' ' }, { "ndash", 0x2013 }, { "mdash", 0x2014 },
	{ "lsquo", 0x2018 }, { "rsquo", 0x2019 }, { "sbquo", 0x201a }, { "ldquo", 0x201c }, { "rdquo", 0x201d },
	{ "bdquo", 0x201e }, { "dagger", 0x2020 }, { "bull", 0x2022 }, { "hellip", 0x2026 }, { "prime", 0x2032 },
	{ "lsaquo", 0x2039 }, { "rsaquo", 0x203a }, { "euro", 0x20ac }, { "trade", 0x2122 }, { "larr", 0x2190 },
	{ "rarr", 0x2192 }, { "minus", 0x2212 }, { "ne", 0x2260 }, { "le", 0x2264 }, { "ge", 0x2265 },
	{ "shy", 0 }, { "zwnj", 0 }, { "zwj", 0 },	/* nothing to be seen */
};

/* "#228", "#xe4" without the "&". */
static bool
numeric(struct span s, uint32_t *out)
{
	bool hex = s.n > 1 && ascii_lower(s.p[1]) == 'x';
	uint32_t v = 0;

	s = span_from(s, hex ? 2 : 1);
	if (s.n == 0 || s.n > 8)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_value(s.p[i]);

		if (digit < 0 || (!hex && digit > 9) || v > 0x10ffff)
			return false;
		v = v * (hex ? 16 : 10) + (uint32_t)digit;
	}
	*out = v;
	return true;
}

static void
on_entity(struct html *h)
{
	struct span rest = span_sub(h->in, h->pos + 1, NAME_OCTETS), name;
	size_t n = rest.n > 0 && rest.p[0] == '#';
	uint32_t cp = 0;
	bool found;

	while (n < rest.n && (ascii_is_alpha(rest.p[n]) || ascii_is_digit(rest.p[n])))
		n++;
	name = span_sub(rest, 0, n);
	found = name.n > 0 && name.p[0] == '#' && numeric(name, &cp);
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]) && !found; i++)
		if (span_eq(name, span_str(entities[i].name))) {
			cp = entities[i].cp;
			found = true;
		}
	if (!found) {
		put(h, SPAN("&"));
		h->pos++;
		return;
	}
	h->pos += 1 + n + (n < rest.n && rest.p[n] == ';');
	if (cp == ' ' || cp == 0xa0) {
		h->space = true;
	} else if (cp != 0) {
		put(h, SPAN(""));
		utf8_put(h->out, cp);
	}
}

void
html_to_text(struct buf *out, struct span html)
{
	struct html h = { .in = html, .out = out };

	while (h.pos < html.n && !out->failed) {
		char c = html.p[h.pos];
		size_t n = 0;

		if (c == '<') {
			on_tag(&h);
		} else if (c == '&') {
			on_entity(&h);
		} else if (is_space(c)) {
			h.space = true;
			h.pos++;
		} else {
			while (h.pos + n < html.n && html.p[h.pos + n] != '<' && html.p[h.pos + n] != '&' && !is_space(html.p[h.pos + n]))
				n++;
			put(&h, span_sub(html, h.pos, n));
			h.pos += n;
		}
	}
}
