/* SPDX-License-Identifier: MIT */
/*
 * Whatever the message, its parts lie inside each other, and their virtual sizes and lines are those of their octets.
 * The limits are low, so that they are met.
 */
#include <stdlib.h>

#include "lib-mail/crlf.h"
#include "lib-mail/imap-mime.h"
#include "lib-mail/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_extent(struct span in, const struct mime_extent *x)
{
	struct crlf_count count = { 0, 0 };

	if (x->offset > in.n || x->size > in.n - x->offset)
		abort();
	crlf_count(&count, span_sub(in, x->offset, x->size), x->offset == 0 ? '\0' : in.p[x->offset - 1]);
	if (x->lines != count.lines || x->virt != x->size + count.bare)
		abort();
}

static void
check_part(struct span in, const struct mime_part *p)
{
	unsigned children = 0;
	size_t end = p->body.offset;

	check_extent(in, &p->header);
	check_extent(in, &p->body);
	if (p->type.n == 0 || p->subtype.n == 0 || p->header.offset + p->header.size != p->body.offset)
		abort();
	for (const struct mime_part *c = p->child; c != NULL; c = c->next, children++) {
		if (c->parent != p || c->header.offset < end)
			abort();
		end = c->body.offset + c->body.size;
		if (end > p->body.offset + p->body.size)
			abort();
		check_part(in, c);
	}
	if (children != p->children)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct span in = span_of(data, size);
	struct arena *a = arena_new(MAIL_ARENA_MAX);
	struct array holes = ARRAY_INIT(struct imap_hole, 1000);
	struct buf out = BUF_INIT((size_t)64 << 20);
	struct match_needle *needle = match_needle_new(SPAN("x\xc3\xa4y"));
	struct mime_part *root;

	lim.mime_depth = 6;
	lim.mime_parts = 30;
	lim.header_fields = 20;
	lim.params = 40;
	lim.param_octets = 200;
	if (mime_parse(a, in, &lim, NULL, NULL, &root) == -1 || root->header.size + root->body.size != size)
		abort();
	check_part(in, root);
	if (imap_bodystructure_write(&out, root, &lim, &holes) == -1 || imap_body_write(&out, root, &lim) == -1)
		abort();
	mime_has_attachment(root);
	if (match_message(needle, in, MATCH_TEXT, &lim) == -1)
		abort();
	match_needle_free(needle);
	array_clear(&holes);
	buf_clear(&out);
	arena_free(a);
	return 0;
}
