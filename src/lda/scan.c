/* SPDX-License-Identifier: MIT */
#include "lda/scan.h"

#include "lib/log.h"

#define FIELDS_OCTETS 65536
#define ARENA_MAX ((size_t)64 << 10)

void
lda_scan_init(struct lda_scan *s, const struct set_view *view)
{
	struct err e = ERR_INIT;

	*s = (struct lda_scan){ .fate = SPAM_FATE_NONE, .fields = BUF_INIT(FIELDS_OCTETS) };
	if (spam_scan_init(&s->scan, view, &e) == 0)
		return;
	log_error("%s", e.log);
	s->scan.on = false;
	if (s->scan.defer_on_failure)
		s->fate = SPAM_FATE_DEFER;
}

static void
ask(struct lda_scan *s, struct span text, const struct spam_question *q, struct arena *a)
{
	struct spam_verdict v;
	struct buf words = BUF_INIT(512);
	struct err e = ERR_INIT;

	if (a == NULL)
		err_set(&e, ERR_TEMP, "out of memory");
	if (a == NULL || spam_scan_ask(&s->scan, q, text, a, &v, &e) == -1) {
		log_error("not scanned for spam: %s", e.log);
		s->fate = s->scan.defer_on_failure ? SPAM_FATE_DEFER : SPAM_FATE_NONE;
		return;
	}
	s->fate = spam_scan_fate(&s->scan, &v);
	spam_scan_describe(&words, &v, s->fate);
	log_info("%.*s", SPAN_ARG(buf_span(&words)));
	buf_clear(&words);
	if (s->scan.mark)
		spam_headers_write(&s->fields, &v);
}

static void
put(void *ctx, struct span piece)
{
	buf_add(ctx, piece);
}

void
lda_scan_message(struct lda_scan *s, struct span text, struct span sender, struct span recipient, struct span user)
{
	const struct spam_question q = { .task = SPAM_CHECK, .size = text.n, .user = user, .sender = sender,
					 .recipients = &recipient, .recipient_count = 1 };
	struct arena *a;

	if (s->scan.on && text.n <= s->scan.max_size) {
		a = arena_new(ARENA_MAX);
		ask(s, text, &q, a);
		arena_free(a);
	}
	if (!s->scan.strip || !spam_scan_is_forged(text))
		return;
	buf_init(&s->stripped, text.n + 1);
	spam_scan_strip(text, put, &s->stripped);
	if (s->stripped.failed) {
		log_error("forged X-Spam fields stay: out of memory");
		buf_clear(&s->stripped);
	}
}

void
lda_scan_clear(struct lda_scan *s)
{
	buf_clear(&s->fields);
	buf_clear(&s->stripped);
}
