/* SPDX-License-Identifier: MIT */
/*
 * What SMTP says of delivery status notifications and of deadlines (RFC 6009): redirect-dsn and redirect-deliverby give it to
 * the next server, envelope-dsn and envelope-deliverby test what came (RFC 3461, RFC 2852).
 */
#include <stdio.h>

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/dsn.h"
#include "lib-mail/date.h"

#define BY_MAX 999999999		/* RFC 2852 section 4: nine digits */

/* NEVER alone, or some of the others with commas between. */
static bool
is_notify(struct span s)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	struct span word;

	if (span_ieq(s, SPAN("NEVER")))
		return true;
	if (s.n == 0 || s.p[s.n - 1] == ',')
		return false;
	while (span_next(&s, ',', &word)) {
		size_t i = 0;

		while (i < sizeof(words) / sizeof(words[0]) && !span_ieq(word, span_str(words[i])))
			i++;
		if (i == sizeof(words) / sizeof(words[0]))
			return false;
	}
	return true;
}

static bool
digits(struct span s, size_t from, size_t n, int *out)
{
	uint64_t v;

	if (from + n > s.n || !span_u64(span_sub(s, from, n), 9999, &v))
		return false;
	*out = (int)v;
	return true;
}

/* "2009-03-07T10:31:45-05:00" (RFC 3339 section 5.6). */
bool
sieve_parse_rfc3339(struct span s, int64_t *out)
{
	int y, m, d, h, i, sec, zh = 0, zm = 0;
	char sign;
	int64_t t;

	if (s.n < 20 || !digits(s, 0, 4, &y) || !digits(s, 5, 2, &m) || !digits(s, 8, 2, &d) || !digits(s, 11, 2, &h) ||
	    !digits(s, 14, 2, &i) || !digits(s, 17, 2, &sec) || s.p[4] != '-' || s.p[7] != '-' || ascii_lower(s.p[10]) != 't' ||
	    s.p[13] != ':' || s.p[16] != ':')
		return false;
	if (m < 1 || m > 12 || d < 1 || d > 31 || h > 23 || i > 59 || sec > 60)
		return false;
	s = span_from(s, 19);
	if (s.p[0] == '.') {
		s = span_from(s, 1);
		while (s.n > 0 && ascii_is_digit(s.p[0]))
			s = span_from(s, 1);
	}
	if (s.n == 0)
		return false;
	sign = ascii_lower(s.p[0]);
	if (sign != 'z' && (sign != '+' && sign != '-'))
		return false;
	if (sign == 'z' ? s.n != 1 : s.n != 6 || s.p[3] != ':' || !digits(s, 1, 2, &zh) || !digits(s, 4, 2, &zm) || zh > 23 || zm > 59)
		return false;
	t = date_days(y, m, d) * 86400 + h * 3600 + i * 60 + sec;
	*out = t - (sign == '-' ? -1 : 1) * (zh * 3600 + zm * 60);
	return true;
}

int
sieve_check_redirect_options(struct sieve_checker *c, const struct sieve_node *n)
{
	const struct sieve_tagged *notify = sieve_tag_get(n, TAG_NOTIFY), *ret = sieve_tag_get(n, TAG_RET),
	    *mode = sieve_tag_get(n, TAG_BYMODE), *at = sieve_tag_get(n, TAG_BYTIMEABSOLUTE);
	struct span s;
	int64_t when;

	if (notify != NULL && sieve_is_constant(c, s = notify->value->strings[0]) && !is_notify(s))
		return sieve_fail(c, n, ":notify takes \"NEVER\", or some of \"SUCCESS,FAILURE,DELAY\"");
	if (ret != NULL && sieve_is_constant(c, s = ret->value->strings[0]) && !span_ieq(s, SPAN("FULL")) && !span_ieq(s, SPAN("HDRS")))
		return sieve_fail(c, n, ":ret takes \"FULL\" or \"HDRS\"");
	if (at != NULL && sieve_is_constant(c, s = at->value->strings[0]) && !sieve_parse_rfc3339(s, &when))
		return sieve_fail(c, n, ":bytimeabsolute takes a time as RFC 3339 has it");
	if (mode != NULL && !span_ieq(mode->value->strings[0], SPAN("notify")) && !span_ieq(mode->value->strings[0], SPAN("return")))
		return sieve_fail(c, n, ":bymode takes \"notify\" or \"return\"");
	if ((mode != NULL || sieve_tag_get(n, TAG_BYTRACE) != NULL) && at == NULL && sieve_tag_get(n, TAG_BYTIMERELATIVE) == NULL)
		return sieve_fail(c, n, ":bymode and :bytrace need :bytimerelative or :bytimeabsolute");
	return 0;
}

