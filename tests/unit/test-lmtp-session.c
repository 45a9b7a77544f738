/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/sys.h"
#include "lmtp/session.h"
#include "transcript.h"

/* Users: bob, alice, carol@example.org; off is disabled, temp can not be looked up, full is over quota; with gone auth goes. */
struct world {
	struct lmtp_options o;
	struct lmtp_status status;
	struct buf message;		/* the last one that was delivered */
	struct buf header;		/* of its last recipient */
	char detail[100];
	unsigned deliveries, told;
	int result;
	struct err e;
	bool tls, lost;
	struct buf tables[3];		/* text of each kind, as the options have it */
	struct recipient_expand_options recipients;
};

static enum lmtp_lookup
lookup(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	static const char *const users[] = { "bob", "alice", "carol@example.org", "full" };

	(void)t;
	if (span_eq(r->asked, SPAN("gone")))
		((struct world *)ctx)->lost = true;
	if (span_eq(r->asked, SPAN("gone")))
		return LMTP_TEMP;
	if (span_eq(r->asked, SPAN("off")))
		return LMTP_DISABLED;
	if (span_eq(r->asked, SPAN("temp")))
		return LMTP_TEMP;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (span_ieq(r->asked, span_str(users[i]))) {
			r->user = span_str(users[i]);
			return LMTP_FOUND;
		}
	return LMTP_UNKNOWN;
}

/* No room for "full", nor for more than 800 octets for anybody. */
static enum lmtp_lookup
fits(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	(void)ctx;
	if (!span_eq(r->user, SPAN("full")) && t->declared_size <= 800)
		return LMTP_FOUND;
	r->code = 552;
	snprintf(r->reply, sizeof(r->reply), "5.2.2 <%.*s> Quota exceeded", SPAN_ARG(r->path.text));
	return LMTP_REFUSED;
}

static void
deliver(void *ctx, struct lmtp_transaction *t, int fd)
{
	struct world *w = ctx;
	struct err e = ERR_INIT;

	buf_reset(&w->message);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, w->message.max, &w->message, &e), 0);
	assert_int_equal(write(fd, "x", 1), -1);	/* sealed */
	for (size_t i = 0; i < t->rcpt_count; i++) {
		struct lmtp_rcpt *r = &t->rcpts[i];

		if (r->leg == LMTP_LEG_OUT) {
			bool later = span_starts(r->out->text, SPAN("later"));

			r->code = later ? 451 : 250;
			snprintf(r->reply, sizeof(r->reply), "%s <%.*s> %.*s from <%.*s>", later ? "4.3.0" : "2.0.0", SPAN_ARG(r->asked_for),
			    SPAN_ARG(r->out->text), SPAN_ARG(r->sender));
			continue;
		}
		if (r->leg != LMTP_LEG_USER)
			continue;
		if (span_eq(r->user, SPAN("full"))) {
			r->code = 552;
			snprintf(r->reply, sizeof(r->reply), "5.2.2 <%.*s> Quota exceeded", SPAN_ARG(r->path.text));
			continue;
		}
		r->code = 250;
		snprintf(r->reply, sizeof(r->reply), "2.0.0 <%.*s> %s Saved %zu", SPAN_ARG(r->path.text), t->session,
		    w->message.n);
		w->deliveries++;
		snprintf(w->detail, sizeof(w->detail), "%.*s", SPAN_ARG(r->detail));
		buf_reset(&w->header);
		buf_add(&w->header, r->header);
	}
}

/* Owners at else.example are not to be had. */
static int
tell_owner(void *ctx, struct lmtp_transaction *t, size_t idx, struct span owner, struct span failed, int fd)
{
	struct world *w = ctx;

	(void)fd;
	if (span_ends(owner, SPAN("else.example")))
		return -1;
	w->told++;
	assert_true(failed.n > 0 && failed.p[failed.n - 1] == '\n');
	assert_true(t->rcpts[idx].asked_for.n > 0);
	return 0;
}

static bool
is_lost(void *ctx)
{
	return ((struct world *)ctx)->lost;
}

static int
start_tls(void *ctx, struct stream *s, struct err *e)
{
	(void)ctx;
	(void)s;
	(void)e;
	return 0;
}

static void
start(void *ctx)
{
	struct world *w = ctx;

	memset(w, 0, sizeof(*w));
	w->o = (struct lmtp_options){ .hostname = SPAN("mx.example"), .delimiters = SPAN("+"), .max_size = 1000,
				      .max_recipients = 3, .max_line = 512, .max_bad = 5, .add_received = true };
	buf_init(&w->message, 1 << 20);
	buf_init(&w->header, 1 << 20);
	for (size_t i = 0; i < 3; i++)
		buf_init(&w->tables[i], 1 << 16);
}

/* A line of a table; access, virtual, aliases. */
static bool
add_line(struct world *w, struct span name, struct span value)
{
	static const char *const kinds[] = { "access", "virtual", "aliases" };	/* as enum recipient_table_kind has them */

	for (size_t i = 0; i < 3; i++)
		if (span_eq(name, span_str(kinds[i]))) {
			buf_add(&w->tables[i], value);
			buf_addc(&w->tables[i], '\n');
			return true;
		}
	return false;
}

