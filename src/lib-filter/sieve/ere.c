/* SPDX-License-Identifier: MIT */
/* From POSIX extended regular expressions to those of PCRE2 (IEEE 1003.1, section 9.4). */
#include "lib-filter/sieve/regex.h"

#include <stdio.h>

#include "lib/encode.h"

#define DEPTH_MAX 100
#define REPEAT_MAX 255			/* RE_DUP_MAX */

struct ere {
	struct span in;
	size_t pos;
	struct buf *out;
	bool fold, utf8, backrefs;
	unsigned depth;
	size_t groups;
	bool have_atom, repeated;	/* there is something to repeat; it is repeated already */
	size_t atom;			/* where it begins in out */
	size_t open[DEPTH_MAX];		/* where the open groups begin */
};

static bool
more(const struct ere *x)
{
	return x->pos < x->in.n;
}

static char
peek(const struct ere *x, size_t ahead)
{
	return x->pos + ahead < x->in.n ? x->in.p[x->pos + ahead] : '\0';
}

/* One character as itself. */
static void
put_literal(struct ere *x, uint32_t cp)
{
	char c = (char)cp;

	if (x->fold && cp < 0x80 && ascii_is_alpha(c)) {
		buf_addc(x->out, '[');
		buf_addc(x->out, ascii_lower(c));
		buf_addc(x->out, ascii_upper(c));
		buf_addc(x->out, ']');
	} else if (cp < 0x20) {
		buf_addf(x->out, "\\x{%x}", (unsigned)cp);
	} else if (cp < 0x80) {
		if (!ascii_is_alpha(c) && !ascii_is_digit(c))
			buf_addc(x->out, '\\');
		buf_addc(x->out, c);
	} else {
		buf_addf(x->out, "\\x{%x}", (unsigned)cp);
	}
}

static uint32_t
next_char(struct ere *x)
{
	uint32_t cp;

	if (!x->utf8 || !utf8_next(x->in, &x->pos, &cp)) {
		if (x->utf8)
			return 0xfffd;
		cp = (unsigned char)x->in.p[x->pos++];
	}
	return cp;
}

/* "[:name:]" in a bracket, behind "[:".  With fold "upper" is any letter. */
static const char *
bracket_class(struct ere *x)
{
	static const char *const names[] = { "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print",
	    "graph", "cntrl", "xdigit" };
	struct span rest = span_from(x->in, x->pos), name = span_sub(rest, 0, span_find(rest, SPAN(":]")));

	if (name.n == rest.n)
		return "a class of characters has no end";
	x->pos += name.n + 2;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(name, span_str(names[i]))) {
			buf_addf(x->out, "[:%s:]", x->fold && (i == 3 || i == 4) ? "alpha" : names[i]);
			return NULL;
		}
	return "there is no such class of characters";
}

/* The end of a range, or a character alone: "a", "[.a.]", "[=a=]".  1; 0 for the closing bracket; -1: none. */
static const char *
bracket_char(struct ere *x, uint32_t *out)
{
	char kind = peek(x, 1);

	if (peek(x, 0) == '[' && (kind == '.' || kind == '=')) {
		x->pos += 2;
		if (!more(x))
			return "a bracket has no end";
		*out = next_char(x);
		if (peek(x, 0) != kind || peek(x, 1) != ']')
			return "there is no such collating element";
		x->pos += 2;
		return NULL;
	}
	*out = next_char(x);
	return NULL;
}

static void
put_range(struct ere *x, uint32_t from, uint32_t to)
{
	buf_addf(x->out, "\\x{%x}", (unsigned)from);
	if (to != from)
		buf_addf(x->out, "-\\x{%x}", (unsigned)to);
}

/* The range, and with fold the letters in it in their other case. */
static void
put_folded(struct ere *x, uint32_t from, uint32_t to)
{
	put_range(x, from, to);
	for (int upper = 0; upper < 2 && x->fold; upper++) {
		uint32_t a = upper ? 'A' : 'a', z = upper ? 'Z' : 'z', lo = from > a ? from : a, hi = to < z ? to : z;

		if (lo <= hi)
			put_range(x, lo ^ 0x20, hi ^ 0x20);
	}
}

static const char *
bracket(struct ere *x)
{
	const char *bad;
	bool first = true;

	buf_addc(x->out, '[');
	if (peek(x, 0) == '^') {
		buf_addc(x->out, '^');
		x->pos++;
	}
	for (; more(x) && (peek(x, 0) != ']' || first); first = false) {
		uint32_t from, to;

		if (peek(x, 0) == '[' && peek(x, 1) == ':') {
			x->pos += 2;
			if ((bad = bracket_class(x)) != NULL)
				return bad;
			continue;
		}
		if ((bad = bracket_char(x, &from)) != NULL)
			return bad;
		to = from;
		if (peek(x, 0) == '-' && x->pos + 1 < x->in.n && peek(x, 1) != ']') {
			x->pos++;
			if ((bad = bracket_char(x, &to)) != NULL)
				return bad;
			if (to < from)
				return "a range of characters ends before it begins";
		}
		put_folded(x, from, to);
	}
	if (!more(x))
		return "a bracket has no end";
	x->pos++;
	buf_addc(x->out, ']');
	return NULL;
}