/* The value of SMTP's BY=: seconds, ";", R or N, T. */
static int
by_option(struct sieve_run *r, const struct sieve_node *n, struct filter_action *action)
{
	const struct sieve_tagged *mode = sieve_tag_get(n, TAG_BYMODE), *at = sieve_tag_get(n, TAG_BYTIMEABSOLUTE),
	    *in = sieve_tag_get(n, TAG_BYTIMERELATIVE);
	bool notify = mode != NULL && span_ieq(mode->value->strings[0], SPAN("notify"));
	int64_t seconds = 0;
	char *text;

	if (at == NULL && in == NULL)
		return 0;
	if (at != NULL) {
		struct span s;

		if (sieve_run_string(r, n, at->value->strings[0], &s) == -1)
			return -1;
		if (!sieve_parse_rfc3339(s, &seconds))
			return sieve_run_fail(r, n, "\"%.*s\" is no time as RFC 3339 has it", SPAN_ARG(span_sub(s, 0, 60)));
		seconds -= sieve_run_now(r);
	} else {
		seconds = in->value->number > BY_MAX ? BY_MAX : (int64_t)in->value->number;
	}
	if (seconds > BY_MAX || seconds < -BY_MAX)
		seconds = seconds < 0 ? -BY_MAX : BY_MAX;
	/* RFC 2852 section 4.1: a message is not returned before it has been tried. */
	if (seconds <= 0 && !notify)
		return sieve_run_fail(r, n, "the time until when it is to be delivered is over");
	text = arena_printf(r->a, "%lld;%c%s", (long long)seconds, notify ? 'N' : 'R', sieve_tag_get(n, TAG_BYTRACE) != NULL ? "T" : "");
	if (text == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	action->by = span_str(text);
	return 0;
}

int
sieve_redirect_options(struct sieve_run *r, const struct sieve_node *n, struct filter_action *action)
{
	const struct sieve_tagged *notify = sieve_tag_get(n, TAG_NOTIFY), *ret = sieve_tag_get(n, TAG_RET);

	if (notify != NULL && sieve_run_string(r, n, notify->value->strings[0], &action->dsn_notify) == -1)
		return -1;
	if (ret != NULL && sieve_run_string(r, n, ret->value->strings[0], &action->dsn_ret) == -1)
		return -1;
	if (notify != NULL && !is_notify(action->dsn_notify))
		return sieve_run_fail(r, n, ":notify \"%.*s\" means nothing", SPAN_ARG(span_sub(action->dsn_notify, 0, 60)));
	if (ret != NULL && !span_ieq(action->dsn_ret, SPAN("FULL")) && !span_ieq(action->dsn_ret, SPAN("HDRS")))
		return sieve_run_fail(r, n, ":ret \"%.*s\" means nothing", SPAN_ARG(span_sub(action->dsn_ret, 0, 60)));
	return by_option(r, n, action);
}

/* ---- the envelope ---- */

enum sieve_ext
sieve_dsn_item(struct span name)
{
	static const char *const dsn[] = { "notify", "orcpt", "ret", "envid" };
	static const char *const by[] = { "bytimeabsolute", "bytimerelative", "bymode", "bytrace" };

	for (size_t i = 0; i < 4; i++) {
		if (span_ieq(name, span_str(dsn[i])))
			return EXT_ENVELOPE_DSN;
		if (span_ieq(name, span_str(by[i])))
			return EXT_ENVELOPE_DELIVERBY;
	}
	return EXT_CORE;
}

static int
match_by(struct sieve_matching *x, struct span name, struct span by)
{
	struct span mode = span_from(by, span_chr(by, ';') + 1), number = span_sub(by, 0, span_chr(by, ';'));
	bool negative = number.n > 0 && number.p[0] == '-', trace = mode.n > 1 && ascii_lower(mode.p[1]) == 't';
	struct buf text = BUF_INIT(100);
	struct span copy;
	uint64_t seconds;
	int rc = 0;

	if (mode.n == 0 || !span_u64(span_from(number, negative), BY_MAX, &seconds))
		return 0;
	if (span_ieq(name, SPAN("bymode")))
		return sieve_matching_value(x, ascii_lower(mode.p[0]) == 'n' ? SPAN("notify") : SPAN("return"));
	if (span_ieq(name, SPAN("bytrace")))
		return sieve_matching_value(x, trace ? SPAN("true") : SPAN("false"));
	if (span_ieq(name, SPAN("bytimerelative"))) {
		buf_addf(&text, "%s%llu", negative ? "-" : "", (unsigned long long)seconds);
	} else {
		int64_t at = sieve_run_now(x->r) + (negative ? -(int64_t)seconds : (int64_t)seconds);
		int y, m, d;

		date_civil(at / 86400, &y, &m, &d);
		buf_addf(&text, "%04d-%02d-%02dT%02d:%02d:%02dZ", y, m, d, (int)(at % 86400 / 3600), (int)(at % 3600 / 60), (int)(at % 60));
	}
	rc = sieve_run_dup(x->r, x->n, buf_span(&text), &copy);
	buf_clear(&text);
	return rc == -1 ? -1 : sieve_matching_value(x, copy);
}

int
sieve_dsn_match(struct sieve_matching *x, struct span name)
{
	const struct filter_message *m = x->r->message;
	struct span list = m->notify, word;
	int rc = 0;

	if (sieve_dsn_item(name) == EXT_ENVELOPE_DELIVERBY)
		return m->bydeadline.n == 0 ? 0 : match_by(x, name, m->bydeadline);
	if (span_ieq(name, SPAN("ret")))
		return m->ret.n == 0 ? 0 : sieve_matching_value(x, m->ret);
	if (span_ieq(name, SPAN("envid")))
		return m->envid.n == 0 ? 0 : sieve_matching_value(x, m->envid);
	if (span_ieq(name, SPAN("orcpt"))) {
		bool typed = span_chr(m->orig_recipient, ';') < m->orig_recipient.n;
		char *text;

		if (m->orig_recipient.n == 0)
			return 0;
		text = arena_printf(x->r->a, "%s%.*s", typed ? "" : "rfc822;", SPAN_ARG(m->orig_recipient));
		if (text == NULL)
			return sieve_run_fail(x->r, x->n, "the script needs too much memory");
		return sieve_matching_value(x, span_str(text));
	}
	while (rc == 0 && span_next(&list, ',', &word))
		rc = sieve_matching_value(x, word);
	return rc;
}
