/* SPDX-License-Identifier: MIT */
/* body (RFC 5173): the body as it is, the parts of some types decoded, or the text in it. */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/part.h"
#include "lib-filter/sieve/run.h"

static int
check_body(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_check_match(c, n);
}

/* RFC 5173 section 5.2: "" is every type, "text" all of text, "text/html" that one; what is no type matches none. */
static bool
type_matches(const struct mime_part *part, struct span want)
{
	size_t slash = span_chr(want, '/');

	if (want.n == 0)
		return true;
	if (slash == want.n)
		return span_ieq(want, part->type);
	return slash > 0 && slash + 1 < want.n && span_ieq(span_sub(want, 0, slash), part->type) &&
	    span_ieq(span_from(want, slash + 1), part->subtype);
}

static int
wanted(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *part, const struct sieve_arg *types)
{
	for (size_t i = 0; i < types->count; i++) {
		struct span want;

		if (sieve_run_string(r, n, types->strings[i], &want) == -1)
			return -1;
		if (type_matches(part, want))
			return 1;
	}
	return 0;
}

/* RFC 2046 section 5.1.1: the line end in front of a boundary is the boundary's. */
static struct span
without_line_end(struct span s)
{
	s.n -= s.n > 0 && s.p[s.n - 1] == '\n';
	s.n -= s.n > 0 && s.p[s.n - 1] == '\r';
	return s;
}

/* Whether the last line is an empty one. */
static bool
ends_empty(struct span s)
{
	struct span rest = without_line_end(s);

	return rest.n < s.n && (rest.n == 0 || rest.p[rest.n - 1] == '\n');
}

/* What is in front of the first part, without the boundary's line: that is the last one. */
static struct span
prologue(struct span s)
{
	s = without_line_end(s);
	while (s.n > 0 && s.p[s.n - 1] != '\n')
		s.n--;
	return without_line_end(s);
}

/* What follows the last part, without the boundary's line, if there is one. */
static struct span
epilogue(struct span s)
{
	struct span line = s;

	if (span_starts(line, SPAN("\r\n")))
		line = span_from(line, 2);
	else if (span_starts(line, SPAN("\n")))
		line = span_from(line, 1);
	return span_starts(line, SPAN("--")) ? span_from(line, span_chr(line, '\n') + 1) : s;
}

/* What a part says itself: a multipart what is around its parts, a message its header, anything else its content. */
static int
match_part(struct sieve_matching *x, const struct mime_part *part, struct span text, bool html)
{
	struct span content;

	if (part->flags & MIME_MULTIPART && part->child != NULL) {
		const struct mime_part *last = part->child;
		size_t start = part->body.offset, end = part->body.offset + part->body.size;
		int rc = sieve_matching_value(x, prologue(span_sub(text, start, part->child->header.offset - start)));

		while (last->next != NULL)
			last = last->next;
		start = last->body.offset + last->body.size;
		return rc != 0 ? rc : sieve_matching_value(x, epilogue(span_sub(text, start, end - start)));
	}
	if (part->flags & MIME_MESSAGE && part->child != NULL) {
		content = span_sub(text, part->child->header.offset, part->child->header.size);
		return sieve_matching_value(x, ends_empty(content) ? without_line_end(content) : content);
	}
	return sieve_part_text(x->r, x->n, part, text, html, &content) == -1 ? -1 : sieve_matching_value(x, content);
}

/* "text/plain/x" is no type (RFC 2045 section 5.1), though its begin looks like one. */
static bool
has_odd_type(const struct mime_part *part, struct span text)
{
	struct span value;

	if (!header_get(span_sub(text, part->header.offset, part->header.size), SPAN("Content-Type"), &value))
		return false;
	value = span_sub(value, 0, span_chr(value, ';'));
	value = span_from(value, span_chr(value, '/') + 1);
	return span_chr(span_sub(value, 0, span_chr(value, '(')), '/') < span_chr(value, '(');
}

/* RFC 2045 section 6.4: what has an encoding that nobody knows is octets, whatever its type says. */
static bool
has_odd_encoding(const struct mime_part *part)
{
	static const char *const known[] = { "", "7bit", "8bit", "binary", "quoted-printable", "base64", "x-uuencode", "uuencode" };
	struct span s = span_trim(part->encoding);
	size_t i = 0;

	while (i < sizeof(known) / sizeof(known[0]) && !span_ieq(s, span_str(known[i])))
		i++;
	return i == sizeof(known) / sizeof(known[0]);
}

/* Whether :text looks at it (RFC 5173 section 5.3). */
static bool
is_readable(const struct mime_part *part, struct span text)
{
	bool xhtml = span_ieq(part->type, SPAN("application")) && span_ieq(part->subtype, SPAN("xhtml+xml"));

	return (xhtml || span_ieq(part->type, SPAN("text"))) && !has_odd_type(part, text) && !has_odd_encoding(part);
}

/* RFC 5173 section 4: where the header is not followed by an empty line, there is no body, not even an empty one. */
static bool
has_body(const struct sieve_run *r)
{
	return r->message->body.n > 0 || ends_empty(r->message->header);
}

static int
test_body(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *content = sieve_tag_get(n, TAG_CONTENT);
	const struct mime_part *root, *part;
	struct sieve_matching x;
	struct span text;
	int rc = 0;

	if (sieve_matching_begin(&x, r, n, n->pos[0]) == -1)
		return -1;
	x.forget = true;	/* RFC 5173 section 6 */
	if (!has_body(r))
		return sieve_matching_end(&x);
	if (sieve_tag_get(n, TAG_RAW) != NULL) {
		rc = sieve_run_work(r, n, r->message->body.n / 256) == -1 ? -1 : sieve_matching_value(&x, r->message->body);
		return rc != 0 ? rc : sieve_matching_end(&x);
	}
	if (sieve_message_mime(r, n, &root, &text) == -1)
		return -1;
	for (part = root; part != NULL && rc == 0; part = sieve_part_next(part, root)) {
		if (sieve_run_work(r, n, 1) == -1)
			return -1;
		if (content != NULL) {
			rc = wanted(r, n, part, content->value);
			if (rc == 1)
				rc = match_part(&x, part, text, false);
		} else if (is_readable(part, text)) {
			rc = match_part(&x, part, text, true);
		}
	}
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static const struct sieve_tag_use tags[] = {
	SIEVE_MATCH_TAGS, { TAG_RAW, EXT_BODY }, { TAG_CONTENT, EXT_BODY }, { TAG_TEXT, EXT_BODY }, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_body[] = {
	{ .name = "body", .is_test = true, .ext = EXT_BODY, .args = "L", .tags = tags, .check = check_body, .run = test_body },
	{ .name = NULL },
};
