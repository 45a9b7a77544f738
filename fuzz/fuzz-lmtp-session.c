/* SPDX-License-Identifier: MIT */
/*
 * A whole LMTP session with users a and b.  The first octet says in what pieces the input arrives: answers and delivered
 * octets must be those to the input in one piece.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lmtp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum lmtp_lookup
lookup(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	(void)ctx;
	(void)t;
	r->user = r->asked;
	return r->asked.n == 1 && (r->asked.p[0] == 'a' || r->asked.p[0] == 'b') ? LMTP_FOUND : LMTP_UNKNOWN;
}

static void
deliver(void *ctx, struct lmtp_transaction *t, int fd)
{
	(void)ctx;
	for (size_t i = 0; i < t->rcpt_count; i++) {
		t->rcpts[i].code = 250;
		snprintf(t->rcpts[i].reply, sizeof(t->rcpts[i].reply), "2.0.0 %lld", (long long)lseek(fd, 0, SEEK_END));
	}
}

static void
run(struct span input, size_t step, struct stream *s)
{
	const struct lmtp_options o = { .hostname = SPAN("h"), .delimiters = SPAN("+-"), .max_size = 500,
					.max_recipients = 3, .max_line = 200, .max_bad = 8, .add_received = true };
	const struct lmtp_backend backend = { .lookup = lookup, .deliver = deliver };
	struct lmtp_status status = { 0, 0 };
	struct lmtp_session l;
	struct err e = ERR_INIT;

	stream_init_mem(s, input, 4096, 1 << 22);
	s->script_step = step;
	if (lmtp_session_init(&l, s, &o, &backend, &status, "id", &e) == 0)
		lmtp_session_run(&l, &e);
	lmtp_session_clear(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream whole, cut;
	struct span input;

	if (size < 1 || size > 4096)
		return 0;
	input = span_of(data + 1, size - 1);
	run(input, input.n + 1, &whole);
	run(input, (size_t)data[0] % 16 + 1, &cut);
	if (!span_eq(buf_span(&whole.out), buf_span(&cut.out)))
		abort();
	stream_clear(&whole);
	stream_clear(&cut);
	return 0;
}
