/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/header.h"
#include "lib-mail/imap-mime.h"
#include "lib-mail/summary.h"

static const char message[] =
	"Received: from a\n\tby b; Sat, 21 Nov 2026 12:33:08 +0000\n"
	"X-Unknown: not kept\n"
	"From: Anna <a@example.org>\r\n"
	"to: b@example.net\n"
	"Subject : hello\n  world\n"
	"junk\n"
	"Date: Sat, 21 Nov 2026 12:33:08 +0100\n"
	"MIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=x\n"
	"From: C <c@example.org>\n"
	"\n"
	"--x\n\ntext\n"
	"--x\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=f\n\npdf\n"
	"--x--\n";

static void
make(struct buf *out, struct span in, const struct mail_limits *lim, bool whole)
{
	struct arena *a = arena_new(MAIL_ARENA_MAX);

	assert_int_equal(whole ? summary_from_message(out, a, in, lim) : summary_from_header(out, a, in, lim), 0);
	arena_free(a);
}

static void
test_message(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct span in = span_str(message), v;
	struct buf value = BUF_INIT(100000), body = BUF_INIT(100000);
	struct summary_view view;

	(void)state;
	make(&value, in, &lim, true);
	assert_true(summary_view(buf_span(&value), &view));
	assert_int_equal(view.flags, SUMMARY_ENVELOPE | SUMMARY_STRUCTURE | SUMMARY_FIELDS | SUMMARY_SENT |
		SUMMARY_SIZES | SUMMARY_ATTACHMENT);
	assert_true(view.sent.time == 1795264388 - 3600 && view.sent.tz == 60);
	assert_int_equal(view.size, in.n);
	assert_int_equal(view.virtual_size, in.n + 21);
	assert_int_equal(view.header_size, header_size(in));
	assert_int_equal(view.header_virtual, header_size(in) + 12);
	assert_true(span_eq(view.envelope, SPAN("(\"Sat, 21 Nov 2026 12:33:08 +0100\" \"hello world\" "
		"((\"Anna\" NIL \"a\" \"example.org\")(\"C\" NIL \"c\" \"example.org\")) "
		"((\"Anna\" NIL \"a\" \"example.org\")(\"C\" NIL \"c\" \"example.org\")) "
		"((\"Anna\" NIL \"a\" \"example.org\")(\"C\" NIL \"c\" \"example.org\")) "
		"((NIL NIL \"b\" \"example.net\")) NIL NIL NIL NIL)")));
	assert_true(span_eq(view.bodystructure, SPAN("((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0 NIL NIL NIL NIL)"
		"(\"application\" \"pdf\" NIL NIL NIL \"7bit\" 3 NIL (\"attachment\" (\"filename\" \"f\")) NIL NIL)"
		" \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)")));
	summary_body_write(&body, &view);
	assert_string_equal(buf_cstr(&body), "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0)"
		"(\"application\" \"pdf\" NIL NIL NIL \"7bit\" 3) \"mixed\")");
	assert_true(summary_field_get(&view, HEADER_SUBJECT, &v));
	assert_true(span_eq(v, SPAN("hello\r\n  world")));
	assert_true(summary_field_get(&view, HEADER_FROM, &v));
	assert_true(span_eq(v, SPAN("Anna <a@example.org>")));
	assert_false(summary_field_get(&view, HEADER_CC, &v));
	buf_clear(&value);
	buf_clear(&body);
}

static const struct {
	const char *names;
	bool known;
	const char *want;
} selections[] = {
	{ "from", true, "From: Anna <a@example.org>\r\nFrom: C <c@example.org>\r\n\r\n" },
	{ "TO FROM", true, "From: Anna <a@example.org>\r\nto: b@example.net\r\nFrom: C <c@example.org>\r\n\r\n" },
	{ "Subject Received", true, "Received: from a\r\n\tby b; Sat, 21 Nov 2026 12:33:08 +0000\r\nSubject : hello\r\n  world\r\n\r\n" },
	{ "Bcc", true, "\r\n" },
	{ "", true, "\r\n" },
	{ "X-Unknown", false, NULL },
	{ "From X-Unknown", false, NULL },
};

