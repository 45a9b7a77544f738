/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/lines.h"

/* The next line as it stands, its end taken off; false at the end of the text. */
static bool
raw_line(struct recipient_lines *it, struct span *out)
{
	struct span rest = span_from(it->text, it->used);
	size_t n = span_chr(rest, '\n');

	if (rest.n == 0)
		return false;
	it->used += n < rest.n ? n + 1 : n;
	it->line++;
	*out = span_sub(rest, 0, n > 0 && rest.p[n - 1] == '\r' ? n - 1 : n);
	return true;
}

static bool
is_blank(struct span line)
{
	line = span_trim(line);
	return line.n == 0 || line.p[0] == '#';
}

static bool
ends_open(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\\';
}

/*
 * Whether the text goes on with a part of the line, which is taken then.  What was passed over to no end is passed over once
 * more by who wants the next line.
 */
static bool
next_part(struct recipient_lines *it, bool open, struct span *out)
{
	struct recipient_lines start = *it;

	while (raw_line(it, out)) {
		if (open)
			return true;
		if (is_blank(*out))
			continue;
		if (it->apart || !ascii_is_wsp(out->p[0]))
			break;
		return true;
	}
	*it = start;
	return false;
}

static int
check(const struct recipient_lines *it, struct span part, size_t octets, struct err *e)
{
	if (octets > it->max)
		return err_set(e, ERR_LIMIT, "the line is longer than %zu octets", it->max);
	if (span_chr(part, '\0') < part.n)
		return err_set(e, ERR_SYNTAX, "a NUL");
	return 0;
}

/* A line is not understood: what goes on with it is passed over. */
static int
give_up(struct recipient_lines *it, struct span part, unsigned *line_out)
{
	*line_out = it->line;
	while (next_part(it, ends_open(part), &part))
		;
	return -1;
}

/* Measures first, then puts the parts together: a line of many parts is copied once. */
static int
join(struct recipient_lines *it, struct span first, struct arena *a, struct span *out, unsigned *line_out, struct err *e)
{
	struct recipient_lines back = *it;
	struct span part = first;
	bool open = ends_open(first);
	size_t octets = first.n, n = 0;
	char *text;

	while (next_part(it, open, &part)) {
		octets += part.n + 1;
		if (check(it, part, octets, e) == -1)
			return give_up(it, part, line_out);
		open = ends_open(part);
	}
	if (octets == first.n) {
		*out = span_trim(open ? span_sub(first, 0, first.n - 1) : first);
		return 0;
	}
	text = arena_alloc(a, octets + 1, 1);
	if (text == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*it = back;
	for (part = first;;) {
		struct span piece;

		open = ends_open(part);
		piece = span_trim(open ? span_sub(part, 0, part.n - 1) : part);
		if (n > 0 && piece.n > 0)
			text[n++] = ' ';
		if (piece.n > 0)
			memcpy(text + n, piece.p, piece.n);
		n += piece.n;
		if (!next_part(it, open, &part))
			break;
	}
	*out = span_of(text, n);
	return 0;
}

int
recipient_lines_next(struct recipient_lines *it, struct arena *a, struct span *out, unsigned *line_out, struct err *e)
{
	static const struct span mark = { "\xef\xbb\xbf", 3 };	/* which some editors begin a file of UTF-8 with */
	struct span line;

	if (it->used == 0 && span_starts(it->text, mark))
		it->used = mark.n;
	do {
		if (!raw_line(it, &line))
			return 0;
	} while (is_blank(line));
	*line_out = it->line;
	*out = SPAN("");
	if (!it->apart && ascii_is_wsp(line.p[0])) {
		err_set(e, ERR_SYNTAX, "the line begins with white space, and there is none before that it goes on with");
		return give_up(it, line, line_out);
	}
	*out = line;
	if (check(it, line, line.n, e) == -1)
		return give_up(it, line, line_out);
	return join(it, line, a, out, line_out, e) == -1 ? -1 : 1;
}

int
recipient_lines_each(struct recipient_lines *it, struct arena *a, recipient_take_line *take, recipient_take_line *bad, void *ctx,
    unsigned *line_out, struct err *e)
{
	struct span line;
	int rc;

	while ((rc = recipient_lines_next(it, a, &line, line_out, e)) != 0) {
		if (rc == 1 && take(ctx, line, *line_out, e) == 0)
			continue;
		if (bad == NULL || e->code == ERR_TEMP || bad(ctx, line, *line_out, e) == -1)
			return -1;
		*e = (struct err)ERR_INIT;
	}
	return 0;
}
