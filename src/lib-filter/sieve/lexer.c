/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/lexer.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/encode.h"

#define NUMBER_MAX UINT64_MAX

int
sieve_error_set(struct sieve_error *e, unsigned line, const char *fmt, ...)
{
	size_t pos = 0, at;
	struct span text;
	uint32_t cp;
	va_list ap;

	e->line = line;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	/* It quotes the script, and goes into logs and answers of one line, in UTF-8. */
	for (text = span_str(e->text); (at = pos) < text.n;)
		if (!utf8_next(text, &pos, &cp) || cp < ' ' || cp == 0x7f)
			e->text[at] = '?';
	return -1;
}

int
sieve_mistake(struct sieve_mistakes *m, unsigned line, const char *fmt, ...)
{
	char text[SIEVE_ERROR_MAX];
	struct sieve_error e;
	va_list ap;

	if (m->over)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (m->within.p != NULL)
		sieve_error_set(&e, line, "in the included script \"%.*s\": %.140s", SPAN_ARG(span_sub(m->within, 0, 40)), text);
	else
		sieve_error_set(&e, line, "%s", text);
	if (m->count++ == 0)
		m->first = e;
	if (m->tell != NULL)
		m->tell(m->ctx, &e);
	m->over = m->tell == NULL || m->count == SIEVE_MISTAKES_MAX;
	return -1;
}

int
sieve_mistake_last(struct sieve_mistakes *m, unsigned line, const char *text)
{
	sieve_mistake(m, line, "%s", text);
	m->over = true;
	return -1;
}

void
sieve_lexer_init(struct sieve_lexer *l, struct span script, struct arena *a, struct sieve_mistakes *mistakes)
{
	/* A byte order mark in front, as some editors leave it. */
	if (span_starts(script, SPAN("\xef\xbb\xbf")))
		script = span_from(script, 3);
	*l = (struct sieve_lexer){ .in = script, .a = a, .line = 1, .mistakes = mistakes };
}

static void
tell(struct sieve_lexer *l, const char *why)
{
	if (!l->quiet)
		sieve_mistake(l->mistakes, l->line, "%s", why);
}

/* Where the next token begins nobody knows. */
static void
lose(struct sieve_lexer *l, struct sieve_token *out, const char *why)
{
	tell(l, why);
	out->type = TOKEN_BAD;
	l->in = SPAN_NONE;
	l->lost = true;
}

static void
no_memory(struct sieve_lexer *l, struct sieve_token *out)
{
	sieve_mistake_last(l->mistakes, l->line, "the script is too large");
	out->type = TOKEN_BAD;
	l->in = SPAN_NONE;
	l->lost = true;
}

static void
step(struct sieve_lexer *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->line += l->in.p[i] == '\n';
	l->in = span_from(l->in, n);
}

/* White space and comments.  False: a comment has no end. */
static bool
skip(struct sieve_lexer *l)
{
	for (;;) {
		size_t n = 0;

		while (n < l->in.n && (ascii_is_wsp(l->in.p[n]) || l->in.p[n] == '\r' || l->in.p[n] == '\n'))
			n++;
		step(l, n);
		if (l->in.n > 0 && l->in.p[0] == '#') {
			step(l, span_chr(l->in, '\n'));
		} else if (span_starts(l->in, SPAN("/*"))) {
			n = span_find(span_from(l->in, 2), SPAN("*/"));
			if (n == SIZE_MAX)
				return false;
			step(l, n + 4);
		} else {
			return true;
		}
	}
}

static bool
is_word(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_';
}

static struct span
take_word(struct sieve_lexer *l)
{
	size_t n = 0;
	struct span word;

	while (n < l->in.n && is_word(l->in.p[n]))
		n++;
	word = span_sub(l->in, 0, n);
	step(l, n);
	return word;
}

/* number = 1*DIGIT [ "K" / "M" / "G" ] */
static void
take_number(struct sieve_lexer *l, struct sieve_token *out)
{
	bool fits = true;
	unsigned shift = 0;
	size_t n = 0;

	out->type = TOKEN_NUMBER;
	for (; n < l->in.n && ascii_is_digit(l->in.p[n]); n++) {
		uint64_t digit = (uint64_t)(l->in.p[n] - '0');

		fits = fits && out->number <= (NUMBER_MAX - digit) / 10;
		out->number = fits ? out->number * 10 + digit : 0;
	}
	if (n < l->in.n) {
		char unit = ascii_upper(l->in.p[n]);

		shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
		n += shift > 0;
	}
	fits = fits && out->number <= NUMBER_MAX >> shift;
	if (n < l->in.n && is_word(l->in.p[n])) {
		tell(l, fits ? "a number ends with K, M, G or its last digit" : "the number is too large");
		while (n < l->in.n && is_word(l->in.p[n]))
			n++;
	} else if (!fits) {
		tell(l, "the number is too large");
	}
	out->number = fits ? out->number << shift : 0;
	step(l, n);
}

/* A backslash makes the octet behind it mean itself. */
static void
take_quoted(struct sieve_lexer *l, struct sieve_token *out)
{
	size_t end = 1, n = 0, escapes = 0, lines = 0;
	bool nul = false;
	char *room;

	out->type = TOKEN_STRING;
	while (end < l->in.n && l->in.p[end] != '"') {
		if (l->in.p[end] == '\0' && !nul) {
			nul = true;
			tell(l, "there is a NUL in a string");
		}
		if (l->in.p[end] == '\\' && end + 1 < l->in.n) {
			escapes++;
			end++;
		}
		lines += l->in.p[end] == '\n';
		end++;
	}
	if (end >= l->in.n) {
		l->quiet = l->quiet || nul;	/* one of the two is enough */
		lose(l, out, "a string has no end");
		return;
	}
	out->text = span_sub(l->in, 1, end - 1);
	/* A line end is CRLF (RFC 5228 section 2.4.2), in a script that was written to a file too. */
	if (escapes + lines > 0) {
		room = arena_alloc(l->a, out->text.n + lines, 1);
		if (room == NULL) {
			no_memory(l, out);
			return;
		}
		for (size_t i = 0; i < out->text.n; i++) {
			if (out->text.p[i] == '\\')
				i++;
			if (out->text.p[i] == '\n' && (n == 0 || room[n - 1] != '\r'))
				room[n++] = '\r';
			room[n++] = out->text.p[i];
		}
		out->text = span_of(room, n);
	}
	step(l, end + 1);
}

