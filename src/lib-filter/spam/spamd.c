/* SPDX-License-Identifier: MIT */
/*
 * SpamAssassin's protocol.  HEADERS is asked, since its answer has the names of the tests and the version beside the
 * score; TELL to learn.
 */
#include "lib-filter/spam/spam.h"

#include <inttypes.h>
#include "lib-mail/header.h"

#define FIELDS_MAX 1000

void
spamd_question(struct buf *out, const struct spam_question *q)
{
	buf_adds(out, q->task == SPAM_CHECK ? "HEADERS SPAMC/1.5\r\n" : "TELL SPAMC/1.5\r\n");
	buf_addf(out, "Content-length: %" PRIu64 "\r\n", q->size);
	spam_put_field(out, "User", q->user);
	if (q->task != SPAM_CHECK) {
		buf_addf(out, "Message-class: %s\r\n", q->task == SPAM_LEARN_SPAM ? "spam" : "ham");
		buf_adds(out, "Set: local\r\n");
	}
	buf_adds(out, "\r\n");
}

/* SPAMD/1.1 0 EX_OK */
static int
parse_status(struct span line, struct err *e)
{
	struct span word;
	uint32_t code;

	if (!span_next(&line, ' ', &word) || !span_starts(word, SPAN("SPAMD/")) || !span_next(&line, ' ', &word) ||
	    !span_u32(word, &code))
		return err_set(e, ERR_SYNTAX, "spamd: that is no answer");
	if (code != 0)
		return err_set(e, ERR_TEMP, "spamd: %u %.*s", code, SPAN_ARG(span_sub(line, 0, 80)));
	return 0;
}

/* True ; 15.3 / 5.0 */
static bool
parse_score(struct span value, struct spam_verdict *v)
{
	struct span word, score;

	if (!span_next(&value, ';', &word) || !span_next(&value, '/', &score))
		return false;
	word = span_trim(word);
	v->is_spam = span_ieq(word, SPAN("True")) || span_ieq(word, SPAN("Yes"));
	return (v->is_spam || span_ieq(word, SPAN("False")) || span_ieq(word, SPAN("No"))) &&
	    spam_number(span_trim(score), &v->score) && spam_number(span_trim(value), &v->required);
}

/* What stands behind tests= in X-Spam-Status, which may be folded between names. */
static void
take_tests(struct span value, struct arena *a, struct spam_verdict *v)
{
	size_t at = span_find(value, SPAN("tests="));
	char *text;
	size_t n = 0;

	if (at == SIZE_MAX)
		return;
	value = span_from(value, at + 6);
	text = arena_alloc(a, 1, value.n < SPAM_TESTS_MAX ? value.n + 1 : SPAM_TESTS_MAX);
	if (text == NULL)
		return;
	for (size_t i = 0; i < value.n && n < SPAM_TESTS_MAX; i++) {
		char c = value.p[i];
		bool word = ascii_is_alpha(c) || ascii_is_digit(c) || c == '_';

		if (word || (c == ',' && n > 0))
			text[n++] = c;
		else if (!(c == '\r' || c == '\n' || ascii_is_wsp(c)) || n == 0 || text[n - 1] != ',')
			break;
	}
	while (n > 0 && text[n - 1] == ',')
		n--;
	if (!span_ieq(span_of(text, n), SPAN("none")))
		v->tests = span_of(text, n);
}

static struct span
one_line(struct span value, struct arena *a)
{
	struct buf line = BUF_INIT(1000);
	struct span out;

	header_unfold(&line, value);
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\t')
			line.p[i] = ' ';
	out = line.failed || line.n == 0 ? SPAN_NONE : arena_dup(a, buf_span(&line));
	buf_clear(&line);
	return out;
}

int
spamd_reply(enum spam_task task, struct span reply, struct arena *a, struct spam_verdict *v, struct err *e)
{
	struct header_field f;
	struct header_iter it;
	struct span line;
	size_t used = 0;
	bool score = false;

	if (!span_line(reply, &used, &line))
		return err_set(e, ERR_SYNTAX, "spamd: the answer is cut");
	if (parse_status(line, e) == -1)
		return -1;
	v->nothing_new = task != SPAM_CHECK;
	header_begin(&it, span_from(reply, used), FIELDS_MAX, SPAM_REPLY_MAX);
	while (header_next(&it, &f))
		if (span_ieq(f.name, SPAN("Spam")))
			score = parse_score(f.value, v);
		else if (span_ieq(f.name, SPAN("DidSet")))
			v->nothing_new = false;
	if (task != SPAM_CHECK)
		return 0;
	if (!score || !it.blank)
		return err_set(e, ERR_SYNTAX, "spamd: the answer has no score");
	header_begin(&it, span_from(it.text, it.pos), FIELDS_MAX, SPAM_REPLY_MAX);
	while (header_next(&it, &f)) {
		if (span_ieq(f.name, SPAN("X-Spam-Status")) && v->tests.n == 0)
			take_tests(f.value, a, v);
		else if (span_ieq(f.name, SPAN("X-Spam-Checker-Version")) && v->version.n == 0)
			v->version = one_line(f.value, a);
	}
	return 0;
}
