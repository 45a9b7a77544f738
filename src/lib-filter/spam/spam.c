/* SPDX-License-Identifier: MIT */
#include "lib-filter/spam/spam.h"

#include <inttypes.h>

#define NUMBER_MAX 1000000
#define LEVEL_MAX 50		/* stars */
#define LINE_MAX 76
#define LOG_TESTS_MAX 200

void
spam_question_write(struct buf *out, enum spam_scanner scanner, const struct spam_question *q)
{
	if (scanner == SPAM_SPAMD)
		spamd_question(out, q);
	else
		rspamd_question(out, q);
}

int
spam_reply_parse(enum spam_scanner scanner, enum spam_task task, struct span reply, struct arena *a, struct spam_verdict *v,
    struct err *e)
{
	static const struct spam_verdict none = { .tests = { "", 0 } };
	int rc;

	*v = none;
	rc = scanner == SPAM_SPAMD ? spamd_reply(task, reply, a, v, e) : rspamd_reply(task, reply, a, v, e);
	if (rc == -1)
		*v = none;
	return rc;
}

void
spam_put_field(struct buf *out, const char *name, struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return;
	if (value.n == 0)
		return;
	buf_adds(out, name);
	buf_adds(out, ": ");
	buf_add(out, value);
	buf_adds(out, "\r\n");
}

bool
spam_number(struct span s, int64_t *thousandths_out)
{
	bool minus = s.n > 0 && s.p[0] == '-', any = false;
	int64_t whole = 0, part = 0, unit = 100;
	size_t i = minus ? 1 : 0;

	for (; i < s.n && ascii_is_digit(s.p[i]); i++, any = true)
		whole = whole > NUMBER_MAX ? NUMBER_MAX : whole * 10 + (s.p[i] - '0');
	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && ascii_is_digit(s.p[i]); i++, unit /= 10, any = true)
			part += unit * (s.p[i] - '0');
	if (!any || i < s.n)
		return false;
	if (whole >= NUMBER_MAX) {
		whole = NUMBER_MAX;
		part = 0;
	}
	*thousandths_out = (minus ? -1 : 1) * (whole * 1000 + part);
	return true;
}

/* With one digit behind the point, cut as SpamAssassin cuts it: what is shown never reaches a threshold that was not. */
static void
put_number(struct buf *out, int64_t thousandths)
{
	int64_t tenths = thousandths / 100;

	if (thousandths < 0 && thousandths % 100 != 0)
		tenths--;
	buf_addf(out, "%s%" PRId64 ".%d", tenths < 0 ? "-" : "", tenths < 0 ? -tenths / 10 : tenths / 10,
	    (int)(tenths < 0 ? -tenths % 10 : tenths % 10));
}

static void
put_tests(struct buf *out, struct span tests, size_t column)
{
	struct span name;
	bool first = true;

	while (span_next(&tests, ',', &name)) {
		if (!first) {
			buf_addc(out, ',');
			column++;
		}
		if (!first && column + name.n > LINE_MAX) {
			buf_adds(out, "\r\n\t");
			column = 8;
		}
		buf_add(out, name);
		column += name.n;
		first = false;
	}
	if (first)
		buf_adds(out, "none");
}

void
spam_headers_write(struct buf *out, const struct spam_verdict *v)
{
	int64_t stars = v->score / 1000;
	size_t line;

	if (v->is_spam)
		buf_adds(out, "X-Spam-Flag: YES\r\n");
	buf_adds(out, "X-Spam-Score: ");
	put_number(out, v->score);
	buf_adds(out, "\r\n");
	buf_adds(out, "X-Spam-Level: ");
	for (int64_t i = 0; i < stars && i < LEVEL_MAX; i++)
		buf_addc(out, '*');
	buf_adds(out, "\r\n");
	line = out->n;
	buf_addf(out, "X-Spam-Status: %s, score=", v->is_spam ? "Yes" : "No");
	put_number(out, v->score);
	if (v->required != SPAM_NO_LIMIT) {
		buf_adds(out, " required=");
		put_number(out, v->required);
	}
	buf_adds(out, " tests=");
	put_tests(out, v->tests, out->n - line);
	buf_adds(out, "\r\n");
	spam_put_field(out, "X-Spam-Checker-Version", v->version);
}

void
spam_verdict_describe(struct buf *out, const struct spam_verdict *v)
{
	buf_adds(out, "spam score ");
	put_number(out, v->score);
	if (v->required != SPAM_NO_LIMIT) {
		buf_adds(out, " of ");
		put_number(out, v->required);
	}
	buf_addf(out, " (%.*s)", SPAN_ARG(span_sub(v->tests, 0, LOG_TESTS_MAX)));
}

bool
spam_header_is_ours(struct span name)
{
	return span_istarts(name, SPAN("x-spam-"));
}
