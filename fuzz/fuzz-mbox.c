/* SPDX-License-Identifier: MIT */
/*
 * The parser of mbox files.  For all of its functions: cutting the input can delay the verdict, never change it.  What clients
 * see of a header is as long as was said, and reading it again finds nothing to hide.
 */
#include <stdint.h>
#include <stdlib.h>
#include "lib-storage/mbox/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_from(struct span in, bool end)
{
	struct mbox_date whole_date = { 0 }, date = { 0 };
	size_t whole_used = 0, used = 0;
	enum mbox_verdict whole = mbox_from_line(in, end, &whole_date, &whole_used);

	check(!end || whole != MBOX_MORE);
	check(whole != MBOX_YES || (whole_used <= in.n && whole_used <= MBOX_FROM_MAX));
	for (size_t n = 0; n < in.n; n++) {
		enum mbox_verdict cut = mbox_from_line(span_sub(in, 0, n), false, &date, &used);

		check(cut == MBOX_MORE || (cut == whole && (cut == MBOX_NO || (used == whole_used && date.year == whole_date.year &&
		    date.second == whole_date.second && date.zone == whole_date.zone))));
	}
}

static bool
same_header(const struct mbox_header *a, const struct mbox_header *b)
{
	return a->length == b->length && a->visible == b->visible && a->bare == b->bare && a->digest == b->digest &&
	    a->flags == b->flags && a->uid == b->uid && a->uidvalidity == b->uidvalidity && a->ended == b->ended &&
	    a->content_length == b->content_length && span_eq(a->keywords, b->keywords);
}

static void
check_header(struct span in)
{
	struct mbox_header whole, part;
	struct buf out = BUF_INIT(in.n + 1), again = BUF_INIT(in.n + 1);

	check(mbox_header_parse(in, true, &whole) == MBOX_YES);
	check(whole.length <= in.n && whole.visible <= whole.length);
	for (size_t n = 0; n < in.n; n++)
		if (mbox_header_parse(span_sub(in, 0, n), false, &part) == MBOX_YES)
			check(same_header(&part, &whole));
	mbox_header_visible(span_sub(in, 0, whole.length), &out);
	check(out.n == whole.visible);
	check(mbox_header_parse(buf_span(&out), true, &part) == MBOX_YES);
	check(part.uid == 0 && part.uidvalidity == 0 && !part.has_status && !part.has_length);
	mbox_header_visible(buf_span(&out), &again);
	check(span_eq(buf_span(&out), buf_span(&again)));
	buf_clear(&out);
	buf_clear(&again);
}

/* Pieces of any size, as a reader shows them, find the same From line. */
static void
check_scan(struct span in, size_t piece)
{
	size_t whole_at = 0, at = 0, base = 0, have = 0;
	enum mbox_verdict whole = mbox_body_scan(in, true, true, &whole_at), v = MBOX_MORE;

	check(whole != MBOX_MORE);
	while (v == MBOX_MORE) {
		bool end;

		have = in.n - have < piece ? in.n : have + piece;
		end = have == in.n;
		v = mbox_body_scan(span_sub(in, base, have - base), base == 0 || in.p[base - 1] == '\n', end, &at);
		check(v != MBOX_MORE || !end);
		check(v == MBOX_NO || at <= have - base);
		if (v == MBOX_MORE)
			base += at;
	}
	check(v == whole && (v == MBOX_NO || base + at == whole_at));
}

static void
check_boundary(struct span in, bool unended)
{
	size_t whole_blank = 0, blank = 0;
	enum mbox_verdict whole = mbox_is_boundary(in, unended, false, &whole_blank);

	check(mbox_is_boundary(in, unended, true, &blank) != MBOX_MORE);
	for (size_t n = 0; n < in.n; n++) {
		enum mbox_verdict cut = mbox_is_boundary(span_sub(in, 0, n), unended, false, &blank);

		check(cut == MBOX_MORE || (cut == whole && (cut == MBOX_NO || blank == whole_blank)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);

	/* Every cut is tried: quadratic. */
	if (size > 2000)
		return 0;
	check_from(in, false);
	check_from(in, true);
	check_header(in);
	for (size_t piece = 1; piece < 40; piece += 6)
		check_scan(in, piece);
	check_boundary(in, false);
	check_boundary(in, true);
	return 0;
}
