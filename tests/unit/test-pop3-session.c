/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "fake-mailbox.h"
#include "lib/log.h"
#include "lib-storage/uidl.h"
#include "pop3/session.h"
#include "pop3/text.h"
#include "transcript.h"

struct world {
	struct mailbox box;
	struct pop3_options o;
	int result;
};

static void
usual_options(struct pop3_options *o)
{
	*o = (struct pop3_options){ .uidl_format = SPAN("%08Xu%08Xv"), .max_line = 1024, .max_bad = 20 };
}

static void
add(struct mailbox *box, const char *text)
{
	fake_mailbox_add(box, span_str(text));
}

static void
start(void *ctx)
{
	struct world *w = ctx;

	memset(w, 0, sizeof(*w));
	usual_options(&w->o);
	add(&w->box, "Subject: one\n\nhello\n.dot\n..two\nlast\n");
	add(&w->box, "Subject: two\r\n\r\nCRLF\r\n.\r\nno end");
	add(&w->box, "Subject: three, a header alone\n");
	w->box.msgs[1].flags = MSG_SEEN;
	w->box.msgs[2].size_unknown = true;
}

static void
option(void *ctx, struct span name, struct span value)
{
	struct world *w = ctx;
	uint32_t n = 0;

	span_u32(value, &n);
	if (span_eq(name, SPAN("uidl_format")))
		w->o.uidl_format = value;
	else if (span_eq(name, SPAN("enable_last")))
		w->o.enable_last = n;
	else if (span_eq(name, SPAN("rename_duplicates")))
		w->o.rename_duplicates = n;
	else if (span_eq(name, SPAN("reuse_xuidl")))
		w->o.reuse_xuidl = n;
	else if (span_eq(name, SPAN("save_uidl")))
		w->o.save_uidl = n;
	else if (span_eq(name, SPAN("stored")))
		w->box.msgs[n - 1].uidl = "stored-before";
	else if (span_eq(name, SPAN("ns_eoh")))
		w->o.ns_eoh = n;
	else if (span_eq(name, SPAN("fast_sizes")))
		w->o.fast_sizes = n;
	else if (span_eq(name, SPAN("max_bad")))
		w->o.max_bad = n;
	else if (span_eq(name, SPAN("deleted_flag"))) {
		w->o.deleted_flag = value;
		w->o.delete_by_flag = true;
	} else if (span_eq(name, SPAN("deleted")))
		w->box.msgs[n - 1].flags |= MSG_DELETED;
	else if (span_eq(name, SPAN("gone")) || span_eq(name, SPAN("gone_early"))) {
		w->box.gone = n;
		w->box.gone_after_reads = span_eq(name, SPAN("gone")) ? 2 : 1;
	}
	else if (span_eq(name, SPAN("expunge_fails")))
		w->box.expunge_fails = n;
	else
		fail_msg("unknown option %.*s", SPAN_ARG(name));
}

static void
play(void *ctx, struct stream *s)
{
	struct world *w = ctx;
	struct pop3_session p;
	struct err e = ERR_INIT;

	assert_int_equal(pop3_session_init(&p, s, &w->box, &w->o, &e), 0);
	w->result = pop3_session_run(&p, &e);
	pop3_session_clear(&p);
}

static void
stop(void *ctx)
{
	fake_mailbox_clear(&((struct world *)ctx)->box);
}

static void
test_transcripts(void **state)
{
	static struct world w;
	const struct transcript_ops ops = { start, option, play, stop, &w };

	(void)state;
	transcript_dir("pop3", &ops);
}

/* Runs input on the usual mailbox; what became of the mailbox is then looked at. */
static void
run(struct world *w, const char *input)
{
	struct stream s;

	stream_init_mem(&s, span_str(input), 65536, 1 << 20);
	play(w, &s);
	stream_clear(&s);
}

static void
test_update(void **state)
{
	static struct world w;

	(void)state;
	start(&w);
	run(&w, "RETR 1\r\nDELE 2\r\nQUIT\r\n");
	assert_int_equal(w.result, 0);
	assert_int_equal(w.box.msgs[0].flags, MSG_SEEN);
	assert_false(w.box.msgs[0].expunged);
	assert_true(w.box.msgs[1].expunged);
	stop(&w);

	/* Without QUIT nothing changes (RFC 1939 section 6), whichever way the session ends. */
	start(&w);
	run(&w, "RETR 1\r\nDELE 2\r\nQUI");
	assert_int_equal(w.result, -1);
	assert_int_equal(w.box.msgs[0].flags, 0);
	assert_false(w.box.msgs[1].expunged);
	stop(&w);

	start(&w);
	run(&w, "DELE 2\r\nRSET\r\nQUIT\r\n");
	assert_false(w.box.msgs[1].expunged);
	stop(&w);

	start(&w);
	w.o.no_flag_updates = true;
	run(&w, "RETR 1\r\nQUIT\r\n");
	assert_int_equal(w.box.msgs[0].flags, 0);
	stop(&w);

	start(&w);
	w.o.deleted_flag = SPAN("$POP3Deleted");
	w.o.delete_by_flag = true;
	run(&w, "DELE 2\r\nQUIT\r\n");
	assert_false(w.box.msgs[1].expunged);
	assert_int_equal(w.box.msgs[1].keywords, 1);
	run(&w, "STAT\r\nDELE 1\r\nQUIT\r\n");
	assert_int_equal(w.box.msgs[0].keywords, 1);
	assert_int_equal(w.box.msgs[2].keywords, 0);
	stop(&w);
}

