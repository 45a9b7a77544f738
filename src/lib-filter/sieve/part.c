/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/part.h"

#include "lib-mail/html-text.h"

#define PARTS_KNOWN_MAX 10000

const struct mime_part *
sieve_part_skip(const struct mime_part *part, const struct mime_part *top)
{
	while (part != top && part->next == NULL)
		part = part->parent;
	return part == top ? NULL : part->next;
}

const struct mime_part *
sieve_part_next(const struct mime_part *part, const struct mime_part *top)
{
	const struct mime_part *child = part->child;

	/* What is inside of a message/rfc822 is a message: a part of its own, with the parts below it. */
	return child != NULL ? child : sieve_part_skip(part, top);
}

static void
decode(struct sieve_run *r, const struct mime_part *part, struct span text, bool html, struct buf *out)
{
	struct buf raw = BUF_INIT(SIEVE_PART_MAX), utf8 = BUF_INIT(3 * SIEVE_PART_MAX);
	struct mime_part some = *part;
	struct buf charset = BUF_INIT(200);
	bool xhtml = html && span_ieq(part->subtype, SPAN("xhtml+xml"));

	if (some.body.size > SIEVE_PART_MAX)
		some.body.size = SIEVE_PART_MAX;
	if (!mime_decode(&raw, text, &some))
		buf_add(&raw, span_sub(text, some.body.offset, some.body.size));
	if (!(part->flags & MIME_TEXT) && !xhtml) {
		buf_add(out, buf_span(&raw));
	} else {
		/* Without a charset it is US-ASCII, and what is not that most likely UTF-8. */
		if (!param_get(r->charsets, &part->params, SPAN("charset"), &charset) || span_ieq(buf_span(&charset), SPAN("us-ascii")))
			buf_reset(&charset);
		charset_to_utf8(r->charsets, &utf8, buf_span(&charset), buf_span(&raw));
		if (xhtml || (html && span_ieq(part->subtype, SPAN("html"))))
			html_to_text(out, buf_span(&utf8));
		else
			buf_add(out, span_sub(buf_span(&utf8), 0, SIEVE_PART_MAX));
	}
	buf_clear(&charset);
	buf_clear(&utf8);
	buf_clear(&raw);
}

int
sieve_part_text(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *part, struct span text, bool html,
    struct span *out)
{
	struct buf content = BUF_INIT(SIEVE_PART_MAX);
	struct {
		const struct mime_part *part;
		uintptr_t html;
	} id = { part, html };
	struct span key = span_of(&id, sizeof(id)), *known = NULL;
	int rc;

	if (r->edits.decoded == NULL)
		r->edits.decoded = hash_new(2 * PARTS_KNOWN_MAX);
	if (r->edits.decoded != NULL && (known = hash_get(r->edits.decoded, key)) != NULL) {
		*out = *known;
		return 0;
	}
	if (sieve_run_work(r, n, 1 + (part->body.size < SIEVE_PART_MAX ? part->body.size : SIEVE_PART_MAX) / 64) == -1)
		return -1;
	if (r->edits.decoded_octets < SIEVE_PARTS_MAX)
		decode(r, part, text, html, &content);
	r->edits.decoded_octets += content.n;
	rc = sieve_run_dup(r, n, buf_span(&content), out);
	buf_clear(&content);
	known = rc == -1 || r->edits.decoded == NULL ? NULL : arena_alloc(r->a, 1, sizeof(*known));
	if (known == NULL)
		return rc;
	*known = *out;
	hash_set(r->edits.decoded, key, known);		/* a full table only costs the work again */
	return 0;
}