/* NULL: there are none. */
static struct recipient_tables *
make_tables(struct world *w)
{
	static const struct recipient_limits limits = { 1 << 16, 1000, 10, true };
	struct buf packed = BUF_INIT(1 << 18);
	struct recipient_tables *t = NULL;

	for (size_t i = 0; i < 3; i++)
		if (w->tables[i].n > 0) {
			buf_add_be32(&packed, (uint32_t)i);
			buf_add_be32(&packed, 1);
			buf_add_be32(&packed, 2);
			buf_adds(&packed, "/t");
			buf_add_be32(&packed, (uint32_t)w->tables[i].n);
			buf_add(&packed, buf_span(&w->tables[i]));
		}
	if (packed.n > 0) {
		t = recipient_tables_of(SPAN(""), SPAN(""), SPAN("/t"), &limits, &w->e);
		assert_non_null(t);
		if (recipient_tables_unpack(t, buf_span(&packed), 1, &w->e) == -1)
			fail_msg("%s", w->e.log);
	}
	buf_clear(&packed);
	return t;
}

static void
option(void *ctx, struct span name, struct span value)
{
	struct world *w = ctx;

	if (add_line(w, name, value))
		return;
	if (span_eq(name, SPAN("tls")))
		w->tls = span_eq(value, SPAN("1"));
	else if (span_eq(name, SPAN("needs_tls")))
		w->o.needs_tls = span_eq(value, SPAN("1"));
	else if (span_eq(name, SPAN("trusted")))
		w->o.trusts_client = span_eq(value, SPAN("1"));
	else if (span_eq(name, SPAN("check_quota")))
		w->o.check_quota = span_eq(value, SPAN("1"));
	else if (span_eq(name, SPAN("workarounds"))) {
		w->o.space_before_path = true;
		w->o.path_flags = SMTP_PATH_BARE;
	} else
		fail_msg("unknown option %.*s", SPAN_ARG(name));
}

static void
play(void *ctx, struct stream *s)
{
	struct world *w = ctx;
	const struct lmtp_backend backend = { w, lookup, w->o.check_quota ? fits : NULL, deliver, w->tls ? start_tls : NULL, NULL,
		tell_owner, NULL, NULL, NULL, is_lost };
	struct recipient_tables *tables = make_tables(w);
	struct lmtp_session l;

	if (tables != NULL) {
		w->recipients = (struct recipient_expand_options){ .tables = tables, .delimiters = SPAN("+"), .domains = SPAN(""),
			.hostname = SPAN("mx.example"), .max_depth = 5, .max_targets = 10, .programs = true };
		w->o.recipients = &w->recipients;
	}
	assert_int_equal(lmtp_session_init(&l, s, &w->o, &backend, &w->status, "SESSION", &w->e), 0);
	l.rip = SPAN("192.0.2.1");
	w->result = lmtp_session_run(&l, &w->e);
	lmtp_session_clear(&l);
	recipient_tables_free(tables);
}

static void
stop(void *ctx)
{
	struct world *w = ctx;

	buf_clear(&w->message);
	buf_clear(&w->header);
	for (size_t i = 0; i < 3; i++)
		buf_clear(&w->tables[i]);
}

static void
test_transcripts(void **state)
{
	static struct world w;
	const struct transcript_ops ops = { start, option, play, stop, &w };

	(void)state;
	transcript_dir("lmtp", &ops);
}

static void
run(struct world *w, struct span input)
{
	struct stream s;

	stream_init_mem(&s, input, 65536, 1 << 20);
	play(w, &s);
	stream_clear(&s);
}

static void
test_message(void **state)
{
	static struct world w;
	struct span rest;

	(void)state;
	start(&w);
	run(&w, SPAN("LHLO client.example\r\nMAIL FROM:<s@x>\r\nRCPT TO:<bob+lists@example.org>\r\n"
		     "RCPT TO:<Bob+lists>\r\nDATA\r\nSubject: a\r\n\r\n..\r\nb\n.\n\0\r\n.\r\nQUIT\r\n"));
	assert_int_equal(w.result, 0);
	assert_int_equal(w.deliveries, 1);
	assert_string_equal(w.detail, "lists");
	assert_true(span_eq(buf_span(&w.message), SPAN("Subject: a\r\n\r\n.\r\nb\n.\n\0\r\n")));
	rest = buf_span(&w.header);
	assert_true(span_starts(rest, SPAN("Return-Path: <s@x>\r\nDelivered-To: Bob+lists\r\n"
	    "Received: from client.example ([192.0.2.1])\r\n\tby mx.example with LMTP\r\n\tid SESSION\r\n"
	    "\t(envelope-from <s@x>)\r\n\tfor <Bob+lists>; ")));
	assert_true(span_ends(rest, SPAN("\r\n")));
	stop(&w);
}

