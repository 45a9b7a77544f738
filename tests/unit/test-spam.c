/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib-filter/spam/spam.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
expect(const struct buf *b, const char *want)
{
	if (!span_eq(buf_span(b), span_str(want)))
		fail_msg("got\n%.*s\nwanted\n%s", SPAN_ARG(buf_span(b)), want);
}

static void
test_number(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} cases[] = {
		{ "5", true, 5000 }, { "5.0", true, 5000 }, { "-0.2", true, -200 }, { "15.1234", true, 15123 },
		{ "1000.5", true, 1000500 }, { ".5", true, 500 }, { "5.", true, 5000 }, { "0", true, 0 },
		{ "99999999999999999999", true, 1000000000 }, { "-99999999.9", true, -1000000000 },
		{ "", false, 0 }, { "-", false, 0 }, { ".", false, 0 }, { "1,5", false, 0 }, { "nan", false, 0 }, { "1e3", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t value = 0;

		assert_int_equal(spam_number(span_str(cases[i].text), &value), cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(value, cases[i].value);
	}
}

static void
test_questions(void **state)
{
	const struct span to[] = { SPAN("a@example.org"), SPAN("b\r\nX: y@example.org"), SPAN("c@example.org") };
	struct spam_question q = { .task = SPAM_CHECK, .size = 1234, .user = SPAN("alice"), .sender = SPAN("s@example.net"),
		.recipients = to, .recipient_count = 3, .ip = SPAN("192.0.2.1"), .helo = SPAN("mx.example.net"), .password = SPAN("q1") };
	struct buf out = BUF_INIT(65536);

	(void)state;
	spam_question_write(&out, SPAM_SPAMD, &q);
	expect(&out, "HEADERS SPAMC/1.5\r\nContent-length: 1234\r\nUser: alice\r\n\r\n");
	buf_reset(&out);
	/* What would be a line of its own is left out. */
	spam_question_write(&out, SPAM_RSPAMD, &q);
	expect(&out, "POST /checkv2 HTTP/1.0\r\nContent-Length: 1234\r\nPassword: q1\r\nDeliver-To: alice\r\nFrom: s@example.net\r\n"
	    "Rcpt: a@example.org\r\nRcpt: c@example.org\r\nIP: 192.0.2.1\r\nHelo: mx.example.net\r\n\r\n");
	q = (struct spam_question){ .task = SPAM_LEARN_SPAM, .size = 5, .user = SPAN("a\nb") };
	buf_reset(&out);
	spam_question_write(&out, SPAM_SPAMD, &q);
	expect(&out, "TELL SPAMC/1.5\r\nContent-length: 5\r\nMessage-class: spam\r\nSet: local\r\n\r\n");
	q.task = SPAM_LEARN_HAM;
	buf_reset(&out);
	spam_question_write(&out, SPAM_RSPAMD, &q);
	expect(&out, "POST /learnham HTTP/1.0\r\nContent-Length: 5\r\n\r\n");
	buf_clear(&out);
}

struct answer {
	enum spam_scanner scanner;
	enum spam_task task;
	const char *text;
	enum err_code code;
	bool is_spam, reject, defer;
	int64_t score, required;
	const char *tests, *version;
	bool nothing_new;
};

static const struct answer answers[] = {
	{ SPAM_SPAMD, SPAM_CHECK, "SPAMD/1.1 0 EX_OK\r\nContent-length: 5\r\nSpam: True ; 1000.0 / 5.0\r\n\r\n"
	    "Received: x\r\nX-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on\r\n\tmx.example.org\r\nX-Spam-Flag: YES\r\n"
	    "X-Spam-Status: Yes, score=1000.0 required=5.0 tests=GTUBE,MISSING_DATE,\r\n\tNO_RELAYS autolearn=no version=4.0.1\r\n\r\n",
	    ERR_NONE, true, false, false, 1000000, 5000, "GTUBE,MISSING_DATE,NO_RELAYS", "SpamAssassin 4.0.1 (2024-03-25) on mx.example.org", false },
	{ SPAM_SPAMD, SPAM_CHECK, "SPAMD/1.1 0 EX_OK\r\nSpam: False ; -0.2 / 5.0\r\n\r\nX-Spam-Status: No, score=-0.2 tests=none\r\n\r\n",
	    ERR_NONE, false, false, false, -200, 5000, "", "", false },
	{ SPAM_SPAMD, SPAM_CHECK, "SPAMD/1.1 0 EX_OK\r\nSpam: Maybe ; 1 / 5\r\n\r\n", ERR_SYNTAX, .tests = "" },
	{ SPAM_SPAMD, SPAM_CHECK, "SPAMD/1.1 0 EX_OK\r\n\r\n", ERR_SYNTAX, .tests = "" },
	{ SPAM_SPAMD, SPAM_CHECK, "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 9 / 5\r\n", ERR_SYNTAX, .tests = "" },
	{ SPAM_SPAMD, SPAM_CHECK, "SPAMD/1.0 76 Bad header line: x\r\n", ERR_TEMP, .tests = "" },
	{ SPAM_SPAMD, SPAM_CHECK, "220 mail ESMTP\r\n", ERR_SYNTAX, .tests = "" },
	{ SPAM_SPAMD, SPAM_CHECK, "", ERR_SYNTAX, .tests = "" },
	{ SPAM_SPAMD, SPAM_LEARN_HAM, "SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\n\r\n", ERR_NONE, .tests = "" },
	{ SPAM_SPAMD, SPAM_LEARN_HAM, "SPAMD/1.1 0 EX_OK\r\nContent-length: 2\r\n\r\n\r\n", ERR_NONE, .tests = "", .nothing_new = true },
	{ SPAM_SPAMD, SPAM_LEARN_HAM, "SPAMD/1.0 69 Service Unavailable: TELL commands are not enabled.\r\n", ERR_TEMP, .tests = "" },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	    "{\"is_skipped\":false,\"score\":15.21,\"required_score\":15,\"action\":\"reject\","
	    "\"symbols\":{\"GTUBE\":{\"name\":\"GTUBE\",\"score\":0},\"R_SPF_FAIL\":{\"score\":1},\"odd name\":{}}}",
	    ERR_NONE, true, true, false, 15210, 15000, "GTUBE,R_SPF_FAIL", "rspamd", false },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":-1e300,\"required_score\":15.0,\"action\":\"no action\",\"symbols\":[]}",
	    ERR_NONE, false, false, false, -1000000000, 15000, "", "rspamd", false },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":6.5,\"required_score\":15.0,\"action\":\"add header\"}",
	    ERR_NONE, true, false, false, 6500, 15000, "", "rspamd", false },
	/* Mail that rspamd would not have delivered at all. */
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":6.5,\"required_score\":15.0,\"action\":\"quarantine\"}",
	    ERR_NONE, true, false, false, 6500, 15000, "", "rspamd", false },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":6.5,\"required_score\":15.0,\"action\":\"discard\"}",
	    ERR_NONE, true, false, false, 6500, 15000, "", "rspamd", false },
	/* All actions are switched off: there is no threshold.  4.02 * 1000 is less than 4020. */
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":4.02,\"required_score\":null,\"action\":\"no action\"}",
	    ERR_NONE, false, false, false, 4020, SPAM_NO_LIMIT, "", "rspamd", false },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":null,\"required_score\":15.0,\"action\":\"no action\"}", ERR_SYNTAX, .tests = "" },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":6.5,\"required_score\":15.0,\"action\":\"soft reject\"}",
	    ERR_NONE, false, false, true, 6500, 15000, "", "rspamd", false },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":\"6.5\",\"action\":\"reject\"}", ERR_SYNTAX, .tests = "" },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.0 200 OK\n\n{\"score\":", ERR_SYNTAX, .tests = "" },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ERR_SYNTAX, .tests = "" },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.1 403 Forbidden\r\n\r\n{}", ERR_TEMP, .tests = "" },
	{ SPAM_RSPAMD, SPAM_CHECK, "HTTP/1.1 200 OK\r\n", ERR_SYNTAX, .tests = "" },
	{ SPAM_RSPAMD, SPAM_LEARN_SPAM, "HTTP/1.1 208 Already reported\r\n\r\n{\"error\":\"<id> has been already learned\"}", ERR_NONE, .tests = "",
	    .nothing_new = true },
	{ SPAM_RSPAMD, SPAM_LEARN_SPAM, "HTTP/1.1 200 OK\r\n\r\n{\"success\":true}", ERR_NONE, .tests = "" },
};

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		const struct answer *w = &answers[i];
		struct arena *a = arena_new(SPAM_REPLY_MAX);
		struct err e = ERR_INIT;
		struct spam_verdict v;
		int rc = spam_reply_parse(w->scanner, w->task, span_str(w->text), a, &v, &e);

		if (rc != (w->code == ERR_NONE ? 0 : -1) || e.code != w->code)
			fail_msg("%s: %d %s", w->text, rc, e.log);
		if (rc == 0) {
			assert_int_equal(v.is_spam, w->is_spam);
			assert_int_equal(v.reject, w->reject);
			assert_int_equal(v.defer, w->defer);
			assert_int_equal(v.nothing_new, w->nothing_new);
			assert_int_equal(v.score, w->score);
			assert_int_equal(v.required, w->required);
			if (!span_eq(v.tests, span_str(w->tests)) || !span_eq(v.version, span_str(w->version == NULL ? "" : w->version)))
				fail_msg("%s: tests %.*s, version %.*s", w->text, SPAN_ARG(v.tests), SPAN_ARG(v.version));
		}
		arena_free(a);
	}
}

