/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_LEX_H
#define CULVER_LIB_MAIL_LEX_H
/* The pieces of structured fields (RFC 5322 section 3.2): each takes what it names off the front of *s. */
#include "lib/span.h"

/* White space, line ends and comments.  Nesting is a counter, so that a mail of parentheses costs no stack. */
static inline void
lex_cfws(struct span *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (depth == 0 && !ascii_is_wsp(c) && c != '\r' && c != '\n')
			break;
	}
	*s = span_from(*s, i);
}

/* c, behind white space and comments. */
static inline bool
lex_char(struct span *s, char c)
{
	lex_cfws(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* Octets up to white space, a line end, a NUL, or one of the octets in `stops`; may be empty. */
static inline struct span
lex_until(struct span *s, const char *stops)
{
	struct span out = *s;
	size_t i = 0;

	while (i < s->n && !ascii_is_wsp(s->p[i]) && s->p[i] != '\r' && s->p[i] != '\n' &&
		strchr(stops, s->p[i]) == NULL)
		i++;
	out.n = i;
	*s = span_from(*s, i);
	return out;
}
#endif
