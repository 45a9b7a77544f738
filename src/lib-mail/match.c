/* SPDX-License-Identifier: MIT */
#include "lib-mail/match.h"

#include <stdlib.h>

#include "lib-mail/encoded-word.h"
#include "lib-mail/mime.h"

enum { PIECE = 64 * 1024 };	/* octets of a part that are converted and folded at a time */

struct walker {
	struct charset_cache *cache;
	struct span msg;
	const struct mail_limits *lim;
	match_on_text on_text;
	void *ctx;
	struct buf octets;	/* a part without its transfer encoding, decoded */
	struct buf utf8, folded;
	bool stop;
};

static bool
walker_failed(const struct walker *w)
{
	return w->octets.failed || w->utf8.failed || w->folded.failed;
}

/* What is in w->utf8, which is emptied. */
static void
emit(struct walker *w, bool joined)
{
	buf_reset(&w->folded);
	charset_fold(&w->folded, buf_span(&w->utf8));
	w->utf8.n = 0;
	if (!walker_failed(w) && w->folded.n > 0 && !w->on_text(w->ctx, buf_span(&w->folded), joined))
		w->stop = true;
}

/* "Name: value" of each field, decoded, a line each. */
static void
walk_header(struct walker *w, const struct mime_extent *x)
{
	struct header_iter it;
	struct header_field f;
	bool joined = false;

	header_begin(&it, span_sub(w->msg, x->offset, x->size), w->lim->header_fields, w->lim->header_octets);
	while (!w->stop && !walker_failed(w) && header_next(&it, &f)) {
		if (f.name.n > 0) {
			charset_to_utf8(w->cache, &w->utf8, SPAN_NONE, f.name);
			buf_add(&w->utf8, SPAN(": "));
		}
		encoded_word_decode(w->cache, &w->utf8, f.value);
		buf_addc(&w->utf8, '\n');
		if (w->utf8.n >= PIECE) {
			emit(w, joined);
			joined = true;
		}
	}
	emit(w, joined);
}

static void
walk_text(struct walker *w, const struct mime_part *part)
{
	struct span text = span_sub(w->msg, part->body.offset, part->body.size);
	struct charset *cs = charset_open(w->cache, param_raw(&part->params, SPAN("charset")));
	bool joined = false;

	if (cs == NULL) {
		w->utf8.failed = true;
		return;
	}
	buf_reset(&w->octets);
	if (part->encoding.n > 0 && !span_ieq(part->encoding, SPAN("7bit")) &&
		!span_ieq(part->encoding, SPAN("8bit")) && mime_decode(&w->octets, w->msg, part))
		text = buf_span(&w->octets);
	while (text.n > 0 && !w->stop && !walker_failed(w)) {
		struct span piece = span_sub(text, 0, PIECE);

		charset_add(cs, &w->utf8, piece);
		text = span_from(text, piece.n);
		if (text.n == 0)
			charset_finish(cs, &w->utf8);
		emit(w, joined);
		joined = true;
	}
	charset_close(cs);
}

/*
 * Text, and what is made of fields like a header (delivery reports and the like).  A multipart that has no parts is
 * text to whoever looks at it.
 */
static bool
is_searched(const struct mime_part *part)
{
	if (part->child != NULL)
		return false;
	return (part->flags & (MIME_TEXT | MIME_MULTIPART)) != 0 || span_ieq(part->type, SPAN("message"));
}

static const struct mime_part *
next_part(const struct mime_part *part)
{
	if (part->child != NULL)
		return part->child;
	while (part != NULL && part->next == NULL)
		part = part->parent;
	return part == NULL ? NULL : part->next;
}

static int
walk(struct walker *w, struct arena *a, enum match_where where)
{
	struct mime_part *root;

	if (mime_parse(a, w->msg, w->lim, NULL, NULL, &root) == -1)
		return -1;
	for (const struct mime_part *p = root; p != NULL && !w->stop && !walker_failed(w); p = next_part(p)) {
		if (where == MATCH_TEXT || (p != root && p->envelope != NULL))
			walk_header(w, &p->header);
		if (!w->stop && is_searched(p))
			walk_text(w, p);
	}
	return walker_failed(w) ? -1 : 0;
}

/* An emptied buffer whose maximum only grows. */
static void
allow(struct buf *b, size_t max)
{
	if (b->max < max)
		b->max = max;
	buf_reset(b);
}

