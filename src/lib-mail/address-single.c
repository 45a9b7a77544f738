/* SPDX-License-Identifier: MIT */
#include "lib-mail/address-single.h"

/*
 *	address   = [cfws] (addr-spec / [phrase] "<" addr-spec ">") [cfws]	(RFC 5322 section 3.4)
 *	addr-spec = [cfws] local [cfws] "@" [cfws] domain [cfws]
 *	local     = 1*(atext / ".") / quoted-string
 *	domain    = label *("." label) / "[" 1*dtext "]"
 *	phrase    = 1*(atom / "." / quoted-string / cfws), with letters beyond ASCII
 */

static bool
is_atext(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_label(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

static bool
take(struct span *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

/* At a "(": behind its ")".  False: there is none. */
static bool
skip_comment(struct span *in)
{
	size_t depth = 0, i = 0;

	for (; i < in->n; i++) {
		if (in->p[i] == '\\')
			i++;
		else if (in->p[i] == '(')
			depth++;
		else if (in->p[i] == ')' && --depth == 0)
			break;
	}
	if (i >= in->n)
		return false;
	*in = span_from(*in, i + 1);
	return true;
}

static bool
skip_cfws(struct span *in)
{
	while (in->n > 0 && (ascii_is_wsp(in->p[0]) || in->p[0] == '\r' || in->p[0] == '\n' || in->p[0] == '('))
		if (in->p[0] != '(')
			*in = span_from(*in, 1);
		else if (!skip_comment(in))
			return false;
	return true;
}

/* At a DQUOTE; out gets what is between them, without backslashes.  eight: also letters beyond ASCII. */
static bool
take_quoted(struct span *in, struct buf *out, bool eight)
{
	size_t i = 1;

	for (; i < in->n && in->p[i] != '"'; i++) {
		if (in->p[i] == '\\' && ++i == in->n)
			return false;
		if ((unsigned char)in->p[i] < ' ' || in->p[i] == 0x7f || (!eight && ((unsigned char)in->p[i] & 0x80) != 0))
			return false;
		buf_addc(out, in->p[i]);
	}
	if (i >= in->n)
		return false;
	*in = span_from(*in, i + 1);
	return true;
}

static bool
is_dot_atom(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_atext(s.p[i]) && (s.p[i] != '.' || i == 0 || i + 1 == s.n || s.p[i - 1] == '.'))
			return false;
	return s.n > 0;
}

static bool
take_local(struct span *in, struct buf *out)
{
	struct buf text = BUF_INIT(ADDRESS_SINGLE_MAX);
	struct span local;
	size_t n = 0;
	bool ok = true;

	if (in->n == 0 || in->p[0] != '"') {
		while (n < in->n && (is_atext(in->p[n]) || in->p[n] == '.'))
			n++;
		buf_add(out, span_sub(*in, 0, n));
		*in = span_from(*in, n);
		return n > 0;
	}
	ok = take_quoted(in, &text, false) && text.n > 0 && !text.failed;
	local = buf_span(&text);
	if (ok && is_dot_atom(local)) {
		buf_add(out, local);
	} else if (ok) {
		buf_addc(out, '"');
		for (size_t i = 0; i < local.n; i++) {
			if (local.p[i] == '"' || local.p[i] == '\\')
				buf_addc(out, '\\');
			buf_addc(out, local.p[i]);
		}
		buf_addc(out, '"');
	}
	buf_clear(&text);
	return ok;
}

static bool
take_domain(struct span *in, struct buf *out)
{
	size_t n = 0;

	if (in->n > 0 && in->p[0] == '[') {
		for (n = 1; n < in->n && in->p[n] != ']'; n++)
			if (in->p[n] <= ' ' || in->p[n] > '~' || in->p[n] == '[' || in->p[n] == '\\')
				return false;
		if (n >= in->n || n == 1)
			return false;
		n++;
	} else {
		while (n < in->n && (is_label(in->p[n]) || (in->p[n] == '.' && n > 0 && in->p[n - 1] != '.')))
			n++;
		if (n == 0 || in->p[n - 1] == '.')
			return false;
	}
	buf_add(out, span_sub(*in, 0, n));
	*in = span_from(*in, n);
	return true;
}

static bool
take_address(struct span *in, struct buf *out)
{
	if (!skip_cfws(in) || !take_local(in, out) || !skip_cfws(in) || !take(in, '@') || !skip_cfws(in))
		return false;
	buf_addc(out, '@');
	return take_domain(in, out) && skip_cfws(in);
}

/* Behind the "<" that follows it. */
static bool
skip_phrase(struct span *in)
{
	struct buf ignored = BUF_INIT(0);

	while (skip_cfws(in) && in->n > 0 && in->p[0] != '<') {
		if (in->p[0] == '"') {
			if (!take_quoted(in, &ignored, true))
				return false;
		} else if (is_atext(in->p[0]) || in->p[0] == '.' || ((unsigned char)in->p[0] & 0x80) != 0) {
			*in = span_from(*in, 1);
		} else {
			return false;
		}
	}
	return take(in, '<');
}

int
address_single_parse(struct arena *a, struct span in, struct span *out)
{
	struct buf text = BUF_INIT(ADDRESS_SINGLE_MAX);
	struct span rest = in, whole;
	bool ok = take_address(&rest, &text) && rest.n == 0;

	if (!ok) {
		rest = in;
		buf_reset(&text);
		ok = skip_phrase(&rest) && take_address(&rest, &text) && take(&rest, '>') && skip_cfws(&rest) && rest.n == 0;
	}
	whole = ok && !text.failed ? arena_dup(a, buf_span(&text)) : SPAN_NONE;
	buf_clear(&text);
	if (whole.p == NULL)
		return -1;
	*out = whole;
	return 0;
}
