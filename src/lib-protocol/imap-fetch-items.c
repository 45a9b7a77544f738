/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-fetch-items.h"

#include "lib-protocol/imap-quote.h"

#define LABEL_MAX (256 * 1024)

static const struct {
	struct span name;
	unsigned bits;
} plain_items[] = {
	{ SPAN("UID"), FETCH_UID },
	{ SPAN("FLAGS"), FETCH_FLAGS },
	{ SPAN("INTERNALDATE"), FETCH_INTERNALDATE },
	{ SPAN("RFC822.SIZE"), FETCH_SIZE },
	{ SPAN("ENVELOPE"), FETCH_ENVELOPE },
	{ SPAN("BODY"), FETCH_BODY },
	{ SPAN("BODYSTRUCTURE"), FETCH_BODYSTRUCTURE },
	{ SPAN("MODSEQ"), FETCH_MODSEQ },
	{ SPAN("EMAILID"), FETCH_EMAILID },
	{ SPAN("THREADID"), FETCH_THREADID },
}, macros[] = {
	{ SPAN("ALL"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE },
	{ SPAN("FAST"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE },
	{ SPAN("FULL"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE | FETCH_BODY },
};

static const struct {
	struct span name;
	enum fetch_what what;
	bool peek;
} rfc822_items[] = {
	{ SPAN("RFC822"), FETCH_SECTION_ALL, false },
	{ SPAN("RFC822.HEADER"), FETCH_SECTION_HEADER, true },
	{ SPAN("RFC822.TEXT"), FETCH_SECTION_TEXT, false },
};

static const struct {
	struct span name;
	enum fetch_what what;
	bool needs_part;
} section_words[] = {
	{ SPAN("HEADER"), FETCH_SECTION_HEADER, false },
	{ SPAN("HEADER.FIELDS"), FETCH_SECTION_FIELDS, false },
	{ SPAN("HEADER.FIELDS.NOT"), FETCH_SECTION_FIELDS_NOT, false },
	{ SPAN("TEXT"), FETCH_SECTION_TEXT, false },
	{ SPAN("MIME"), FETCH_SECTION_MIME, true },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Letters, digits and dots: an item's name up to "[", "<", a space or a parenthesis. */
static struct span
take_name(struct imap_in *in)
{
	size_t i = 0;
	struct span name;

	while (i < in->s.n && (ascii_is_alpha(in->s.p[i]) || ascii_is_digit(in->s.p[i]) || in->s.p[i] == '.'))
		i++;
	name = span_of(in->s.p, i);
	in->s = span_from(in->s, i);
	return name;
}

static bool
take_path(struct imap_in *in, const struct fetch_limits *lim, struct fetch_section *sec)
{
	uint64_t number;
	size_t room = 0;

	/* As many numbers as there are dots at most. */
	for (size_t i = 0; i < in->s.n && (ascii_is_digit(in->s.p[i]) || in->s.p[i] == '.'); i++)
		room += in->s.p[i] == '.';
	if (in->s.n == 0 || !ascii_is_digit(in->s.p[0]))
		return true;
	if (room >= lim->depth)
		return imap_fail(in, "Too many part numbers");
	sec->path = arena_alloc(in->a, room + 1, sizeof(*sec->path));
	if (sec->path == NULL)
		return imap_fail(in, "Too long command");
	for (;;) {
		if (!imap_number(in, UINT32_MAX, &number))
			return false;
		if (number == 0)
			return imap_fail(in, "Invalid part number");
		sec->path[sec->depth++] = (uint32_t)number;
		if (!imap_peek(in, '.'))
			return true;
		imap_take(in, '.');
		if (in->s.n == 0 || !ascii_is_digit(in->s.p[0]))
			return true;	/* "1.MIME": the word follows */
	}
}

static bool
take_names(struct imap_in *in, const struct fetch_limits *lim, struct fetch_section *sec)
{
	if (!imap_sp(in) || !imap_take(in, '('))
		return false;
	sec->names = arena_alloc(in->a, lim->items, sizeof(*sec->names));
	if (sec->names == NULL)
		return imap_fail(in, "Too long command");
	for (;;) {
		struct span name;

		if (sec->name_count == lim->items)
			return imap_fail(in, "Too many header fields");
		if (!imap_astring(in, &name))
			return false;
		if (name.n == 0 || span_chr(name, ':') < name.n || span_chr(name, '\n') < name.n ||
		    span_chr(name, '\r') < name.n)
			return imap_fail(in, "Invalid header field name");
		sec->names[sec->name_count++] = name;
		if (imap_peek(in, ')'))
			return imap_take(in, ')');
		if (!imap_sp(in))
			return false;
		if (imap_peek(in, ')'))
			return imap_take(in, ')');
	}
}

/* section = "[" [section-spec] "]", and the partial that may follow. */
static bool
take_section(struct imap_in *in, const struct fetch_limits *lim, struct fetch_section *sec)
{
	struct span word;
	uint64_t number;
	bool dot;

	if (!imap_take(in, '[') || !take_path(in, lim, sec))
		return false;
	dot = sec->depth > 0 && in->s.p[-1] == '.';
	word = take_name(in);
	if (word.n > 0) {
		size_t i = 0;

		if (sec->depth > 0 && !dot)
			return imap_fail(in, "Invalid body section");
		while (i < COUNT(section_words) && !span_ieq(word, section_words[i].name))
			i++;
		if (i == COUNT(section_words) || (section_words[i].needs_part && sec->depth == 0))
			return imap_fail(in, "Unknown body section");
		sec->what = section_words[i].what;
		if ((sec->what == FETCH_SECTION_FIELDS || sec->what == FETCH_SECTION_FIELDS_NOT) &&
		    !take_names(in, lim, sec))
			return false;
	} else if (dot)
		return imap_fail(in, "Invalid body section");
	if (!imap_take(in, ']'))
		return imap_fail(in, "Missing ']'");
	if (!imap_peek(in, '<'))
		return true;
	imap_take(in, '<');
	sec->partial = true;
	if (!imap_number(in, UINT32_MAX, &number))
		return false;
	sec->start = (uint32_t)number;
	if (!imap_take(in, '.') || !imap_number(in, UINT32_MAX, &number))
		return imap_fail(in, "Invalid partial range");
	sec->count = (uint32_t)number;
	if (number == 0 || !imap_take(in, '>'))
		return imap_fail(in, "Invalid partial range");
	return true;
}

/* "BODY[1.2.HEADER.FIELDS (A B)]<0>": as RFC 3501 section 7.4.2 wants it in the answer. */
static bool
make_label(struct imap_in *in, struct fetch_section *sec)
{
	struct buf b = BUF_INIT(LABEL_MAX);

	buf_adds(&b, "BODY[");
	for (size_t i = 0; i < sec->depth; i++) {
		if (i > 0)
			buf_addc(&b, '.');
		buf_add_u64(&b, sec->path[i]);
	}
	for (size_t i = 0; i < COUNT(section_words); i++) {
		if (section_words[i].what != sec->what)
			continue;
		if (sec->depth > 0)
			buf_addc(&b, '.');
		buf_add(&b, section_words[i].name);
	}
	for (size_t i = 0; i < sec->name_count; i++) {
		buf_adds(&b, i == 0 ? " (" : " ");
		imap_astring_write(&b, sec->names[i]);
	}
	buf_adds(&b, sec->name_count > 0 ? ")]" : "]");
	if (sec->partial) {
		buf_addc(&b, '<');
		buf_add_u64(&b, sec->start);
		buf_addc(&b, '>');
	}
	if (!b.failed)
		sec->label = arena_dup(in->a, buf_span(&b));
	buf_clear(&b);
	return sec->label.p != NULL || imap_fail(in, "Too long command");
}

static struct fetch_section *
push(struct imap_in *in, const struct fetch_limits *lim, struct fetch_items *out)
{
	if (out->sections == NULL)
		out->sections = arena_alloc(in->a, lim->items, sizeof(*out->sections));
	if (out->sections == NULL || out->count == lim->items) {
		imap_fail(in, "Too many items");
		return NULL;
	}
	return &out->sections[out->count++];
}

static bool
take_item(struct imap_in *in, const struct fetch_limits *lim, struct fetch_items *out)
{
	struct span name = take_name(in);
	struct fetch_section *sec;

	if (imap_peek(in, '[')) {
		bool peek = span_ieq(name, SPAN("BODY.PEEK"));

		if (!peek && !span_ieq(name, SPAN("BODY")))
			return imap_fail(in, "Unknown item");
		sec = push(in, lim, out);
		if (sec == NULL || !take_section(in, lim, sec) || !make_label(in, sec))
			return false;
		sec->peek = peek;
		out->marks_seen = out->marks_seen || !peek;
		return true;
	}
	for (size_t i = 0; i < COUNT(plain_items); i++)
		if (span_ieq(name, plain_items[i].name)) {
			out->bits |= plain_items[i].bits;
			return true;
		}
	for (size_t i = 0; i < COUNT(rfc822_items); i++)
		if (span_ieq(name, rfc822_items[i].name)) {
			sec = push(in, lim, out);
			if (sec == NULL)
				return false;
			sec->what = rfc822_items[i].what;
			sec->peek = rfc822_items[i].peek;
			sec->label = rfc822_items[i].name;
			out->marks_seen = out->marks_seen || !sec->peek;
			return true;
		}
	return imap_fail(in, "Unknown item");
}

bool
imap_fetch_items(struct imap_in *in, const struct fetch_limits *lim, struct fetch_items *out)
{
	size_t taken = 0;

	memset(out, 0, sizeof(*out));
	if (!imap_peek(in, '(')) {
		struct imap_in ahead = *in;
		struct span name = take_name(&ahead);

		for (size_t i = 0; i < COUNT(macros); i++)
			if (span_ieq(name, macros[i].name)) {
				out->bits = macros[i].bits;
				*in = ahead;
				return true;
			}
		return take_item(in, lim, out);
	}
	imap_take(in, '(');
	for (;;) {
		if (taken++ == lim->items)
			return imap_fail(in, "Too many items");
		if (!take_item(in, lim, out))
			return false;
		if (imap_peek(in, ')'))
			return imap_take(in, ')');
		if (!imap_sp(in))
			return imap_fail(in, "Expected the end of a list");
		if (imap_peek(in, ')'))
			return imap_take(in, ')');
	}
}
