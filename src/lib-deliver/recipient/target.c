/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/target.h"

#include "lib-deliver/recipient/lines.h"
#include "lib-deliver/smtp-path.h"

#define COMMENT_DEPTH 10

static const struct recipient_reply plain_error = { 550, "5.1.1", false, { "", 0 } };

struct span
recipient_lower(struct span s, struct arena *a)
{
	char *text = arena_alloc(a, s.n + 1, 1);

	if (text == NULL)
		return SPAN_NONE;
	for (size_t i = 0; i < s.n; i++)
		text[i] = ascii_lower(s.p[i]);
	return span_of(text, s.n);
}

/* Whether a local part stands without quotes: atoms and dots, as smtp-path.c reads them. */
static bool
is_plain(struct span local)
{
	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && ((unsigned char)c & 0x80) == 0 &&
		    (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~.", c) == NULL))
			return false;
	}
	return local.n > 0;
}

struct span
recipient_address_text(struct span local, struct span domain, struct arena *a)
{
	char *text = arena_alloc(a, 2 * local.n + domain.n + 4, 1);
	bool plain = is_plain(local);
	size_t n = 0;

	if (text == NULL)
		return SPAN_NONE;
	if (!plain)
		text[n++] = '"';
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			text[n++] = '\\';
		text[n++] = local.p[i];
	}
	if (!plain)
		text[n++] = '"';
	if (domain.n > 0) {
		text[n++] = '@';
		memcpy(text + n, domain.p, domain.n);
		n += domain.n;
	}
	return span_of(text, n);
}

/* The end of what begins with a quote, a parenthesis or an angle bracket at i; SIZE_MAX: it has none. */
static size_t
skip_quoted(struct span in, size_t i)
{
	unsigned depth = 0;
	char open = in.p[i];

	for (; i < in.n; i++) {
		if (in.p[i] == '\\' && open != '<')
			i++;
		else if (open == '"' && in.p[i] == '"' && depth++ == 1)
			return i + 1;
		else if (open == '(' && in.p[i] == '(' && ++depth > COMMENT_DEPTH)
			return SIZE_MAX;
		else if (open == '(' && in.p[i] == ')' && --depth == 0)
			return i + 1;
		else if (open == '<' && in.p[i] == '>')
			return i + 1;
	}
	return SIZE_MAX;
}

/* Up to the next comma outside of all of these. */
static int
next_item(struct span *rest, struct span *out, struct err *e)
{
	struct span in = span_trim(*rest);
	size_t i = 0;

	while (i < in.n && in.p[i] != ',') {
		if (in.p[i] == '"' || in.p[i] == '(' || in.p[i] == '<') {
			i = skip_quoted(in, i);
			if (i == SIZE_MAX)
				return err_set(e, ERR_SYNTAX, "a quote, a parenthesis or an angle bracket without its end");
		} else
			i += in.p[i] == '\\' && i + 1 < in.n ? 2 : 1;
	}
	*out = span_trim(span_sub(in, 0, i));
	*rest = span_from(in, i + 1);
	return 0;
}

/* What is in the quotes that s is in as a whole; s as it is otherwise. */
static struct span
unquote(struct span s, struct arena *a)
{
	char *text;
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"' || skip_quoted(s, 0) != s.n)
		return s;
	text = arena_alloc(a, s.n, 1);
	for (size_t i = 1; text != NULL && i < s.n - 1; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n - 1)
			i++;
		text[n++] = s.p[i];
	}
	return span_trim(span_of(text, n));
}

/* Without comments; and of "Name <address>" the address. */
static struct span
bare_address(struct span s, struct arena *a)
{
	char *text = arena_alloc(a, s.n + 1, 1);
	size_t n = 0;

	for (size_t i = 0; text != NULL && i < s.n;) {
		size_t end = s.p[i] == '"' || s.p[i] == '(' || s.p[i] == '<' ? skip_quoted(s, i) : i + 1;

		if (s.p[i] == '<' && end != SIZE_MAX)
			return span_trim(span_sub(s, i + 1, end - i - 2));
		if (end == SIZE_MAX)
			end = s.n;
		if (s.p[i] != '(') {
			memcpy(text + n, s.p + i, end - i);
			n += end - i;
		}
		i = end;
	}
	return span_trim(span_of(text, n));
}

static int
parse_address(struct span s, struct arena *a, struct recipient_target *t, struct err *e)
{
	struct smtp_path path;
	const char *why;

	s = bare_address(s, a);
	if (s.n > 1 && s.p[0] == '\\') {
		t->kind = RECIPIENT_USER;
		s = span_from(s, 1);
	}
	if (smtp_address_parse(s, a, &path, &why) == -1)
		return err_set(e, ERR_SYNTAX, "%.*s: %s", SPAN_ARG(span_sub(s, 0, 100)), why);
	t->text = path.text;
	t->local = path.local;
	t->domain = path.domain.p == NULL ? SPAN("") : path.domain;
	/* A dot behind a domain says that it is whole, in DNS; a domain of an envelope is without it. */
	if (t->domain.n > 1 && t->domain.p[t->domain.n - 1] == '.') {
		t->domain.n--;
		t->text = recipient_address_text(t->local, t->domain, a);
	}
	return t->text.p != NULL ? 0 : err_set(e, ERR_TEMP, "out of memory");
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] >= 0 && s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127)
			return true;
	return false;
}