/* Octet for octet what comes from the mail itself. */
static void
test_fields(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct buf value = BUF_INIT(100000);
	struct summary_view view;

	(void)state;
	make(&value, span_str(message), &lim, true);
	assert_true(summary_view(buf_span(&value), &view));
	for (size_t i = 0; i < sizeof(selections) / sizeof(selections[0]); i++) {
		struct span rest = span_str(selections[i].names), names[8];
		struct buf got = BUF_INIT(10000), want = BUF_INIT(10000);
		struct summary_fieldset set;
		size_t count = 0;

		while (span_next(&rest, ' ', &names[count]))
			count++;
		assert_int_equal(summary_fieldset_init(&set, names, count), selections[i].known);
		if (!selections[i].known)
			continue;
		summary_fields_write(&got, &view, &set);
		assert_string_equal(buf_cstr(&got), selections[i].want);
		assert_int_equal(summary_fields_size(&view, &set), got.n);
		header_fields_write(&want, span_str(message), names, count, false, 100, 10000);
		assert_true(span_eq(buf_span(&got), buf_span(&want)));
		buf_clear(&got);
		buf_clear(&want);
	}
	buf_clear(&value);
}

static void
test_header_alone(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct buf value = BUF_INIT(100000), again = BUF_INIT(100000);
	struct summary_view whole, view;

	(void)state;
	make(&value, span_str(message), &lim, true);
	make(&again, span_str(message), &lim, false);
	assert_true(summary_view(buf_span(&value), &whole));
	assert_true(summary_view(buf_span(&again), &view));
	assert_int_equal(view.flags, SUMMARY_ENVELOPE | SUMMARY_FIELDS | SUMMARY_SENT);
	assert_true(span_eq(view.envelope, whole.envelope) && span_eq(view.fields, whole.fields));
	assert_int_equal(view.bodystructure.n, 0);
	buf_clear(&value);
	buf_clear(&again);
}

/* What is too large is left out, and a flag says so. */
static void
test_limits(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct buf value = BUF_INIT(100000);
	struct summary_view view;

	(void)state;
	lim.summary_fields = 100;
	lim.summary_structure = 20;
	lim.summary_envelope = 20;
	make(&value, span_str(message), &lim, true);
	assert_true(summary_view(buf_span(&value), &view));
	assert_int_equal(view.flags, SUMMARY_SENT | SUMMARY_SIZES | SUMMARY_ATTACHMENT);
	assert_true(view.fields.n == 0 && view.envelope.n == 0 && view.bodystructure.n == 0 && view.entries.n == 0);
	buf_reset(&value);
	lim = MAIL_LIMITS_DEFAULT;
	lim.header_fields = 3;
	make(&value, span_str(message), &lim, true);
	assert_true(summary_view(buf_span(&value), &view));
	assert_int_equal(view.flags & SUMMARY_FIELDS, 0);	/* there may be more of them */
	buf_clear(&value);

	value = BUF_INIT(200);
	struct arena *a = arena_new(MAIL_ARENA_MAX);

	lim = MAIL_LIMITS_DEFAULT;
	assert_int_equal(summary_from_message(&value, a, span_str(message), &lim), -1);
	arena_free(a);
	buf_clear(&value);
}

static void
test_small(void **state)
{
	static const char *const texts[] = { "", "\n", "\r\n", "x", "Subject: x", "Subject: x\r", "From: a\0b\n\nx\0" };
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct span in = i == 6 ? span_of(texts[i], 13) : span_str(texts[i]);
		struct buf value = BUF_INIT(10000);
		struct summary_view view;

		make(&value, in, &lim, true);
		assert_true(summary_view(buf_span(&value), &view));
		assert_int_equal(view.size, in.n);
		assert_int_equal((view.flags & SUMMARY_HAS_NUL) != 0, i == 6);
		if (i == 4 || i == 5)
			assert_true(span_eq(view.fields, SPAN("Subject: x\r\n")));
		buf_clear(&value);
	}
}

