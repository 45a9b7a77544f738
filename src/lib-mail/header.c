/* SPDX-License-Identifier: MIT */
#include "lib-mail/header.h"

#include "lib-mail/crlf.h"

void
header_begin(struct header_iter *it, struct span text, size_t max_fields, size_t max_octets)
{
	*it = (struct header_iter){ .text = text, .fields_left = max_fields, .octets_max = max_octets };
}

/* Is there an empty line at pos?  How long is it? */
static size_t
blank_at(struct span text, size_t pos)
{
	if (text.p[pos] == '\n')
		return 1;
	return text.p[pos] == '\r' && pos + 1 < text.n && text.p[pos + 1] == '\n' ? 2 : 0;
}

static struct span
trim_field(struct span s)
{
	while (s.n > 0 && (ascii_is_wsp(s.p[0]) || s.p[0] == '\r' || s.p[0] == '\n'))
		s = span_from(s, 1);
	while (s.n > 0 && (ascii_is_wsp(s.p[s.n - 1]) || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

bool
header_next(struct header_iter *it, struct header_field *out)
{
	struct span text = it->text, line;
	size_t stop = it->pos, blank, colon;

	if (it->blank || it->truncated || it->pos >= text.n)
		return false;
	blank = blank_at(text, it->pos);
	if (blank > 0) {
		it->pos += blank;
		it->blank = true;
		return false;
	}
	if (it->fields_left == 0 || it->pos >= it->octets_max) {
		it->truncated = true;
		return false;
	}
	it->fields_left--;
	line = SPAN_NONE;
	do {
		const char *lf = memchr(text.p + stop, '\n', text.n - stop);

		stop = lf == NULL ? text.n : (size_t)(lf - text.p) + 1;
		if (line.p == NULL)
			line = span_of(text.p + it->pos, stop - it->pos);
	} while (stop < text.n && ascii_is_wsp(text.p[stop]));

	out->raw = span_of(text.p + it->pos, stop - it->pos);
	it->pos = stop;
	colon = span_chr(line, ':');
	if (colon == line.n || colon == 0 || ascii_is_wsp(line.p[0])) {
		out->name = span_of(line.p, 0);
		out->value = trim_field(out->raw);
		return true;
	}
	out->name = span_of(line.p, colon);
	while (ascii_is_wsp(out->name.p[out->name.n - 1]))
		out->name.n--;
	out->value = trim_field(span_from(out->raw, colon + 1));
	return true;
}

size_t
header_size(struct span text)
{
	size_t pos = 0;

	while (pos < text.n) {
		size_t blank = blank_at(text, pos);
		const char *lf;

		if (blank > 0)
			return pos + blank;
		lf = memchr(text.p + pos, '\n', text.n - pos);
		if (lf == NULL)
			return text.n;
		pos = (size_t)(lf - text.p) + 1;
	}
	return text.n;
}

void
header_unfold(struct buf *out, struct span value)
{
	while (value.n > 0) {
		size_t lf = span_chr(value, '\n');
		struct span piece = span_of(value.p, lf);

		value = span_from(value, lf == value.n ? lf : lf + 1);
		if (value.p != piece.p + lf && piece.n > 0 && piece.p[piece.n - 1] == '\r')
			piece.n--;
		buf_add(out, piece);
	}
}

bool
header_get(struct span header, struct span name, struct span *value_out)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, header, 5000, SIZE_MAX);
	while (header_next(&it, &f)) {
		if (f.name.n == name.n && name.n > 0 && span_ieq(f.name, name)) {
			*value_out = f.value;
			return true;
		}
	}
	return false;
}

static bool
is_named(struct span name, const struct span *names, size_t count)
{
	if (name.n == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (names[i].n == name.n && ascii_lower(names[i].p[0]) == ascii_lower(name.p[0]) &&
			span_ieq(names[i], name))
			return true;
	}
	return false;
}

void
header_field_write(struct buf *out, struct span raw)
{
	size_t start = out->n;

	crlf_add(out, raw);
	if (raw.n > 0 && raw.p[raw.n - 1] != '\n')	/* the text ended within the field */
		buf_add(out, raw.p[raw.n - 1] == '\r' ? SPAN("\n") : SPAN("\r\n"));
	if (out->n > start)
		crlf_mask_nuls(out->p + start, out->n - start);
}

void
header_fields_write(struct buf *out, struct span header, const struct span *names, size_t count, bool invert,
	size_t max_fields, size_t max_octets)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, header, max_fields, max_octets);
	while (header_next(&it, &f)) {
		if (is_named(f.name, names, count) != invert)
			header_field_write(out, f.raw);
	}
	if (it.truncated && invert) {
		struct span rest = span_from(header, it.pos);

		rest.n = header_size(rest);
		if (span_ends(rest, SPAN("\n\r\n")))
			rest.n -= 2;
		else if (span_ends(rest, SPAN("\n\n")))
			rest.n -= 1;
		header_field_write(out, rest);
	}
	buf_add(out, SPAN("\r\n"));
}
