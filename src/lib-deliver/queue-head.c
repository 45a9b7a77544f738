/* SPDX-License-Identifier: MIT */
#include "lib-deliver/queue-head.h"

#include <stddef.h>

#define MAGIC SPAN("CULVER-QUEUE 1")

static const struct {
	struct span word;
	size_t offset;
} dsn_words[] = {
	{ { "notify", 6 }, offsetof(struct outgoing_dsn, notify) }, { { "ret", 3 }, offsetof(struct outgoing_dsn, ret) },
	{ { "orcpt", 5 }, offsetof(struct outgoing_dsn, orcpt) }, { { "envid", 5 }, offsetof(struct outgoing_dsn, envid) },
	{ { "by", 2 }, offsetof(struct outgoing_dsn, by) },
};
#define DSN_WORDS (sizeof(dsn_words) / sizeof(dsn_words[0]))

void
queue_head_write(struct buf *out, const struct queue_head *head)
{
	buf_add(out, MAGIC);
	buf_addf(out, "\nkind %s\n", head->kind == OUTGOING_REDIRECT ? "redirect" : "send");
	buf_addf(out, "user %.*s\nsender %.*s\nrecipient %.*s\n", SPAN_ARG(head->user), SPAN_ARG(head->sender),
	    SPAN_ARG(head->recipient));
	if (head->keep_for.n > 0)
		buf_addf(out, "keep-for %.*s\n", SPAN_ARG(head->keep_for));
	for (size_t i = 0; i < DSN_WORDS; i++) {
		const struct span *value = (const struct span *)(const void *)((const char *)&head->dsn + dsn_words[i].offset);

		if (value->n > 0)
			buf_addf(out, "%s %.*s\n", dsn_words[i].word.p, SPAN_ARG(*value));
	}
	buf_addf(out, "size %llu\n", (unsigned long long)head->size);
	if (head->created > 0)
		buf_addf(out, "created %lld\n", (long long)head->created);
	buf_addc(out, '\n');
}

/* They go into lines of SMTP, of the log and of this head: no control characters, and no end of a path. */
static bool
is_value(struct span s)
{
	if (s.n > QUEUE_VALUE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return true;
}

/* A space only in a quoted local part. */
static bool
is_address(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' && (quoted || i == 0))
			quoted = !quoted;
		if (s.p[i] == '\\' && quoted)
			i++;
		if (i < s.n && (s.p[i] == '<' || s.p[i] == '>' || (s.p[i] == ' ' && !quoted)))
			return false;
	}
	return !quoted && is_value(s);
}

static bool
take(struct queue_head *h, struct span word, struct span value)
{
	uint64_t n;

	if (span_eq(word, SPAN("kind"))) {
		h->kind = span_eq(value, SPAN("redirect")) ? OUTGOING_REDIRECT : OUTGOING_SEND;
		return span_eq(value, SPAN("redirect")) || span_eq(value, SPAN("send"));
	}
	if (span_eq(word, SPAN("user"))) {
		h->user = value;
		return is_value(value);
	}
	if (span_eq(word, SPAN("sender"))) {
		h->sender = value;
		return is_address(value);
	}
	if (span_eq(word, SPAN("recipient"))) {
		h->recipient = value;
		return is_address(value) && value.n > 0 && value.p[0] != '-';
	}
	if (span_eq(word, SPAN("keep-for"))) {
		h->keep_for = value;
		return is_address(value);
	}
	for (size_t i = 0; i < DSN_WORDS; i++)
		if (span_eq(word, dsn_words[i].word)) {
			*(struct span *)(void *)((char *)&h->dsn + dsn_words[i].offset) = value;
			return outgoing_dsn_is_valid(&h->dsn);
		}
	if (span_eq(word, SPAN("size")))
		return span_u64(value, UINT64_MAX / 2, &h->size);
	if (span_eq(word, SPAN("created"))) {
		bool good = span_u64(value, INT64_MAX, &n);

		h->created = good ? (int64_t)n : 0;
		return good;
	}
	return false;
}

int
queue_head_parse(struct span in, struct queue_head *out, size_t *used_out)
{
	struct queue_head h = { .user = SPAN(""), .sender = SPAN(""), .keep_for = SPAN(""), .size = UINT64_MAX };
	struct span line;
	size_t used = 0;
	bool first = true;

	while (span_line(span_sub(in, 0, QUEUE_HEAD_MAX), &used, &line)) {
		size_t n = span_chr(line, ' ');

		if (first && !span_eq(line, MAGIC))
			return -1;
		if (line.n == 0) {
			if (h.size == UINT64_MAX || h.recipient.n == 0)
				return -1;
			*out = h;
			*used_out = used;
			return 1;
		}
		if (!first && !take(&h, span_sub(line, 0, n), span_from(line, n + 1)))
			return -1;
		first = false;
	}
	/* The start of a first line that can not become the right one needs no more. */
	if (first && in.n > 0 && !span_starts(MAGIC, span_sub(in, 0, MAGIC.n)))
		return -1;
	return in.n >= QUEUE_HEAD_MAX ? -1 : 0;
}
