/* SPDX-License-Identifier: MIT */
#include "lib-deliver/smtp-path.h"

#include "lib/encode.h"

/* RFC 3461 sections 4.1, 4.2 and 4.4. */
#define NOTIFY_MAX 28
#define ORCPT_MAX 500
#define ENVID_MAX 100

static bool
is_atext(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

/* Of a letter beyond ASCII, where those may be; whether they are right is looked at when the address is whole. */
static bool
is_utf8(char c, unsigned flags)
{
	return (flags & SMTP_PATH_UTF8) != 0 && ((unsigned char)c & 0x80) != 0;
}

static int
bad(const char **why_out, const char *why)
{
	*why_out = why;
	return -1;
}

/* Quoted-string = DQUOTE *(qtext / quoted-pair) DQUOTE; *pos is at the first DQUOTE, and then behind the last. */
static int
parse_quoted(struct span in, size_t *pos, unsigned flags, struct arena *a, struct span *out, const char **why_out)
{
	size_t i = *pos + 1, n = 0, end;
	char *text;

	for (end = i; end < in.n && in.p[end] != '"'; end++) {
		if (in.p[end] == '\\')
			end++;
		if (end >= in.n || ((in.p[end] < ' ' || in.p[end] > '~') && !is_utf8(in.p[end], flags)))
			return bad(why_out, "Invalid character in quoted local part");
	}
	if (end >= in.n)
		return bad(why_out, "Quoted local part without end");
	text = arena_alloc(a, end - i + 1, 1);
	if (text == NULL)
		return bad(why_out, "Address too long");
	for (; i < end; i++) {
		if (in.p[i] == '\\')
			i++;
		text[n++] = in.p[i];
	}
	*out = span_of(text, n);
	*pos = end + 1;
	return 0;
}

/* Domain / address-literal.  Underscores are not in the grammar and are in use. */
static int
parse_domain(struct span in, size_t *pos, unsigned flags, struct span *out, const char **why_out)
{
	size_t i = *pos;

	if (i < in.n && in.p[i] == '[') {
		while (i < in.n && in.p[i] != ']') {
			if (in.p[i] <= ' ' || in.p[i] > '~' || in.p[i] == '\\')
				return bad(why_out, "Invalid character in domain");
			i++;
		}
		if (i == in.n)
			return bad(why_out, "Domain without end");
		i++;
	} else
		while (i < in.n && (ascii_is_alpha(in.p[i]) || ascii_is_digit(in.p[i]) ||
				       (in.p[i] != '\0' && strchr("-._", in.p[i]) != NULL) || is_utf8(in.p[i], flags)))
			i++;
	if (i == *pos)
		return bad(why_out, "Empty domain");
	*out = span_sub(in, *pos, i - *pos);
	*pos = i;
	return 0;
}

/* Mailbox, with the domain left out at will: LMTP is for local users. */
static int
parse_mailbox(struct span in, size_t *pos, unsigned flags, struct arena *a, struct smtp_path *out, const char **why_out)
{
	size_t start = *pos;

	if (start < in.n && in.p[start] == '"') {
		if (parse_quoted(in, pos, flags, a, &out->local, why_out) == -1)
			return -1;
	} else {
		while (*pos < in.n && (is_atext(in.p[*pos]) || is_utf8(in.p[*pos], flags)))
			++*pos;
		out->local = span_sub(in, start, *pos - start);
	}
	if (out->local.n == 0)
		return bad(why_out, "Empty or invalid local part");
	out->domain = SPAN_NONE;
	if (*pos < in.n && in.p[*pos] == '@') {
		++*pos;
		if (parse_domain(in, pos, flags, &out->domain, why_out) == -1)
			return -1;
	}
	out->text = span_sub(in, start, *pos - start);
	if ((flags & SMTP_PATH_UTF8) != 0 && !utf8_is_valid(out->text))
		return bad(why_out, "Invalid UTF-8 in address");
	return out->text.n > SMTP_PATH_MAX ? bad(why_out, "Address too long") : 0;
}

/* A-d-l ":" of the old source routes: "@a,@b:". */
static int
skip_route(struct span in, size_t *pos, unsigned flags, const char **why_out)
{
	struct span ignored;

	while (*pos < in.n && in.p[*pos] == '@') {
		++*pos;
		if (parse_domain(in, pos, flags, &ignored, why_out) == -1)
			return -1;
		if (*pos < in.n && in.p[*pos] == ',')
			++*pos;
		else if (*pos < in.n && in.p[*pos] == ':') {
			++*pos;
			return 0;
		} else
			return bad(why_out, "Malformed source route");
	}
	return 0;
}

int
smtp_path_parse(struct span in, unsigned flags, struct arena *a, struct smtp_path *out, size_t *used_out,
    const char **why_out)
{
	struct smtp_path path = { SPAN(""), SPAN(""), SPAN_NONE };
	size_t pos = 0;

	if (in.n == 0 || in.p[0] != '<') {
		if ((flags & SMTP_PATH_BARE) == 0)
			return bad(why_out, "Missing '<' at the start of the path");
		if (parse_mailbox(in, &pos, flags, a, &path, why_out) == -1)
			return -1;
	} else {
		pos++;
		if ((flags & SMTP_PATH_NULL) == 0 || in.n < 2 || in.p[1] != '>')
			if (skip_route(in, &pos, flags, why_out) == -1 || parse_mailbox(in, &pos, flags, a, &path, why_out) == -1)
				return -1;
		if (pos == in.n || in.p[pos] != '>')
			return bad(why_out, "Missing '>' at the end of the path");
		pos++;
	}
	if (pos < in.n && in.p[pos] != ' ')
		return bad(why_out, "Text behind the path");
	*out = path;
	*used_out = pos;
	return 0;
}

int
smtp_address_parse(struct span in, struct arena *a, struct smtp_path *out, const char **why_out)
{
	struct smtp_path path;
	size_t pos = 0;

	if (parse_mailbox(in, &pos, SMTP_PATH_UTF8, a, &path, why_out) == -1)
		return -1;
	if (pos != in.n)
		return bad(why_out, "Invalid character in address");
	*out = path;
	return 0;
}

bool
smtp_path_is_utf8(const struct smtp_path *path)
{
	for (size_t i = 0; i < path->text.n; i++)
		if (((unsigned char)path->text.p[i] & 0x80) != 0)
			return true;
	return false;
}

static int
hex_digit(char c)
{
	return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct span
smtp_xtext_decode(struct span in, struct arena *a)
{
	char *text = arena_alloc(a, in.n + 1, 1);
	size_t n = 0;

	if (text == NULL)
		return SPAN_NONE;
	for (size_t i = 0; i < in.n; i++) {
		int high, low;

		text[n++] = in.p[i];
		if (in.p[i] != '+')
			continue;
		high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
		low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
		/* It goes into header fields and into lines of other protocols. */
		if (high < 0 || low < 0 || high * 16 + low <= ' ' || high * 16 + low == 127)
			return arena_dup(a, in);
		text[n - 1] = (char)(high * 16 + low);
		i += 2;
	}
	return span_of(text, n);
}

struct span
smtp_xtext_encode(struct span in, struct arena *a)
{
	static const char digits[] = "0123456789ABCDEF";
	char *text = arena_alloc(a, 3 * in.n + 1, 1);
	size_t n = 0;

	if (text == NULL)
		return SPAN_NONE;
	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c > ' ' && c <= '~' && c != '+' && c != '=') {
			text[n++] = (char)c;
			continue;
		}
		text[n++] = '+';
		text[n++] = digits[c >> 4];
		text[n++] = digits[c & 15];
	}
	return span_of(text, n);
}