/* A number of at most three digits; false: there is none. */
static bool
number(struct ere *x, unsigned *out)
{
	unsigned v = 0, digits = 0;

	for (; ascii_is_digit(peek(x, 0)) && digits < 4; digits++)
		v = v * 10 + (unsigned)(x->in.p[x->pos++] - '0');
	*out = v;
	return digits > 0;
}

/* "{m}", "{m,}", "{m,n}" behind the brace. */
static const char *
interval(struct ere *x, char room[24])
{
	unsigned from = 0, to;
	bool have = number(x, &from), open = false;

	to = from;
	if (peek(x, 0) == ',') {
		x->pos++;
		open = !number(x, &to);
		have = have || !open;
	}
	if (!have || peek(x, 0) != '}' || from > REPEAT_MAX || (!open && (to > REPEAT_MAX || to < from)))
		return "the numbers of a repetition are wrong";
	x->pos++;
	if (open)
		snprintf(room, 24, "{%u,}", from);
	else
		snprintf(room, 24, "{%u,%u}", from, to);
	return NULL;
}

/* What is repeated already becomes a group: "a+?" is no lazy "a+" here, and "a++" gives nothing up. */
static void
repeat(struct ere *x, const char *how)
{
	if (x->repeated) {
		size_t end = x->out->n;

		buf_adds(x->out, "(?:)");
		if (x->out->failed)
			return;
		memmove(x->out->p + x->atom + 3, x->out->p + x->atom, end - x->atom);
		memcpy(x->out->p + x->atom, "(?:", 3);
		x->out->p[end + 3] = ')';
	}
	buf_adds(x->out, how);
	x->repeated = true;
}

static const char *
quantifier(struct ere *x, char c)
{
	char room[24] = { c, '\0' };
	const char *bad = c == '{' ? interval(x, room) : NULL;

	if (bad != NULL)
		return bad;
	if (!x->have_atom)
		return "there is nothing to repeat";
	repeat(x, room);
	return NULL;
}

static const char *
escape(struct ere *x)
{
	static const struct {
		char c;
		const char *is;
		bool atom;
	} words[] = {
		{ 'w', "\\w", true }, { 'W', "\\W", true }, { 's', "\\s", true }, { 'S', "\\S", true }, { 'b', "\\b", false },
		{ 'B', "\\B", false }, { '<', "\\b(?=\\w)", false }, { '>', "\\b(?<=\\w)", false }, { '`', "\\A", false },
		{ '\'', "\\z", false },
	};
	char c = peek(x, 0);

	if (!more(x))
		return "it ends with a backslash";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].c == c) {
			x->pos++;
			buf_adds(x->out, words[i].is);
			x->have_atom = words[i].atom;
			return NULL;
		}
	if (c >= '1' && c <= '9') {
		x->pos++;
		if ((size_t)(c - '0') > x->groups)
			return "there is no group of that number before it";
		x->backrefs = true;
		buf_addf(x->out, "\\g{%c}", c);
		return NULL;
	}
	put_literal(x, next_char(x));
	return NULL;
}

/* One element.  Sets have_atom for what may be repeated. */
static const char *
element(struct ere *x)
{
	char c = peek(x, 0);

	if (c == '*' || c == '+' || c == '?' || c == '{') {
		x->pos++;
		return quantifier(x, c);
	}
	if (c == ')' && x->depth > 0) {
		x->pos++;
		buf_addc(x->out, ')');
		x->depth--;
		if (x->depth < DEPTH_MAX)
			x->atom = x->open[x->depth];
		x->have_atom = true;
		x->repeated = false;
		return NULL;
	}
	x->atom = x->out->n;
	x->have_atom = false;
	x->repeated = false;
	switch (c) {
	case '(':
		if (x->depth == DEPTH_MAX)
			return "groups are nested too deeply";
		x->open[x->depth++] = x->out->n;
		x->groups++;
		break;
	case '|':
	case '^':
	case '$':
		break;
	case '[':
		x->pos++;
		x->have_atom = true;
		return bracket(x);
	case '\\':
		x->pos++;
		x->have_atom = true;
		return escape(x);
	case '.':
		x->have_atom = true;
		break;
	default:
		x->have_atom = true;
		put_literal(x, next_char(x));
		return NULL;
	}
	x->pos++;
	buf_addc(x->out, c);
	return NULL;
}

const char *
sieve_regex_translate(struct buf *out, struct span ere, bool fold, bool utf8, bool *backrefs_out)
{
	struct ere x = { .in = ere, .out = out, .fold = fold, .utf8 = utf8 };
	const char *bad = NULL;

	if (ere.n > SIEVE_REGEX_MAX)
		return "it is too long";
	while (more(&x) && bad == NULL && !out->failed)
		bad = element(&x);
	*backrefs_out = x.backrefs;
	return bad != NULL ? bad : out->failed ? "it is too long" : x.depth > 0 ? "a group has no end" : NULL;
}