static void
test_delivery_address(void **state)
{
	static const struct { int address; const char *want, *received; } cases[] = {
		{ LMTP_ADDRESS_FINAL, "Return-Path: <>\r\nDelivered-To: bob\r\n", "\r\n\tfor <bob>; " },
		{ LMTP_ADDRESS_ORIGINAL, "Return-Path: <>\r\nDelivered-To: info@a\r\n", "\r\n\tfor <info@a>; " },
		{ LMTP_ADDRESS_NONE, "Return-Path: <>\r\n", NULL },
	};
	static const struct span session = SPAN("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob> ORCPT=rfc822;info@a\r\nBDAT 2 LAST\r\n\r\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct world w;

		start(&w);
		w.o.delivery_address = cases[i].address;
		w.o.add_received = false;
		run(&w, session);
		assert_true(span_eq(buf_span(&w.header), span_str(cases[i].want)));
		w.o.add_received = true;
		run(&w, session);
		assert_true(span_find(buf_span(&w.header), SPAN("(envelope-from <>)")) != SIZE_MAX);
		if (cases[i].received != NULL)
			assert_true(span_find(buf_span(&w.header), span_str(cases[i].received)) != SIZE_MAX);
		else
			assert_true(span_find(buf_span(&w.header), SPAN("for <")) == SIZE_MAX);
		stop(&w);
	}
}

/* One message for who is named twice, unless something else is to be told of them. */
static void
test_twice(void **state)
{
	static struct world w;

	(void)state;
	start(&w);
	w.o.max_recipients = 10;
	run(&w, SPAN("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob>\r\nRCPT TO:<alice>\r\nRCPT TO:<bob>\r\nRCPT TO:<bob+x>\r\n"
		     "RCPT TO:<bob> ORCPT=rfc822;b@a\r\nRCPT TO:<bob> NOTIFY=NEVER\r\nRCPT TO:<bob> ORCPT=rfc822;b@a\r\n"
		     "DATA\r\n.\r\nQUIT\r\n"));
	assert_int_equal(w.result, 0);
	assert_int_equal(w.deliveries, 5);
	stop(&w);
}

/* Larger than what is held in memory, and than what is handed out at once. */
static void
test_large(void **state)
{
	static struct world w;
	struct buf in = BUF_INIT(4 << 20), want = BUF_INIT(4 << 20);

	(void)state;
	start(&w);
	w.o.max_size = 4 << 20;
	w.message.max = 4 << 20;
	buf_adds(&in, "LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<bob>\r\nDATA\r\n");
	for (unsigned i = 0; i < 30000; i++) {
		buf_addf(&want, ".line %u of a message that has many of them\r\n", i);
		buf_addf(&in, "..line %u of a message that has many of them\r\n", i);
	}
	buf_adds(&in, ".\r\nQUIT\r\n");
	assert_false(in.failed);
	run(&w, buf_span(&in));
	assert_int_equal(w.deliveries, 1);
	assert_true(span_eq(buf_span(&w.message), buf_span(&want)));
	stop(&w);
	buf_clear(&in);
	buf_clear(&want);
}

/* However often a MAIL is refused in one connection, the next one finds memory. */
static void
test_refused_for_long(void **state)
{
	static struct world w;
	static char local[401];
	struct buf in = BUF_INIT(64 << 20);
	struct stream s;

	(void)state;
	memset(local, 'x', 400);
	start(&w);
	buf_adds(&in, "LHLO c\r\n");
	for (unsigned i = 0; i < 90000; i++)
		buf_addf(&in, "MAIL FROM:<%s> X=%u\r\nNOOP\r\n", local, i);
	buf_addf(&in, "MAIL FROM:<%s@x>\r\nRCPT TO:<bob>\r\nDATA\r\n\r\n.\r\nQUIT\r\n", local);
	assert_false(in.failed);
	stream_init_mem(&s, buf_span(&in), 65536, 16 << 20);
	play(&w, &s);
	stream_clear(&s);
	assert_int_equal(w.deliveries, 1);
	assert_true(span_starts(buf_span(&w.header), SPAN("Return-Path: <xxx")));
	stop(&w);
	buf_clear(&in);
}

static void
test_long_line(void **state)
{
	static struct world w;
	static char line[2000];
	struct buf in = BUF_INIT(1 << 20);

	(void)state;
	memset(line, 'x', sizeof(line));
	start(&w);
	run(&w, span_of(line, sizeof(line)));
	assert_int_equal(w.result, -1);
	assert_int_equal(w.e.code, ERR_LIMIT);
	stop(&w);
	/* One that does not end. */
	start(&w);
	buf_adds(&in, "NOOP\r\nNOOP ");
	for (unsigned i = 0; i < 200; i++)
		buf_add(&in, span_of(line, sizeof(line)));
	run(&w, buf_span(&in));
	assert_int_equal(w.result, -1);
	assert_int_equal(w.e.code, ERR_LIMIT);
	stop(&w);
	buf_clear(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts), cmocka_unit_test(test_message), cmocka_unit_test(test_delivery_address),
		cmocka_unit_test(test_large), cmocka_unit_test(test_twice), cmocka_unit_test(test_long_line), cmocka_unit_test(test_refused_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