static void
walker_init(struct walker *w, struct span message, const struct mail_limits *lim)
{
	/* No charset makes more than eight octets of one, no folding more than sixteen. */
	size_t most = message.n + PIECE;

	w->msg = message;
	w->lim = lim;
	allow(&w->octets, most);
	allow(&w->utf8, 8 * most);
	allow(&w->folded, 16 * 8 * most);
	w->stop = false;
}

static void
walker_clear(struct walker *w)
{
	buf_clear(&w->octets);
	buf_clear(&w->utf8);
	buf_clear(&w->folded);
}

int
match_walk(struct charset_cache *cache, struct span message, enum match_where where, const struct mail_limits *lim,
	match_on_text on_text, void *ctx)
{
	struct walker w = { .cache = cache, .on_text = on_text, .ctx = ctx };
	struct arena *a = arena_new(MAIL_ARENA_MAX);
	int rc = -1;

	walker_init(&w, message, lim);
	if (a != NULL)
		rc = walk(&w, a, where);
	walker_clear(&w);
	arena_free(a);
	return rc;
}

struct match_needle {
	struct buf folded;
	struct arena *arena;
	struct walker w;	/* its buffers stay from message to message */
	struct buf seam;	/* the end of the piece before and the beginning of this one */
	bool found;
};

struct match_needle *
match_needle_new(struct span utf8)
{
	struct match_needle *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->folded.max = 16 * utf8.n + 64;
	n->seam.max = 4 * n->folded.max;
	n->arena = arena_new(MAIL_ARENA_MAX);
	n->w.cache = charset_cache_new();
	charset_fold(&n->folded, utf8);
	if (n->arena == NULL || n->w.cache == NULL || n->folded.failed) {
		match_needle_free(n);
		return NULL;
	}
	return n;
}

void
match_needle_free(struct match_needle *needle)
{
	if (needle == NULL)
		return;
	buf_clear(&needle->folded);
	buf_clear(&needle->seam);
	walker_clear(&needle->w);
	charset_cache_free(needle->w.cache);
	arena_free(needle->arena);
	free(needle);
}

static bool
is_in(const struct match_needle *needle, struct span folded)
{
	struct span n = buf_span(&needle->folded);

	return n.n == 0 || (folded.n >= n.n && memmem(folded.p, folded.n, n.p, n.n) != NULL);
}

bool
match_utf8(struct match_needle *needle, struct span utf8)
{
	struct buf *folded = &needle->w.folded;

	allow(folded, 16 * utf8.n + PIECE);
	charset_fold(folded, utf8);
	return is_in(needle, buf_span(folded));
}

bool
match_value(struct match_needle *needle, struct span value)
{
	struct buf *utf8 = &needle->w.utf8;

	allow(utf8, 8 * value.n + PIECE);
	encoded_word_decode(needle->w.cache, utf8, value);
	return match_utf8(needle, buf_span(utf8));
}

bool
match_header(struct match_needle *needle, struct span header, struct span name, const struct mail_limits *lim)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, header, lim->header_fields, lim->header_octets);
	while (header_next(&it, &f)) {
		if (f.name.n > 0 && span_ieq(f.name, name) && (needle->folded.n == 0 || match_value(needle, f.value)))
			return true;
	}
	return false;
}

/* A match may lie across two pieces: as much of each as it can have there is looked at once more. */
static bool
on_piece(void *ctx, struct span folded, bool joined)
{
	struct match_needle *n = ctx;
	size_t most = n->folded.n - 1;

	if (joined) {
		buf_add(&n->seam, span_sub(folded, 0, most));
		n->found = is_in(n, buf_span(&n->seam));
	} else {
		buf_reset(&n->seam);
	}
	n->found = n->found || is_in(n, folded);
	if (folded.n >= most) {
		buf_reset(&n->seam);
		buf_add(&n->seam, span_from(folded, folded.n - most));
	} else if (!joined) {
		buf_add(&n->seam, folded);
	} else if (n->seam.n > most) {
		buf_drop(&n->seam, n->seam.n - most);
	}
	return !n->found;
}

int
match_message(struct match_needle *needle, struct span message, enum match_where where, const struct mail_limits *lim)
{
	int rc;

	if (needle->folded.n == 0)
		return 1;
	needle->found = false;
	buf_reset(&needle->seam);
	walker_init(&needle->w, message, lim);
	needle->w.on_text = on_piece;
	needle->w.ctx = needle;
	rc = walk(&needle->w, needle->arena, where);
	arena_reset(needle->arena);
	return rc == -1 || needle->seam.failed ? -1 : needle->found;
}