static int
parse_item(struct span item, struct arena *a, struct recipient_target *t, struct err *e)
{
	struct span s = unquote(item, a);

	if (has_control(s))
		return err_set(e, ERR_SYNTAX, "a control character");
	if (s.n > 0 && s.p[0] == '|') {
		t->kind = RECIPIENT_PROGRAM;
		t->text = unquote(span_trim(span_from(s, 1)), a);
		return t->text.n > 0 ? 0 : err_set(e, ERR_SYNTAX, "a | without a program");
	}
	if (span_istarts(s, SPAN(":include:"))) {
		t->kind = RECIPIENT_INCLUDE;
		t->text = unquote(span_trim(span_from(s, 9)), a);
		return t->text.n > 1 && t->text.p[0] == '/' ? 0 : err_set(e, ERR_SYNTAX, ":include: wants an absolute path");
	}
	if (s.n > 0 && s.p[0] == '/' && span_chr(s, '@') == s.n) {
		t->kind = RECIPIENT_FILE;
		t->text = s;
		return 0;
	}
	return parse_address(item, a, t, e);
}

/* Room for one more; the list moves within the arena by doubling. */
static struct recipient_target *
push(struct recipient_targets *out, struct arena *a)
{
	/* The room is the power of two that the count has reached. */
	if ((out->count & (out->count - 1)) == 0) {
		struct recipient_target *more = arena_alloc(a, out->count == 0 ? 1 : out->count * 2, sizeof(*more));

		if (more == NULL)
			return NULL;
		if (out->count > 0)
			memcpy(more, out->list, out->count * sizeof(*more));
		out->list = more;
	}
	return &out->list[out->count++];
}

bool
recipient_targets_add(struct recipient_targets *out, const struct recipient_target *t, size_t max, struct arena *a, struct err *e)
{
	struct recipient_target *place = out->count >= max ? NULL : push(out, a);

	if (place != NULL)
		*place = *t;
	else if (out->count >= max)
		err_set(e, ERR_LIMIT, "a list of more than %zu", max);
	else
		err_set(e, ERR_TEMP, "out of memory");
	return place != NULL;
}

int
recipient_targets_parse(struct span in, unsigned line, size_t max, struct arena *a, struct recipient_targets *out, struct err *e)
{
	struct recipient_target *t;
	struct span item;

	in = span_trim(in);
	if (span_istarts(in, SPAN("error:"))) {
		t = push(out, a);
		if (t == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		*t = (struct recipient_target){ .kind = RECIPIENT_ERROR, .text = span_trim(span_from(in, 6)), .line = line };
		return recipient_reply_parse(t->text, &plain_error, &t->reply) ? 0 :
		    err_set(e, ERR_SYNTAX, "no code or text for an answer");
	}
	while (in.n > 0) {
		if (next_item(&in, &item, e) == -1)
			return -1;
		if (item.n == 0)
			continue;
		if (out->count >= max)
			return err_set(e, ERR_LIMIT, "a list of more than %zu", max);
		t = push(out, a);
		if (t == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		*t = (struct recipient_target){ .kind = RECIPIENT_ADDRESS, .line = line };
		if (parse_item(item, a, t, e) == -1)
			return -1;
	}
	return 0;
}

bool
recipient_targets_wait(struct recipient_targets *out, unsigned line, struct arena *a, struct err *e)
{
	const struct recipient_target t = { .kind = RECIPIENT_ERROR, .text = SPAN("a mistake in the table"), .line = line,
		.reply = recipient_reply_mistake };

	*out = (struct recipient_targets){ NULL, 0 };
	return recipient_targets_add(out, &t, 1, a, e);
}

struct reading {
	struct recipient_targets *out;
	struct recipient_remarks *remarks;
	size_t max;
	struct arena *a;
};

static int
take_line(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct reading *r = ctx;
	size_t before = r->out->count;
	int rc = recipient_targets_parse(line, number, r->max, r->a, r->out, e);

	if (rc == -1)
		r->out->count = before;
	return rc;
}

/* Of this one the sender is told, as of any other address that is none; not of its octets, which are nobody's address. */
static int
take_bad(void *ctx, struct span line, unsigned number, struct err *e)
{
	static const struct recipient_reply reply = { 550, "5.1.3", false, { "A line of the list is not understood", 36 } };
	struct reading *r = ctx;
	const struct recipient_target t = { .kind = RECIPIENT_ERROR, .text = span_str(arena_printf(r->a, "line %u", number)),
		.line = number, .reply = reply };
	struct err told = *e;

	(void)line;
	if (!recipient_targets_add(r->out, &t, r->max, r->a, e))
		return -1;
	recipient_remark_mistake(r->remarks, number, &told);
	return 0;
}

int
recipient_targets_read(struct span text, size_t max_line, size_t max, struct arena *a, struct recipient_remarks *remarks,
    struct recipient_targets *out, unsigned *line_out, struct err *e)
{
	struct reading r = { out, remarks, max, a };
	struct recipient_lines it = { .text = text, .max = max_line, .apart = true };

	if (recipient_lines_each(&it, a, take_line, remarks == NULL ? NULL : take_bad, &r, line_out, e) == -1)
		return -1;
	if (remarks == NULL || remarks->mistakes == 0 || remarks->mistakes < out->count)
		return 0;
	*line_out = remarks->list[0].line;
	return err_set(e, ERR_SYNTAX, "%s", remarks->list[0].what);
}