/* An answer that is cut anywhere is never taken for a verdict of spam that it was not. */
static void
test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		size_t whole = strlen(answers[i].text);

		for (size_t n = 0; n < whole; n++) {
			struct arena *a = arena_new(SPAM_REPLY_MAX);
			char *text = malloc(n + 1);
			struct err e = ERR_INIT;
			struct spam_verdict v;

			memcpy(text, answers[i].text, n);
			if (spam_reply_parse(answers[i].scanner, answers[i].task, span_of(text, n), a, &v, &e) == 0 && v.is_spam)
				assert_true(answers[i].is_spam);
			free(text);
			arena_free(a);
		}
	}
}

static void
test_fields(void **state)
{
	struct spam_verdict v = { .is_spam = true, .score = 6540, .required = 5000, .version = SPAN("SpamAssassin 4.0.1"),
		.tests = SPAN("AAAAAAAAAAAAAAAAAAAA,BBBBBBBBBBBBBBBBBBBBBBBBB,CCCCCCCCCCCCCCCCCCCC,D") };
	struct buf out = BUF_INIT(65536);

	(void)state;
	spam_headers_write(&out, &v);
	expect(&out, "X-Spam-Flag: YES\r\nX-Spam-Score: 6.5\r\nX-Spam-Level: ******\r\n"
	    "X-Spam-Status: Yes, score=6.5 required=5.0 tests=AAAAAAAAAAAAAAAAAAAA,\r\n"
	    "\tBBBBBBBBBBBBBBBBBBBBBBBBB,CCCCCCCCCCCCCCCCCCCC,D\r\nX-Spam-Checker-Version: SpamAssassin 4.0.1\r\n");
	v = (struct spam_verdict){ .score = -50, .required = 5000, .tests = SPAN("") };
	buf_reset(&out);
	spam_headers_write(&out, &v);
	/* The row of stars is there without a star, too: that tells mail that was looked at from other mail. */
	expect(&out, "X-Spam-Score: -0.1\r\nX-Spam-Level: \r\nX-Spam-Status: No, score=-0.1 required=5.0 tests=none\r\n");
	v.required = SPAM_NO_LIMIT;
	buf_reset(&out);
	spam_headers_write(&out, &v);
	assert_true(span_find(buf_span(&out), SPAN("X-Spam-Status: No, score=-0.1 tests=none\r\n")) != SIZE_MAX);
	v = (struct spam_verdict){ .is_spam = true, .score = 1000000000, .required = 4990, .tests = SPAN("") };
	buf_reset(&out);
	spam_headers_write(&out, &v);
	assert_true(span_find(buf_span(&out), SPAN("Level: **************************************************\r\n")) != SIZE_MAX);
	assert_true(span_find(buf_span(&out), SPAN("required=4.9 ")) != SIZE_MAX);
	assert_true(spam_header_is_ours(SPAN("X-SPAM-Flag")));
	assert_false(spam_header_is_ours(SPAN("X-Spam")));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_number), cmocka_unit_test(test_questions),
		cmocka_unit_test(test_answers), cmocka_unit_test(test_cut), cmocka_unit_test(test_fields) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
