/* SPDX-License-Identifier: MIT */
#include "lib-storage/subscription-file.h"

#include "lib/encode.h"
#include "lib-index/schema.h"

void
subscriptions_begin(struct subscription_reader *r, struct span text, char separator, bool utf8, bool courier)
{
	*r = (struct subscription_reader){ .text = text, .separator = courier ? '.' : separator, .utf8 = utf8 && !courier,
		.courier = courier };
	if (!courier && span_starts(text, SPAN("V\t2\n"))) {
		r->separator = '\t';
		r->used = 4;
	}
}

static bool
put_level(struct buf *name, struct span level, bool utf8)
{
	size_t start = name->n;

	if (level.n == 0)
		return false;
	if (!utf8 && mutf7_decode(name, level))
		goto check;
	name->n = start;
	buf_add(name, level);
check:
	level = span_from(buf_span(name), start);
	for (size_t i = 0; i < level.n; i++)
		if ((unsigned char)level.p[i] < ' ' || level.p[i] == 0x7f || level.p[i] == '/')
			return false;
	return !name->failed && utf8_is_valid(level);
}

static bool
parse_line(const struct subscription_reader *r, struct span line, struct buf *name)
{
	struct span level;
	bool first = true;

	buf_reset(name);
	if (r->courier && span_istarts(line, SPAN("INBOX.")))
		line = span_from(line, 6);
	while (span_next(&line, r->separator, &level)) {
		if (!first)
			buf_addc(name, '/');
		first = false;
		if (!put_level(name, level, r->utf8))
			return false;
	}
	if (name->failed || name->n == 0 || name->n > INDEX_NAME_MAX)
		return false;
	if (span_ieq(buf_span(name), SPAN("INBOX")))
		memcpy(name->p, "INBOX", 5);
	return true;
}

bool
subscriptions_next(struct subscription_reader *r, struct buf *name)
{
	struct span line;

	while (r->used < r->text.n) {
		if (!span_line(r->text, &r->used, &line)) {
			line = span_from(r->text, r->used);
			r->used = r->text.n;
		}
		if (parse_line(r, line, name))
			return true;
	}
	return false;
}

void
subscription_put(struct buf *out, struct span name, bool utf8)
{
	struct span level;
	bool first = true;

	while (span_next(&name, '/', &level)) {
		if (!first)
			buf_addc(out, '\t');
		first = false;
		if (utf8 || !mutf7_encode(out, level))
			buf_add(out, level);
	}
	buf_addc(out, '\n');
}
