/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/run.h"

void
sieve_message_begin(struct sieve_run *r, const struct filter_message *m)
{
	r->edits = (struct sieve_edits){ .message = *m };
	r->message = &r->edits.message;
}

void
sieve_message_end(struct sieve_run *r)
{
	arena_free(r->edits.arena);
	hash_free(r->edits.decoded);
}

int
sieve_message_use(struct sieve_run *r, const struct sieve_node *n, const struct filter_message *m)
{
	if (r->edits.loops > 0)
		return sieve_run_fail(r, n, "a foreverypart is at work on the message");
	sieve_message_end(r);
	sieve_message_begin(r, m);
	return 0;
}

void
sieve_message_loop_begin(struct sieve_run *r)
{
	if (r->edits.loops++ == 0)
		r->edits.dirty = false;
}

void
sieve_message_loop_end(struct sieve_run *r)
{
	if (--r->edits.loops > 0)
		return;
	r->edits.part = NULL;
	r->edits.replaced = NULL;
	r->edits.whole = false;
	if (r->edits.dirty)
		r->edits.root = NULL;
}

static int
no_memory(struct sieve_run *r, const struct sieve_node *n)
{
	return sieve_run_fail(r, n, "the script needs too much memory");
}

int
sieve_message_text(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	struct filter_message *m = &r->edits.message;

	if (r->edits.stale) {
		size_t h = m->header.n;
		char *p = sieve_run_work(r, n, 1 + (h + m->body.n) / 4096) == -1 ? NULL : arena_alloc(r->a, 1, h + m->body.n + 1);

		if (p == NULL)
			return r->error.text[0] != '\0' ? -1 : no_memory(r, n);
		memcpy(p, m->header.p, h);
		if (m->body.n > 0)
			memcpy(p + h, m->body.p, m->body.n);
		m->text = span_of(p, h + m->body.n);
		m->header = span_sub(m->text, 0, h);
		m->body = span_from(m->text, h);
		r->edits.stale = false;
	}
	*out = m->text.p == NULL ? SPAN("") : m->text;
	return 0;
}

/* The structure is of before; while a foreverypart runs it has to be so. */
static void
forget_structure(struct sieve_run *r)
{
	r->edits.dirty = true;
	if (r->edits.loops == 0)
		r->edits.root = NULL;
}

int
sieve_message_set_header(struct sieve_run *r, const struct sieve_node *n, struct span header)
{
	if (sieve_run_work(r, n, 1 + header.n / 1024) == -1)
		return -1;
	r->edits.message.header = header;
	r->edits.changed = true;
	r->edits.stale = true;
	forget_structure(r);
	return 0;
}

int
sieve_message_set_text(struct sieve_run *r, const struct sieve_node *n, struct span text)
{
	struct filter_message parts;

	if (sieve_run_work(r, n, 1 + text.n / 1024) == -1)
		return -1;
	filter_message_init(&parts, text);
	r->edits.message.text = parts.text;
	r->edits.message.header = parts.header;
	r->edits.message.body = parts.body;
	r->edits.changed = true;
	r->edits.stale = false;
	forget_structure(r);
	return 0;
}

int
sieve_message_mime(struct sieve_run *r, const struct sieve_node *n, const struct mime_part **root, struct span *text)
{
	static const struct mail_limits limits = MAIL_LIMITS_DEFAULT;
	struct sieve_edits *e = &r->edits;

	if (e->root == NULL) {
		hash_free(e->decoded);	/* the parts that it is of are gone */
		e->decoded = NULL;
		if (sieve_message_text(r, n, &e->text) == -1 || sieve_run_work(r, n, 1 + e->text.n / 256) == -1)
			return -1;
		if (e->arena == NULL)
			e->arena = arena_new(MAIL_ARENA_MAX);
		else
			arena_reset(e->arena);
		if (e->arena == NULL || mime_parse(e->arena, e->text, &limits, NULL, NULL, &e->root) == -1)
			return no_memory(r, n);
	}
	*root = e->root;
	*text = e->text;
	return 0;
}

static size_t
part_end(const struct mime_part *part)
{
	return part->body.offset + part->body.size;
}

