/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-token.h"

#include "lib-protocol/imap-literal.h"

/* ATOM-CHAR: what is not an atom-special. */
static bool
is_atom_char(char ch)
{
	unsigned char c = (unsigned char)ch;

	if (c <= ' ' || c >= 0x7f)
		return false;
	switch (c) {
	case '(': case ')': case '{': case '%': case '*': case '"': case '\\': case ']':
		return false;
	}
	return true;
}

static bool
is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

static bool
is_list_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

static bool
is_tag_char(char c)
{
	return is_astring_char(c) && c != '+';
}

static bool
is_set_char(char c)
{
	return ascii_is_digit(c) || c == ':' || c == ',' || c == '*';
}

bool
imap_fail(struct imap_in *in, const char *why)
{
	in->why = why;
	return false;
}

static bool
lacks(struct imap_in *in, const char *why)
{
	return imap_fail(in, in->s.n == 0 ? "Missing arguments" : why);
}

static struct span
advance(struct imap_in *in, size_t n)
{
	struct span piece = span_of(in->s.p, n);

	in->s = span_from(in->s, n);
	return piece;
}

static bool
take_while(struct imap_in *in, bool (*is)(char), struct span *out)
{
	size_t i = 0;

	while (i < in->s.n && is(in->s.p[i]))
		i++;
	if (i == 0)
		return false;
	*out = advance(in, i);
	return true;
}

bool
imap_take(struct imap_in *in, char c)
{
	if (!imap_peek(in, c))
		return imap_fail(in, c == '(' ? "Expected a list" : c == ')' ? "Expected the end of a list" :
		    "Unexpected character");
	advance(in, 1);
	return true;
}

bool
imap_sp(struct imap_in *in)
{
	size_t i = 0;

	while (i < in->s.n && in->s.p[i] == ' ')
		i++;
	if (i == 0)
		return imap_fail(in, in->s.n == 0 ? "Missing arguments" : "Expected a space");
	advance(in, i);
	return true;
}

bool
imap_end(struct imap_in *in)
{
	for (size_t i = 0; i < in->s.n; i++)
		if (in->s.p[i] != ' ')
			return imap_fail(in, "Unexpected extra arguments");
	in->s.n = 0;
	return true;
}

bool
imap_atom(struct imap_in *in, struct span *out)
{
	return take_while(in, is_atom_char, out) || lacks(in, "Expected a word");
}

bool
imap_word(struct imap_in *in, struct span word)
{
	struct imap_in ahead = *in;
	struct span atom;

	if (!imap_atom(&ahead, &atom) || !span_ieq(atom, word))
		return imap_fail(in, "Unexpected argument");
	*in = ahead;
	return true;
}

bool
imap_tag(struct imap_in *in, struct span *out)
{
	return take_while(in, is_tag_char, out) || imap_fail(in, "Invalid tag");
}

bool
imap_number(struct imap_in *in, uint64_t max, uint64_t *out)
{
	size_t i = 0;

	while (i < in->s.n && ascii_is_digit(in->s.p[i]))
		i++;
	if (i == 0)
		return imap_fail(in, "Expected a number");
	if (!span_u64(span_of(in->s.p, i), max, out))
		return imap_fail(in, "Number is too large");
	advance(in, i);
	return true;
}

/*
 * quoted = DQUOTE *QUOTED-CHAR DQUOTE.  Octets above 127 are let pass (search strings in UTF-8); a backslash before
 * anything but itself and the quote too, meaning what follows.
 */
static bool
take_quoted(struct imap_in *in, struct span *out)
{
	struct span s = in->s;
	size_t i, escapes = 0;
	char *copy;

	for (i = 1; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
			return imap_fail(in, "Invalid character in a quoted string");
		if (s.p[i] == '\\') {
			escapes++;
			if (++i == s.n || s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
				return imap_fail(in, "Invalid character in a quoted string");
		}
	}
	if (i >= s.n)
		return imap_fail(in, "Missing '\"'");
	if (escapes == 0) {
		*out = span_of(s.p + 1, i - 1);
		advance(in, i + 1);
		return true;
	}
	copy = arena_alloc(in->a, i, 1);
	if (copy == NULL)
		return imap_fail(in, "Too long string");
	*out = span_of(copy, i - 1 - escapes);
	for (size_t from = 1, to = 0; from < i; from++) {
		if (s.p[from] == '\\')
			from++;
		copy[to++] = s.p[from];
	}
	advance(in, i + 1);
	return true;
}

bool
imap_string(struct imap_in *in, struct span *out)
{
	struct imap_literal lit;
	size_t used;

	if (imap_peek(in, '"'))
		return take_quoted(in, out);
	if (!imap_peek(in, '{'))
		return lacks(in, "Expected a string");
	if (imap_literal_parse(in->s, in->s.n, &lit, &used) != PARSE_DONE || lit.size > in->s.n - used)
		return imap_fail(in, "Invalid literal");
	if (span_chr(span_sub(in->s, used, (size_t)lit.size), '\0') < lit.size)
		return imap_fail(in, "NULs are not allowed");
	advance(in, used);
	*out = advance(in, (size_t)lit.size);
	return true;
}

bool
imap_astring(struct imap_in *in, struct span *out)
{
	if (imap_peek(in, '"') || imap_peek(in, '{'))
		return imap_string(in, out);
	return take_while(in, is_astring_char, out) || lacks(in, "Expected a string");
}

bool
imap_nstring(struct imap_in *in, struct span *out)
{
	if (imap_word(in, SPAN("NIL"))) {
		*out = SPAN_NONE;
		return true;
	}
	return imap_string(in, out);
}

bool
imap_list_mailbox(struct imap_in *in, struct span *out)
{
	if (imap_peek(in, '"') || imap_peek(in, '{'))
		return imap_string(in, out);
	return take_while(in, is_list_char, out) || lacks(in, "Expected a mailbox pattern");
}

bool
imap_flag(struct imap_in *in, struct span *out)
{
	struct imap_in ahead = *in;
	struct span atom;
	const char *start = in->s.p;

	if (imap_peek(in, '\\'))
		advance(&ahead, 1);
	if (!imap_atom(&ahead, &atom))
		return imap_fail(in, "Expected a flag");
	*in = ahead;
	*out = span_of(start, (size_t)(atom.p + atom.n - start));
	return true;
}

bool
imap_set_text(struct imap_in *in, struct span *out)
{
	return take_while(in, is_set_char, out) || imap_fail(in, "Invalid messageset");
}

bool
imap_is_atom(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_atom_char(s.p[i]))
			return false;
	return s.n > 0;
}