static void
test_long_line(void **state)
{
	static struct world w;
	static char input[4096];

	(void)state;
	start(&w);
	memset(input, 'x', sizeof(input) - 1);
	run(&w, input);
	assert_int_equal(w.result, -1);
	stop(&w);
}

/* However small the room and the pieces are, the same comes out. */
static void
test_text_pieces(void **state)
{
	static const char in[] = ".a\n..\r\n\r\r\n\n.\n\rx\r\n.end\r", want[] = "..a\r\n...\r\n\r\r\n\r\n..\r\n\rx\r\n..end\r";

	(void)state;
	for (size_t room = POP3_TEXT_ROOM; room < 40; room++)
		for (size_t piece = 1; piece < sizeof(in); piece++) {
			struct buf out = BUF_INIT(1000);
			struct pop3_text t = { .no_nuls = false };

			for (size_t at = 0; at < sizeof(in) - 1; at += piece) {
				struct span part = span_sub(span_str(in), at, piece);

				while (part.n > 0) {
					char to[64];

					buf_add(&out, span_of(to, pop3_text(&t, &part, to, room)));
				}
			}
			assert_int_equal(out.n, sizeof(want) - 1);
			assert_memory_equal(out.p, want, out.n);
			buf_clear(&out);
		}
}

static void
test_nuls(void **state)
{
	struct pop3_text t = { .no_nuls = true };
	struct span in = SPAN("a\0\0b\n");
	char out[16];

	(void)state;
	assert_int_equal(pop3_text(&t, &in, out, sizeof(out)), 6);
	assert_memory_equal(out, "a\x80\x80" "b\r\n", 6);
}

static void
test_top(void **state)
{
	static const struct { const char *in; uint64_t lines; const char *want; bool has_end; } cases[] = {
		{ "A: b\n\nx\ny\n", 0, "A: b\n\n", true },
		{ "A: b\n\nx\ny\n", 1, "A: b\n\nx\n", true },
		{ "A: b\n\nx\ny\n", 9, "A: b\n\nx\ny\n", true },
		{ "A: b\r\n\r\nx", 1, "A: b\r\n\r\nx", true },
		{ "A: b\n", 5, "A: b\n", false },
		{ "", 5, "", false },
		{ "\nx\ny", 1, "\nx\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool has_end;
		struct span got = pop3_top(span_str(cases[i].in), cases[i].lines, &has_end);

		assert_true(span_eq(got, span_str(cases[i].want)));
		assert_int_equal(has_end, cases[i].has_end);
	}
}

/* What Dovecot 2.3.19 gives for an mbox with pop3_uidl_format = %m. */
static void
test_md5(void **state)
{
	static const struct { const char *text, *md5; } cases[] = {
		{ "From: a@b\nDate: Mon, 1 Jan 2024 10:00:00 +0000\nSubject: s\n\nbody\n", "174c44b533d8f9dcdd349ee6749049bd" },
		{ "From: a@b\nReceived: from x by y; Mon, 1 Jan 2024 10:00:01 +0000\nSubject: s\n\nbody\n",
		  "fd74e1ae2dea5510bf96755ebd0cfdbb" },
		{ "From: a@b\nReceived: from x\n by y;\n  Mon, 1 Jan 2024 10:00:01 +0000 \nReceived: from z by y; Tue\n\nbody\n",
		  "e6065bd84109d69680a944832ad3581f" },
		{ "From: a@b\nMessage-ID:  <a@b> x \nMessage-ID: <second>\n\nbody\n", "9b9747e6c530ae9bac4e20c490eda524" },
		{ "From: a@b\nX-Delivery-ID: dd\nX-Delivery-ID: ee\n\nbody\n", "083a1ca3180d365a83af9edc2b52994d" },
		{ "From: a@b\nDate: d1\nDate: d2\nMessage-ID: <m>\nDelivered-To: one\nX-Delivery-ID: dd\n\nbody\n",
		  "d63cea350a2c84d85cb005fb47e98e19" },
		{ "Date: folded\n  date value\nFrom: a@b\n\nbody\n", "a437ac7149b15a7080d754502efedfcf" },
		{ "Date: folded\r\n  date value\r\nFrom: a@b\r\n\r\nbody\r\n", "a437ac7149b15a7080d754502efedfcf" },
		{ "Received: a\nFrom: y\nDate: x\nMessage-ID: z\n\nb\n", "0cc175b9c0f1b6a831c399e269772661" },
		{ "Received: a\nDelivered-To: x\n\nb\n", "9cea1e2473aaf49955fa34faac95b3e7" },
		{ "Received: a;b;c\nFrom: a@b\n\nbody\n", "e1e41abe725bfe71b5356c6f96dc8ebe" },
	};
	const struct uidl_rules rules = { .format = SPAN("%m") };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mailbox box = { 0 };
		struct buf b = BUF_INIT(256);
		struct err e = ERR_INIT;

		add(&box, cases[i].text);
		assert_int_equal(mailbox_uidl(&box, 1, &rules, &b, &e), 0);
		assert_string_equal(buf_cstr(&b), cases[i].md5);
		buf_clear(&b);
		fake_mailbox_clear(&box);
	}
	assert_true(uidl_format_has_file(SPAN("x%08Xu%-40f")));
	assert_true(uidl_format_has_file(SPAN("%{filename}")));
	assert_true(uidl_format_has_file(SPAN("%Mf")));
	assert_false(uidl_format_has_file(SPAN("%08Xu%08Xvf%%f")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts), cmocka_unit_test(test_update), cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_text_pieces), cmocka_unit_test(test_nuls), cmocka_unit_test(test_top),
		cmocka_unit_test(test_md5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
