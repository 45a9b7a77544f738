/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/match.h"
#include "lib/encode.h"

#define MESSAGE								\
	"Subject: =?iso-8859-1?Q?Gr=FC=DFe?= aus\n M=?utf-8?q?x?=\n"	\
	"From: Anna <a@example.org>\n"					\
	"MIME-Version: 1.0\n"						\
	"Content-Type: multipart/mixed; boundary=x\n\n"			\
	"preamble\n"							\
	"--x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" \
	"Stra=C3=9Fe in M=C3=BC=\nnchen\nnext line\n"			\
	"--x\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n" \
	"8NLJ18XUIM3J0g==\n"						\
	"--x\nContent-Type: application/octet-stream\nX-Part: field\n\nbinary secret\n" \
	"--x\nContent-Type: message/rfc822\n\nSubject: inner subject\n\ninner text\n" \
	"--x\nContent-Type: message/delivery-status\n\nAction: failed\n" \
	"--x--\nepilogue\n"

static const struct {
	const char *needle;
	bool body, text;
} cases[] = {
	{ "", true, true },
	{ "stra\xc3\x9f" "e", true, true },
	{ "STRASSE", true, true },
	{ "m\xc3\xbcnchen", true, true },
	{ "M\xc3\x9cNCHEN", true, true },
	{ "nchen\nnext", true, true },
	{ "nchen\r\nnext", true, true },
	{ "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", true, true },
	{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80", true, true },
	{ "gr\xc3\xbc\xc3\x9f" "e aus", false, true },
	{ "aus mx", false, true },		/* glued to a letter, and decoded all the same */
	{ "anna <a@", false, true },
	{ "from: anna", false, true },
	{ "x-part: field", false, true },
	{ "binary secret", false, false },	/* no text */
	{ "preamble", false, false },
	{ "epilogue", false, false },
	{ "inner subject", true, true },	/* an attached message is body, its header too */
	{ "inner text", true, true },
	{ "action: failed", true, true },
	{ "iso-8859-1", false, false },
	{ "8NLJ", false, false },
	{ "nowhere", false, false },
};

static void
test_messages(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct match_needle *n = match_needle_new(span_str(cases[i].needle));
		struct span in = span_str(MESSAGE);

		for (int again = 0; again < 2; again++) {
			if (match_message(n, in, MATCH_BODY, &lim) != cases[i].body)
				fail_msg("body: %s", cases[i].needle);
			if (match_message(n, in, MATCH_TEXT, &lim) != cases[i].text)
				fail_msg("text: %s", cases[i].needle);
		}
		match_needle_free(n);
	}
}

static void
test_headers(void **state)
{
	static const struct { const char *name, *needle; bool want; } headers[] = {
		{ "subject", "GR\xc3\xbc\xc3\x9f" "E", true }, { "Subject", "anna", false }, { "From", "EXAMPLE.ORG", true },
		{ "From", "", true }, { "Cc", "", false }, { "Cc", "x", false }, { "To", "second", true },
	};
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct match_needle *n = match_needle_new(span_str(headers[i].needle));

		assert_int_equal(match_header(n, SPAN("To: first\nTo: second\n" MESSAGE), span_str(headers[i].name),
			&lim), headers[i].want);
		match_needle_free(n);
	}
	struct match_needle *n = match_needle_new(SPAN("\xc3\x84"));

	assert_true(match_utf8(n, SPAN("x\xc3\xa4x")));
	assert_false(match_utf8(n, SPAN("xax")));
	assert_true(match_value(n, SPAN("=?iso-8859-1?q?=C4?=")));
	match_needle_free(n);
	match_needle_free(NULL);
}

/* A needle across the pieces in which a large part is looked through, in each encoding. */
static void
test_seams(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (int coded = 0; coded < 3; coded++) {
		for (size_t before = 65536 - 40; before < 65536 + 4; before += 3) {
			struct buf text = BUF_INIT(1 << 20), in = BUF_INIT(1 << 20);
			struct match_needle *n = match_needle_new(SPAN("N\xc3\xa4" "edle in a haystack"));
			struct match_needle *none = match_needle_new(SPAN("n\xc3\xa4" "edle in a haystackx"));

			for (size_t i = 0; i < before; i++)
				buf_addc(&text, i % 60 == 59 ? '\n' : 'n');
			buf_add(&text, SPAN("n\xc3\xa4" "edle in a haystack\n"));
			for (size_t i = 0; i < 70000; i++)
				buf_addc(&text, i % 60 == 59 ? '\n' : 'y');
			buf_adds(&in, "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: ");
			buf_adds(&in, coded == 0 ? "8bit\n\n" : coded == 1 ? "base64\n\n" : "quoted-printable\n\n");
			if (coded == 0)
				buf_add(&in, buf_span(&text));
			else if (coded == 1)
				base64_encode(&in, buf_span(&text));
			else
				qp_encode(&in, buf_span(&text));
			assert_int_equal(match_message(n, buf_span(&in), MATCH_BODY, &lim), 1);
			assert_int_equal(match_message(none, buf_span(&in), MATCH_BODY, &lim), 0);
			match_needle_free(n);
			match_needle_free(none);
			buf_clear(&text);
			buf_clear(&in);
		}
	}
}

struct seen {
	struct buf text;
	unsigned calls, stop;
};

static bool
on_text(void *ctx, struct span folded, bool joined)
{
	struct seen *s = ctx;

	if (!joined)
		buf_addc(&s->text, '|');
	buf_add(&s->text, folded);
	return ++s->calls != s->stop;
}

static void
test_walk(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct seen s = { .text = BUF_INIT(10000) };

	(void)state;
	assert_int_equal(match_walk(NULL, SPAN("Subject: A\n\nTEXT\n"), MATCH_TEXT, &lim, on_text, &s), 0);
	assert_string_equal(buf_cstr(&s.text), "|subject: a\n|text\n");
	buf_reset(&s.text);
	s.calls = 0;
	s.stop = 1;
	assert_int_equal(match_walk(NULL, SPAN("Subject: A\n\nTEXT\n"), MATCH_TEXT, &lim, on_text, &s), 0);
	assert_string_equal(buf_cstr(&s.text), "|subject: a\n");
	buf_clear(&s.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_seams),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
