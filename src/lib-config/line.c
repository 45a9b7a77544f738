/* SPDX-License-Identifier: MIT */
#include "lib-config/line.h"
#include "lib/buf.h"

static bool
is_white(char c)
{
	return ascii_is_wsp(c) || c == '\r';
}

static struct span
skip_white(struct span s)
{
	size_t i = 0;

	while (i < s.n && is_white(s.p[i]))
		i++;
	return span_from(s, i);
}

static struct span
take_word(struct span *rest, bool stop_at_equals)
{
	struct span word = *rest;
	size_t i = 0;

	while (i < word.n && !is_white(word.p[i]) && !(stop_at_equals && word.p[i] == '='))
		i++;
	*rest = skip_white(span_from(word, i));
	return span_sub(word, 0, i);
}

/* Cuts a comment off; *ambiguous_out when no white space stood before it. */
static struct span
cut_comment(struct span s, bool *ambiguous_out)
{
	char quote = '\0';

	for (size_t i = 0; i < s.n; i++) {
		if (quote != '\0' && s.p[i] == '\\')
			i++;
		else if (quote != '\0' && s.p[i] == quote)
			quote = '\0';
		else if (quote == '\0' && (s.p[i] == '"' || s.p[i] == '\''))
			quote = s.p[i];
		else if (quote == '\0' && s.p[i] == '#') {
			*ambiguous_out = i > 0 && !is_white(s.p[i - 1]);
			return span_sub(s, 0, i);
		}
	}
	return s;
}

static struct span
unescape(struct arena *arena, struct span s)
{
	char *copy;
	size_t n = 0;

	if (span_chr(s, '\\') == s.n)
		return s;
	copy = arena_alloc(arena, s.n, 1);
	if (copy == NULL)
		return SPAN_NONE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		copy[n++] = s.p[i];
	}
	return span_of(copy, n);
}

static void
bad(struct line *out, const char *problem)
{
	out->type = LINE_BAD;
	out->problem = problem;
}

static void
parse_value(struct span rest, struct arena *arena, struct line *out)
{
	out->type = LINE_SET;
	out->value = rest;
	if (rest.n > 0 && rest.p[0] == '<') {
		out->type = LINE_SET_FILE;
		out->value = skip_white(span_from(rest, 1));
	} else if (rest.n > 1 && (rest.p[0] == '"' || rest.p[0] == '\'') && rest.p[rest.n - 1] == rest.p[0]) {
		out->quoted = true;
		out->value = unescape(arena, span_sub(rest, 1, rest.n - 2));
		if (out->value.p == NULL)
			bad(out, "the configuration takes too much memory");
	}
	if (out->type == LINE_SET && out->value.p == NULL)
		out->value = SPAN("");
}

/* What follows the type of a block: a name, quoted or not, and the brace. */
static void
parse_open(struct span rest, struct arena *arena, struct line *out)
{
	size_t end;

	out->type = LINE_OPEN;
	out->value = SPAN("");
	if (rest.n > 0 && (rest.p[0] == '"' || rest.p[0] == '\'')) {
		for (end = 1; end < rest.n && rest.p[end] != rest.p[0]; end++) {
			if (rest.p[end] == '\\')
				end++;
		}
		if (end >= rest.n)
			return bad(out, "the quoted name has no end");
		out->value = unescape(arena, span_sub(rest, 1, end - 1));
		out->quoted = true;
		rest = skip_white(span_from(rest, end + 1));
	} else if (rest.n > 0 && rest.p[0] != '{') {
		out->value = take_word(&rest, false);
	}
	if (rest.n == 0)
		return bad(out, "expected '=' or '{'");
	if (rest.p[0] != '{')
		return bad(out, "expected '{'");
	if (rest.n > 1)
		bad(out, "there is something behind '{': it must end the line");
}

static void
parse_line(struct span text, struct arena *arena, struct line *out)
{
	struct span rest = text;

	if (memchr(text.p, '\0', text.n) != NULL)
		return bad(out, "there is a NUL in the line");
	out->key = take_word(&rest, true);
	if (span_eq(out->key, SPAN("!include")) || span_eq(out->key, SPAN("!include_try"))) {
		out->type = span_eq(out->key, SPAN("!include")) ? LINE_INCLUDE : LINE_INCLUDE_TRY;
		out->value = rest;
		if (rest.n == 0)
			bad(out, "which file is to be included?");
	} else if (rest.n > 0 && rest.p[0] == '=') {
		parse_value(skip_white(span_from(rest, 1)), arena, out);
		if (out->key.n == 0)
			bad(out, "there is nothing before '='");
	} else if (span_eq(out->key, SPAN("}")) && rest.n == 0) {
		out->type = LINE_CLOSE;
	} else {
		parse_open(rest, arena, out);
	}
}

void
line_reader_init(struct line_reader *r, struct span text)
{
	/* Editors of another system put a byte order mark there. */
	r->rest = span_starts(text, SPAN("\xef\xbb\xbf")) ? span_from(text, 3) : text;
	r->number = 0;
}

/* One line, or several that are joined, without comments; empty for nothing.  False at the end of the text. */
static bool
gather(struct line_reader *r, struct buf *joined, struct span *text_out, struct line *out)
{
	struct span piece;
	bool continues, ambiguous = false;

	while (span_next(&r->rest, '\n', &piece)) {
		r->number++;
		piece = span_trim(piece);
		if (piece.n == 0 || piece.p[0] == '#')
			continue;	/* also between joined lines */
		piece = span_trim(cut_comment(piece, &ambiguous));
		out->hash_ambiguous |= ambiguous;
		if (out->number == 0)
			out->number = r->number;
		continues = span_ends(piece, SPAN("\\"));
		if (!continues && joined->n == 0) {
			*text_out = piece;
			return true;
		}
		buf_add(joined, continues ? span_trim(span_sub(piece, 0, piece.n - 1)) : piece);
		if (!continues)
			break;
		buf_addc(joined, ' ');
	}
	*text_out = span_trim(buf_span(joined));
	return joined->n > 0 || joined->failed;
}

bool
line_next(struct line_reader *r, struct arena *arena, struct line *out)
{
	struct buf joined = BUF_INIT(LINE_MAX_LENGTH);
	struct span text = SPAN_NONE;
	bool found;

	memset(out, 0, sizeof(*out));
	out->key = out->value = SPAN("");
	do {
		buf_reset(&joined);
		found = gather(r, &joined, &text, out);
	} while (found && text.n == 0 && !joined.failed);
	if (found && (joined.failed || text.n > LINE_MAX_LENGTH)) {
		bad(out, "the line is too long");
	} else if (found) {
		if (joined.n > 0)
			text = arena_dup(arena, text);
		if (text.p == NULL)
			bad(out, "the configuration takes too much memory");
		else
			parse_line(text, arena, out);
	}
	buf_clear(&joined);
	return found;
}