/* Any octet changed, and any end cut off, is seen; so is what only looks like a summary. */
static void
test_damage(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct buf value = BUF_INIT(100000), again = BUF_INIT(100000);
	struct summary_view view, bad;

	(void)state;
	make(&value, span_str(message), &lim, true);
	assert_true(summary_view(buf_span(&value), &view));
	for (size_t i = 0; i < value.n; i++) {
		value.p[i] ^= 1 << i % 8;
		assert_false(summary_view(buf_span(&value), &bad));
		value.p[i] ^= 1 << i % 8;
		assert_false(summary_view(span_of(value.p, i), &bad));
	}
	assert_true(summary_view(buf_span(&value), &view));
	summary_encode(&again, &view);
	assert_true(span_eq(buf_span(&value), buf_span(&again)));

	bad = view;
	bad.holes = SPAN("\0\0\0\0\0\xff\xff\xff");
	buf_reset(&again);
	summary_encode(&again, &bad);
	assert_false(summary_view(buf_span(&again), &bad));
	bad = view;
	bad.entries = SPAN("\1\0\0\1");
	buf_reset(&again);
	summary_encode(&again, &bad);
	assert_false(summary_view(buf_span(&again), &bad));
	bad = view;
	bad.holes = SPAN("123");
	buf_reset(&again);
	summary_encode(&again, &bad);
	assert_false(summary_view(buf_span(&again), &bad));
	buf_clear(&value);
	buf_clear(&again);
}

/* As the index keeps it: smaller, the same, and with every damage seen. */
static void
test_packed(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct buf value = BUF_INIT(100000), packed = BUF_INIT(100000), again = BUF_INIT(100000), room = BUF_INIT(SUMMARY_ROOM_MAX);
	struct summary_view view, head;

	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		buf_reset(&value);
		buf_reset(&packed);
		buf_reset(&again);
		make(&value, span_str(message), &lim, whole != 0);
		summary_pack(&packed, buf_span(&value));
		assert_false(packed.failed);
		assert_true(packed.n < value.n * 3 / 4);
		assert_true(summary_packed_is_sound(buf_span(&packed)));
		assert_true(summary_unpack(&room, buf_span(&packed), &view));
		summary_encode(&again, &view);
		assert_true(span_eq(buf_span(&value), buf_span(&again)));
		assert_true(summary_packed_head(buf_span(&packed), &head));
		assert_int_equal(head.flags, view.flags);
		assert_true(head.sent.time == view.sent.time && head.sent.tz == view.sent.tz);
		assert_true(head.virtual_size == view.virtual_size && head.header_virtual == view.header_virtual);
		assert_int_equal(head.envelope.n, 0);
		assert_true(summary_unpack_fields(buf_span(&packed), &head));
		assert_true(span_eq(head.fields, view.fields) && span_eq(head.entries, view.entries) && head.envelope.n == 0);
		assert_true(head.entries.n > 0 && head.bodystructure.n == 0 && head.holes.n == 0);
	}
	for (size_t i = 0; i < packed.n; i++) {
		packed.p[i] ^= 1 << i % 8;
		assert_false(summary_packed_is_sound(buf_span(&packed)));
		assert_false(summary_unpack(&room, buf_span(&packed), &head));
		packed.p[i] ^= 1 << i % 8;
		assert_false(summary_unpack(&room, span_of(packed.p, i), &head));
		assert_false(summary_packed_is_sound(span_of(packed.p, i)));
	}
	assert_true(summary_unpack(&room, buf_span(&packed), &view));
	/* A time before 1970, and what is no summary. */
	view.sent = (struct mail_date){ -5, -720 };
	buf_reset(&again);
	summary_encode(&again, &view);
	buf_reset(&packed);
	summary_pack(&packed, buf_span(&again));
	assert_true(summary_packed_head(buf_span(&packed), &head));
	assert_true(head.sent.time == -5 && head.sent.tz == -720);
	summary_pack(&packed, SPAN("none"));
	assert_true(packed.failed);
	buf_clear(&value);
	buf_clear(&packed);
	buf_clear(&again);
	buf_clear(&room);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_header_alone),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