static const struct sieve_replaced *
replaced_at(const struct sieve_run *r, const struct mime_part *part)
{
	for (const struct sieve_replaced *x = r->edits.replaced; x != NULL; x = x->next)
		if (x->offset <= part->header.offset && part_end(part) <= x->offset + x->size)
			return x;
	return NULL;
}

bool
sieve_message_was_replaced(const struct sieve_run *r, const struct mime_part *part)
{
	return replaced_at(r, part) != NULL;
}

int
sieve_message_part(struct sieve_run *r, const struct sieve_node *n, const struct mime_part **part, struct span *text)
{
	static const struct mail_limits limits = MAIL_LIMITS_DEFAULT;
	const struct sieve_replaced *x = r->edits.part == NULL ? NULL : replaced_at(r, r->edits.part);
	struct mime_part *fresh;

	if (sieve_message_mime(r, n, part, text) == -1)
		return -1;
	if (r->edits.part != NULL)
		*part = r->edits.part;
	if (x == NULL)
		return 0;
	*text = x->text;
	if (sieve_run_work(r, n, 1 + text->n / 256) == -1)
		return -1;
	if (mime_parse(r->a, *text, &limits, NULL, NULL, &fresh) == -1)
		return no_memory(r, n);
	*part = fresh;
	return 0;
}

/* The body of root's text with all that was replaced in it. */
static int
rebuild_body(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	size_t start = r->edits.root->header.offset + r->edits.root->header.size, size = r->edits.text.n - start, at = start;
	char *p, *q;

	for (const struct sieve_replaced *x = r->edits.replaced; x != NULL; x = x->next)
		size = size - x->size + x->text.n;
	if (sieve_run_work(r, n, 1 + size / 1024) == -1)
		return -1;
	p = q = arena_alloc(r->a, 1, size + 1);
	if (p == NULL)
		return no_memory(r, n);
	for (const struct sieve_replaced *x = r->edits.replaced; x != NULL; x = x->next) {
		memcpy(q, r->edits.text.p + at, x->offset - at);
		q += x->offset - at;
		if (x->text.n > 0)
			memcpy(q, x->text.p, x->text.n);
		q += x->text.n;
		at = x->offset + x->size;
	}
	memcpy(q, r->edits.text.p + at, r->edits.text.n - at);
	*out = span_of(p, size);
	return 0;
}

int
sieve_message_replace(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *part, struct span text)
{
	struct sieve_replaced *x = arena_alloc(r->a, 1, sizeof(*x)), **at = &r->edits.replaced;
	struct span body;

	if (x == NULL)
		return no_memory(r, n);
	x->offset = part->header.offset;
	x->size = part_end(part) - part->header.offset;
	x->text = text;
	while (*at != NULL && (*at)->offset < x->offset)
		at = &(*at)->next;
	/* What was replaced inside of it goes with it. */
	x->next = *at;
	while (x->next != NULL && x->next->offset + x->next->size <= x->offset + x->size)
		x->next = x->next->next;
	*at = x;
	if (rebuild_body(r, n, &body) == -1)
		return -1;
	r->edits.message.body = body;
	r->edits.changed = true;
	r->edits.stale = true;
	forget_structure(r);
	return 0;
}

struct span
sieve_message_eol(const struct sieve_run *r)
{
	struct span header = r->message->header.n > 0 ? r->message->header : r->message->text;
	size_t lf = span_chr(header, '\n');

	return lf > 0 && lf < header.n && header.p[lf - 1] == '\r' ? SPAN("\r\n") : SPAN("\n");
}

void
sieve_message_put_lines(const struct sieve_run *r, struct buf *out, struct span text)
{
	struct span eol = sieve_message_eol(r);

	while (text.n > 0) {
		size_t lf = span_chr(text, '\n'), end = lf;

		if (lf < text.n && lf > 0 && text.p[lf - 1] == '\r')
			end--;
		buf_add(out, span_sub(text, 0, end));
		if (lf < text.n)
			buf_add(out, eol);
		text = span_from(text, lf + 1);
	}
}
