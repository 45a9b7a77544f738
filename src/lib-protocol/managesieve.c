/* SPDX-License-Identifier: MIT */
#include "lib-protocol/managesieve.h"

#include "lib/encode.h"

#define QUOTED_MAX 1024		/* RFC 5804 section 4: longer ones are literals */
#define WORD_MAX 32

struct reader {
	struct span in;
	size_t at, max;
	size_t max_line, literals;	/* octets; of literals, so far */
	struct arena *a;
	struct msieve_parse *out;
};

static enum msieve_result
more(struct reader *r, size_t need)
{
	if (need > r->max || r->in.n >= r->max || (need == 0 && r->in.n - r->literals >= r->max_line))
		return MSIEVE_TOO_LONG;
	r->out->need = need > r->in.n ? need : r->in.n + 1;
	return MSIEVE_MORE;
}

/*
 * The octets of a literal that begins at the line's end: "{12+}".  What clients of the time before RFC 5804 mean by "{12}" is
 * the same, for there never was an answer to wait for.
 */
static bool
literal_size(struct span head, uint64_t *size_out)
{
	if (head.n > 0 && head.p[head.n - 1] == '\r')
		head.n--;
	if (head.n < 3 || head.p[0] != '{' || head.p[head.n - 1] != '}')
		return false;
	head = span_sub(head, 1, head.n - 2);
	if (head.n > 1 && head.p[head.n - 1] == '+')
		head.n--;
	return span_u64(head, INT64_MAX, size_out);
}

/* The rest of the line is passed over; what is behind it is the next command. */
static enum msieve_result
bad_line(struct reader *r, const char *why)
{
	struct span rest = span_from(r->in, r->at);
	size_t n = span_chr(rest, '\n');

	if (n == rest.n)
		return more(r, 0);
	r->out->why = why;
	r->out->used = r->at + n + 1;
	return MSIEVE_BAD;
}

/* So are literals that follow, for a script's lines are no commands. */
static enum msieve_result
bad(struct reader *r, const char *why)
{
	for (;;) {
		struct span rest = span_from(r->in, r->at);
		size_t end = span_chr(rest, '\n'), brace = end;
		uint64_t size;

		if (end == rest.n)
			return more(r, 0);
		while (brace > 0 && rest.p[brace] != '{')
			brace--;
		if (!literal_size(span_sub(rest, brace, end - brace), &size))
			return bad_line(r, why);
		r->at += end + 1;
		r->out->need = size > UINT32_MAX ? 0 : r->at + (size_t)size;
		if (size > r->max || r->at > r->max - size)
			return MSIEVE_TOO_LONG;
		if (r->in.n - r->at < size)
			return more(r, r->at + (size_t)size + 1);
		r->at += (size_t)size;
		r->literals += (size_t)size;
	}
}

static enum msieve_result
take_quoted(struct reader *r, struct span *out)
{
	size_t from = ++r->at, n = 0;
	bool escaped = false;
	char *text;

	for (; r->at < r->in.n && (r->in.p[r->at] != '"' || escaped); r->at++, n++) {
		char c = r->in.p[r->at];

		if (c == '\r' || c == '\n' || c == '\0')
			return bad_line(r, "Line end or NUL in a quoted string");
		if (escaped && c != '"' && c != '\\')
			return bad(r, "In a quoted string a backslash is followed by another, or by a quote");
		if (n >= QUOTED_MAX)
			return bad(r, "Quoted string too long: a literal is needed");
		escaped = !escaped && c == '\\';
		n -= escaped;
	}
	if (r->at == r->in.n)
		return more(r, 0);
	*out = span_sub(r->in, from, r->at++ - from);
	if (!utf8_is_valid(*out))
		return bad(r, "A quoted string is not in UTF-8");
	if (n == out->n)
		return MSIEVE_DONE;
	text = arena_alloc(r->a, n + 1, 1);
	if (text == NULL)
		return MSIEVE_TOO_LONG;
	n = 0;
	for (size_t i = 0; i < out->n; i++) {
		i += out->p[i] == '\\';
		text[n++] = out->p[i];
	}
	*out = span_of(text, n);
	return MSIEVE_DONE;
}