/* Whether line is the one that ends a text:; the last of a script may have no line end. */
static bool
is_dot(struct span line)
{
	return span_eq(line, SPAN(".\n")) || span_eq(line, SPAN(".\r\n")) ||
	    (span_chr(line, '\n') == line.n && span_eq(span_trim(line), SPAN(".")));
}

/* Octets of in before the line with the dot, and how many lines they are.  False: there is no such line. */
static bool
find_dot(struct span in, size_t *octets_out, size_t *lines_out)
{
	size_t lines = 0;

	for (struct span rest = in; rest.n > 0; lines++) {
		struct span line = span_sub(rest, 0, span_chr(rest, '\n') + 1);

		if (is_dot(line)) {
			*octets_out = in.n - rest.n;
			*lines_out = lines;
			return true;
		}
		rest = span_from(rest, line.n);
	}
	return false;
}

/* "text:" *(SP / HTAB) (hash-comment / CRLF) lines "." CRLF, where lines that begin with a dot have another in front. */
static void
take_multiline(struct sieve_lexer *l, struct sieve_token *out)
{
	size_t n = 0, octets, lines;
	struct span text;
	char *room;

	out->type = TOKEN_STRING;
	while (l->in.n > 0 && ascii_is_wsp(l->in.p[0]))
		step(l, 1);
	if (l->in.n > 0 && l->in.p[0] == '#')
		step(l, span_chr(l->in, '\n'));
	if (span_starts(l->in, SPAN("\r\n")))
		step(l, 1);
	if (l->in.n == 0 || l->in.p[0] != '\n') {
		tell(l, "text: is followed by a new line");
		/* Its lines are no commands all the same, if they end. */
		octets = span_chr(l->in, '\n');
		l->no_dot = l->no_dot || !find_dot(span_from(l->in, octets), &n, &lines);
		if (l->no_dot || octets >= l->in.n) {
			out->type = TOKEN_BAD;
			return;
		}
		n = 0;
		step(l, octets);
	}
	if (!find_dot(span_from(l->in, 1), &octets, &lines)) {
		lose(l, out, "a text: has no end");
		return;
	}
	step(l, 1);
	text = span_sub(l->in, 0, octets);
	if (octets > 0 && memchr(text.p, '\0', octets) != NULL)
		tell(l, "there is a NUL in a text:");
	/* A line end is CRLF, as above: an octet more a line at most. */
	room = arena_alloc(l->a, octets + lines + 1, 1);
	if (room == NULL) {
		no_memory(l, out);
		return;
	}
	while (text.n > 0) {
		size_t end = span_chr(text, '\n');
		struct span line = span_sub(text, 0, end);

		if (span_ends(line, SPAN("\r")))
			line.n--;
		if (span_starts(line, SPAN("..")))
			line = span_from(line, 1);
		memcpy(room + n, line.p, line.n);
		memcpy(room + n + line.n, "\r\n", 2);
		n += line.n + 2;
		text = span_from(text, end + 1);
	}
	step(l, octets);
	step(l, span_sub(l->in, 0, span_chr(l->in, '\n') + 1).n);
	out->text = span_of(room, n);
}

/* How many octets of in are no beginning of any token: they are one mistake with that before them. */
static size_t
octets_between(struct span in)
{
	size_t n = 0;

	while (n < in.n && !is_word(in.p[n]) && (in.p[n] == '\0' || strchr(" \t\r\n\"()[]{},;:#/", in.p[n]) == NULL))
		n++;
	return n;
}

void
sieve_lexer_next(struct sieve_lexer *l, struct sieve_token *out)
{
	char c;

	*out = (struct sieve_token){ .line = l->line };
	if (!skip(l)) {
		lose(l, out, "a comment has no end");
		return;
	}
	out->line = l->line;
	if (l->in.n == 0 || l->mistakes->over) {
		l->lost = l->lost || l->mistakes->over;
		out->type = TOKEN_END;
		return;
	}
	c = l->in.p[0];
	if (ascii_is_digit(c)) {
		take_number(l, out);
	} else if (is_word(c)) {
		out->type = TOKEN_IDENTIFIER;
		out->text = take_word(l);
		if (span_ieq(out->text, SPAN("text")) && l->in.n > 0 && l->in.p[0] == ':') {
			step(l, 1);
			take_multiline(l, out);
		}
	} else if (c == ':' && l->in.n > 1 && is_word(l->in.p[1]) && !ascii_is_digit(l->in.p[1])) {
		step(l, 1);
		out->type = TOKEN_TAG;
		out->text = take_word(l);
	} else if (c == '"') {
		take_quoted(l, out);
	} else if (strchr("()[]{},;", c) != NULL && c != '\0') {
		out->type = TOKEN_MARK;
		out->text = span_sub(l->in, 0, 1);
		step(l, 1);
	} else {
		tell(l, "an octet that can not be here");
		out->type = TOKEN_BAD;
		step(l, 1 + octets_between(span_from(l->in, 1)));
	}
}