bool
smtp_xtext_is_valid(struct span in, size_t max)
{
	size_t octets = 0;

	for (size_t i = 0; i < in.n; i++, octets++) {
		int high, low;

		if (in.p[i] <= ' ' || in.p[i] > '~' || in.p[i] == '=')
			return false;
		if (in.p[i] != '+')
			continue;
		high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
		low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
		if (high < 0 || low < 0 || high * 16 + low < ' ' || high * 16 + low > '~')
			return false;
		i += 2;
	}
	return octets <= max;
}

/* "NEVER" / 1#("SUCCESS" / "FAILURE" / "DELAY") */
bool
smtp_notify_is_valid(struct span value)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY", NULL };
	struct span word;

	if (span_ieq(value, SPAN("NEVER")))
		return true;
	if (value.n == 0 || value.n > NOTIFY_MAX || value.p[value.n - 1] == ',')
		return false;
	while (span_next(&value, ',', &word)) {
		size_t i = 0;

		while (words[i] != NULL && !span_ieq(word, span_str(words[i])))
			i++;
		if (words[i] == NULL)
			return false;
	}
	return true;
}

bool
smtp_ret_is_valid(struct span value)
{
	return span_ieq(value, SPAN("FULL")) || span_ieq(value, SPAN("HDRS"));
}

bool
smtp_envid_is_valid(struct span value)
{
	return value.n > 0 && smtp_xtext_is_valid(value, ENVID_MAX);
}

/* What is neither a control character nor a space. */
static bool
is_graphic(struct span s, bool utf8)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] <= ' ' || s.p[i] > '~') && !(utf8 && is_utf8(s.p[i], SMTP_PATH_UTF8)))
			return false;
	return !utf8 || utf8_is_valid(s);
}

bool
smtp_orcpt_split(struct span value, bool utf8, struct span *type_out, struct span *address_out)
{
	size_t n = span_chr(value, ';');
	struct span type = span_sub(value, 0, n), address = span_from(value, n + 1);

	if (n == 0 || address.n == 0 || value.n > ORCPT_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_atext(type.p[i]) || type.p[i] == '.')
			return false;
	if (span_ieq(type, SPAN("utf-8")) ? !is_graphic(address, utf8) : !smtp_xtext_is_valid(address, ORCPT_MAX))
		return false;
	*type_out = type;
	*address_out = address;
	return true;
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
int
smtp_param_next(struct span *rest, struct smtp_param *out)
{
	size_t i = 0, start;

	while (i < rest->n && rest->p[i] == ' ')
		i++;
	if (i == rest->n)
		return 0;
	if (i == 0)
		return -1;
	start = i;
	while (i < rest->n && (ascii_is_alpha(rest->p[i]) || ascii_is_digit(rest->p[i]) || (rest->p[i] == '-' && i > start)))
		i++;
	if (i == start)
		return -1;
	out->name = span_sub(*rest, start, i - start);
	out->value = SPAN_NONE;
	if (i < rest->n && rest->p[i] == '=') {
		start = ++i;
		while (i < rest->n && ((rest->p[i] > ' ' && rest->p[i] <= '~') || is_utf8(rest->p[i], SMTP_PATH_UTF8)))
			i++;
		if (i == start)
			return -1;
		out->value = span_sub(*rest, start, i - start);
	}
	if (i < rest->n && rest->p[i] != ' ')
		return -1;
	*rest = span_from(*rest, i);
	return 1;
}

bool
smtp_detail_split(struct span local, struct span delimiters, struct span *user_out, struct span *detail_out)
{
	for (size_t i = 1; i < local.n; i++)
		if (span_chr(delimiters, local.p[i]) < delimiters.n) {
			*user_out = span_sub(local, 0, i);
			*detail_out = span_from(local, i + 1);
			return true;
		}
	return false;
}