static enum msieve_result
take_literal(struct reader *r, struct span *out)
{
	struct span rest = span_from(r->in, r->at);
	size_t end = span_chr(rest, '\n'), n;
	uint64_t size;

	if (end == rest.n)
		return rest.n > WORD_MAX ? bad(r, "Malformed literal") : more(r, 0);
	if (!literal_size(span_sub(rest, 0, end), &size))
		return bad(r, "Malformed literal: {octets+} is needed");
	if (size > UINT32_MAX)
		return MSIEVE_TOO_LONG;
	n = (size_t)size;
	if (n > r->max || r->at + end + 1 + n > r->max) {
		r->out->need = r->at + end + 1 + n;
		return MSIEVE_TOO_LONG;
	}
	r->at += end + 1;
	if (r->in.n - r->at < n)
		return more(r, r->at + n + 1);
	*out = span_sub(r->in, r->at, n);
	r->at += n;
	r->literals += n;
	return MSIEVE_DONE;
}

static bool
is_word(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

static struct span
take_word(struct reader *r)
{
	size_t from = r->at;

	while (r->at < r->in.n && is_word(r->in.p[r->at]))
		r->at++;
	return span_sub(r->in, from, r->at - from);
}

static enum msieve_result
take_arg(struct reader *r)
{
	struct msieve_command *c = &r->out->command;
	struct msieve_arg *arg = &c->args[c->arg_count];

	if (c->arg_count == MSIEVE_ARGS_MAX)
		return bad(r, "Too many arguments");
	*arg = (struct msieve_arg){ .text = SPAN("") };
	c->arg_count++;
	switch (r->in.p[r->at]) {
	case '"':
		return take_quoted(r, &arg->text);
	case '{':
		return take_literal(r, &arg->text);
	default:
		arg->text = take_word(r);
		arg->is_number = arg->text.n > 0;
		for (size_t i = 0; i < arg->text.n; i++)
			arg->is_number = arg->is_number && ascii_is_digit(arg->text.p[i]);
		return arg->is_number ? MSIEVE_DONE : bad(r, "A string or a number is needed");
	}
}

enum msieve_result
msieve_parse(struct span in, size_t max_line, size_t max_literal, struct arena *a, struct msieve_parse *out)
{
	struct reader r = { .in = in, .max = max_line + max_literal, .max_line = max_line, .a = a, .out = out };
	enum msieve_result rc;

	*out = (struct msieve_parse){ .command = { .name = SPAN("") } };
	if (in.n == 0)
		return more(&r, 0);
	if (in.p[0] != '"' && in.p[0] != '{')
		out->command.name = take_word(&r);
	for (;;) {
		while (r.at < in.n && in.p[r.at] == ' ')
			r.at++;
		if (r.at == in.n)
			return more(&r, 0);
		if (in.p[r.at] == '\n' || in.p[r.at] == '\r')
			break;
		rc = take_arg(&r);
		if (rc != MSIEVE_DONE)
			return rc;
	}
	if (in.p[r.at] == '\r' && ++r.at == in.n)
		return more(&r, 0);
	if (in.p[r.at] != '\n')
		return bad(&r, "Malformed line end");
	out->used = r.at + 1;
	return out->used > r.max || out->used - r.literals > max_line ? MSIEVE_TOO_LONG : MSIEVE_DONE;
}

void
msieve_put_string(struct buf *out, struct span s)
{
	bool quoted = s.n <= QUOTED_MAX && utf8_is_valid(s);

	for (size_t i = 0; i < s.n && quoted; i++)
		quoted = s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0';
	if (!quoted) {
		buf_addf(out, "{%zu}\r\n", s.n);
		buf_add(out, s);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}
