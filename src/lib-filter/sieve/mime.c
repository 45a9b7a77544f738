/* SPDX-License-Identifier: MIT */
/* mime, foreverypart, break, extracttext (RFC 5703 sections 3 to 5). */
#include "lib-filter/sieve/mime.h"

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/part.h"

#define PARAM_MAX ((size_t)1 << 16)

/* ---- :mime of header, address, exists ---- */

int
sieve_check_mime(struct sieve_checker *c, const struct sieve_node *n)
{
	static const enum sieve_tag need[] = { TAG_ANYCHILD, TAG_TYPE, TAG_SUBTYPE, TAG_CONTENTTYPE, TAG_PARAM };

	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]) && sieve_tag_get(n, TAG_MIME) == NULL; i++)
		if (sieve_tag_get(n, need[i]) != NULL)
			return sieve_fail(c, n, ":anychild, :type, :subtype, :contenttype and :param need :mime");
	return 0;
}

int
sieve_mime_each_header(struct sieve_matching *x, sieve_header_fn *fn)
{
	const struct mime_part *top, *part;
	struct span text;
	int rc = 0;

	/* The whole message's own header needs no look at its parts. */
	if (x->r->edits.part == NULL && sieve_tag_get(x->n, TAG_ANYCHILD) == NULL)
		return fn(x, x->r->message->header);
	if (sieve_message_part(x->r, x->n, &top, &text) == -1)
		return -1;
	for (part = top; part != NULL && rc == 0; part = sieve_part_next(part, top)) {
		bool own = part == top && part->parent == NULL && x->r->edits.part == NULL;

		if (sieve_run_work(x->r, x->n, 1) == -1)
			return -1;
		rc = fn(x, own ? x->r->message->header : span_sub(text, part->header.offset, part->header.size));
		if (sieve_tag_get(x->n, TAG_ANYCHILD) == NULL)
			break;
	}
	return rc;
}

static int
match_params(struct sieve_matching *x, const struct params *ps, const struct sieve_arg *names)
{
	int rc = 0;

	for (size_t i = 0; i < names->count && rc == 0; i++) {
		struct buf value = BUF_INIT(PARAM_MAX);
		struct span name, copy;

		if (sieve_run_string(x->r, x->n, names->strings[i], &name) == -1)
			return -1;
		if (param_get(x->r->charsets, ps, name, &value))
			rc = sieve_run_dup(x->r, x->n, buf_span(&value), &copy) == -1 ? -1 : sieve_matching_value(x, copy);
		buf_clear(&value);
	}
	return rc;
}

bool
sieve_mime_is_partial(const struct sieve_node *n)
{
	return sieve_tag_get(n, TAG_TYPE) != NULL || sieve_tag_get(n, TAG_SUBTYPE) != NULL ||
	    sieve_tag_get(n, TAG_CONTENTTYPE) != NULL || sieve_tag_get(n, TAG_PARAM) != NULL;
}

int
sieve_mime_value(struct sieve_matching *x, struct span field, struct span value)
{
	struct param_budget left = { .count = 1000, .octets = PARAM_MAX };
	const struct sieve_tagged *param = sieve_tag_get(x->n, TAG_PARAM);
	struct content_type ct = { .type = SPAN_NONE };
	struct span both;
	int rc;

	if (sieve_run_work(x->r, x->n, 1 + value.n / 64) == -1)
		return -1;
	if (span_ieq(field, SPAN("Content-Type")))
		rc = content_type_parse(x->r->a, value, &left, &ct);
	else if (span_ieq(field, SPAN("Content-Disposition")))
		rc = content_disposition_parse(x->r->a, value, &left, &ct.type, &ct.params);
	else
		return 0;
	if (rc == -1)
		return sieve_run_fail(x->r, x->n, "the script needs too much memory");
	if (param != NULL)
		return match_params(x, &ct.params, param->value);
	if (sieve_tag_get(x->n, TAG_TYPE) != NULL)
		return ct.type.n == 0 ? 0 : sieve_matching_value(x, ct.type);
	if (sieve_tag_get(x->n, TAG_SUBTYPE) != NULL)
		/* A disposition has one that is always empty. */
		return ct.subtype.n == 0 && span_ieq(field, SPAN("Content-Type")) ? 0 : sieve_matching_value(x, ct.subtype);
	if (ct.type.n == 0)
		return 0;
	both = ct.subtype.n == 0 ? ct.type : span_str(arena_printf(x->r->a, "%.*s/%.*s", SPAN_ARG(ct.type), SPAN_ARG(ct.subtype)));
	return both.p == NULL ? sieve_run_fail(x->r, x->n, "the script needs too much memory") : sieve_matching_value(x, both);
}

/* ---- loops ---- */

static const struct sieve_node *
loop_around(const struct sieve_node *n)
{
	for (n = n->parent; n != NULL; n = n->parent)
		if (!n->is_test && span_ieq(n->name, SPAN("foreverypart")))
			return n;
	return NULL;
}

