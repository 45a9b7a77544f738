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
		struct lmtp_rcpt *r = &t->rcpts[i];

		/* Whose sender is l fails for good, whose sender is x for now. */
		r->code = span_starts(r->sender, SPAN("l@")) ? 550 : span_starts(r->sender, SPAN("x@")) ? 450 : 250;
		snprintf(r->reply, sizeof(r->reply), "%u.0.0 %lld %zu", r->code / 100, (long long)lseek(fd, 0, SEEK_END), r->header.n);
	}
}

static enum lmtp_lookup
fits(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	(void)ctx;
	if (t->declared_size <= 100)
		return LMTP_FOUND;
	r->code = 452;
	snprintf(r->reply, sizeof(r->reply), "4.2.2 <%.*s> full", SPAN_ARG(span_sub(r->user, 0, 100)));
	return LMTP_REFUSED;
}

static int
tell_owner(void *ctx, struct lmtp_transaction *t, size_t idx, struct span owner, struct span failed, int fd)
{
	(void)ctx;
	(void)fd;
	if (idx >= t->rcpt_count || owner.n == 0 || failed.n == 0 || failed.p[failed.n - 1] != '\n')
		abort();
	return failed.n % 2 == 0 ? 0 : -1;
}

/* a and b are users; h goes to l; l is a list of them, o one with an owner, x leads elsewhere, d nowhere, c in a circle. */
static struct recipient_tables *
tables(void)
{
	static const char access[] = "From:bad@x REJECT\nFrom:drop@x DISCARD\nTo:closed@ 550 no\nTo:h@ QUARANTINE:odd\nFrom:held@x QUARANTINE\nConnect:10 OK\n";
	static const char aliases[] = "l: a, b, n\no: a, n\nowner-o: b\nx: y@else, |p\nd: /dev/null\nc: c2\nc2: c\ne: error:nouser\n";
	static const char virtual[] = "@v %1@else\nq@v a, b\n";
	static const char *const texts[] = { access, virtual, aliases };
	static const struct recipient_limits limits = { 1 << 16, 1000, 10, true };
	static struct recipient_tables *t;
	struct buf packed = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	for (uint32_t i = 0; t == NULL && i < 3; i++) {
		buf_add_be32(&packed, i);
		buf_add_be32(&packed, 1);
		buf_add_be32(&packed, 2);
		buf_adds(&packed, "/t");
		buf_add_be32(&packed, (uint32_t)strlen(texts[i]));
		buf_adds(&packed, texts[i]);
	}
	if (t == NULL) {
		t = recipient_tables_of(SPAN(""), SPAN(""), SPAN("/t"), &limits, &e);
		if (t == NULL || recipient_tables_unpack(t, buf_span(&packed), 1, &e) == -1)
			abort();
	}
	buf_clear(&packed);
	return t;
}

static void
run(struct span input, size_t step, struct stream *s)
{
	const struct recipient_expand_options recipients = { .tables = tables(), .delimiters = SPAN("+-"), .domains = SPAN(""),
		.hostname = SPAN("h"), .quarantine = SPAN("l@x"), .max_depth = 5, .max_targets = 10, .programs = true };
	const struct lmtp_options o = { .trusts_client = true, .recipients = &recipients, .hostname = SPAN("h"), .delimiters = SPAN("+-"), .max_size = 500,
					.max_recipients = 3, .max_line = 200, .max_bad = 8, .add_received = true };
	const struct lmtp_backend backend = { .lookup = lookup, .deliver = deliver, .fits = fits, .tell_owner = tell_owner };
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