static struct span
name_of(const struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag_get(n, TAG_NAME);

	return t == NULL ? SPAN_NONE : t->value->strings[0];
}

static int
check_foreverypart(struct sieve_checker *c, struct sieve_node *n)
{
	unsigned depth = 1;

	for (const struct sieve_node *x = loop_around(n); x != NULL; x = loop_around(x))
		depth++;
	return depth > FOREVERYPART_DEPTH_MAX ? sieve_fail(c, n, "loops are nested too deeply") : 0;
}

static int
run_foreverypart(struct sieve_run *r, const struct sieve_node *n)
{
	const struct mime_part *outer = r->edits.part, *root, *top, *part;
	struct span text;
	int rc = 0;

	if (r->loops == FOREVERYPART_DEPTH_MAX)
		return sieve_run_fail(r, n, "loops are nested too deeply");
	if (sieve_message_mime(r, n, &root, &text) == -1)
		return -1;
	r->loops++;
	top = outer == NULL ? root : outer;
	/* Within another loop: of the parts below the one that is at work there. */
	part = outer == NULL ? root : sieve_message_was_replaced(r, outer) ? NULL : sieve_part_next(outer, top);
	sieve_message_loop_begin(r);
	while (part != NULL && rc == 0) {
		if (sieve_run_work(r, n, 1) == -1) {
			rc = -1;
			break;
		}
		r->edits.part = part;
		rc = sieve_run_block(r, n->block);
		if (r->stopped || r->returned)
			break;
		if (r->broken != NULL) {
			if (r->broken == n)
				r->broken = NULL;
			break;
		}
		part = sieve_message_was_replaced(r, part) ? sieve_part_skip(part, top) : sieve_part_next(part, top);
	}
	r->loops--;
	r->edits.part = outer;
	sieve_message_loop_end(r);
	return rc;
}

static int
check_break(struct sieve_checker *c, struct sieve_node *n)
{
	struct span name = name_of(n);
	const struct sieve_node *loop = loop_around(n);

	/* One that is wrong itself may have meant any name. */
	while (loop != NULL && name.p != NULL && !loop->broken && !span_eq(name_of(loop), name))
		loop = loop_around(loop);
	if (loop == NULL && name.p != NULL)
		return sieve_fail(c, n, "there is no foreverypart \"%.*s\" around it", SPAN_ARG(span_sub(name, 0, 60)));
	if (loop == NULL)
		return sieve_fail(c, n, "there is no foreverypart around it");
	n->extra = (void *)(uintptr_t)loop;
	return 0;
}

static int
run_break(struct sieve_run *r, const struct sieve_node *n)
{
	r->broken = n->extra;
	return 0;
}

/* ---- extracttext ---- */

static int
check_extracttext(struct sieve_checker *c, struct sieve_node *n)
{
	if (!sieve_check_has(c, n, EXT_VARIABLES))
		return -1;
	if (loop_around(n) == NULL)
		return sieve_fail(c, n, "there is no foreverypart around it");
	return sieve_check_variable(c, n, n->pos[0]->strings[0]);
}

static int
run_extracttext(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *first = sieve_tag_get(n, TAG_FIRST);
	const struct mime_part *part;
	struct span text, content = SPAN("");

	if (sieve_message_part(r, n, &part, &text) == -1 ||
	    (part->flags & MIME_TEXT && sieve_part_text(r, n, part, text, true, &content) == -1))
		return -1;
	if (first != NULL) {
		size_t end = 0;

		/* characters, not octets */
		for (uint64_t left = first->value->number; end < content.n; end++)
			if (((unsigned char)content.p[end] & 0xc0) != 0x80 && left-- == 0)
				break;
		content = span_sub(content, 0, end);
	}
	if (sieve_run_modify(r, n, span_sub(content, 0, r->limits.variable_octets + 4), &content) == -1)
		return -1;
	return sieve_variable_set(r, n, n->pos[0]->strings[0], content);
}

static const struct sieve_tag_use name_tags[] = { { TAG_NAME, EXT_FOREVERYPART }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use extract_tags[] = { { TAG_FIRST, EXT_EXTRACTTEXT }, SIEVE_MODIFIER_TAGS, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_mime[] = {
	{ .name = "foreverypart", .ext = EXT_FOREVERYPART, .args = "", .tags = name_tags, .block = true, .check = check_foreverypart,
	    .run = run_foreverypart },
	{ .name = "break", .ext = EXT_FOREVERYPART, .args = "", .tags = name_tags, .check = check_break, .run = run_break },
	{ .name = "extracttext", .ext = EXT_EXTRACTTEXT, .args = "S", .tags = extract_tags, .check = check_extracttext,
	    .run = run_extracttext },
	{ .name = NULL },
};
