/* SPDX-License-Identifier: MIT */
/* vnd.dovecot.report: a complaint about the message in the form of RFC 5965; and vnd.dovecot.debug. */
#include "config.h"
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/compose.h"
#include "lib-filter/sieve/run.h"
#include "lib-mail/date.h"

/* RFC 5965 section 3.5: a token. */
static bool
is_type(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= 64;
}

static int
check_report(struct sieve_checker *c, struct sieve_node *n)
{
	struct span type = n->pos[0]->strings[0], to = n->pos[2]->strings[0];

	if (sieve_is_constant(c, type) && !is_type(type))
		return sieve_fail(c, n, "\"%.*s\" is no type of a report", SPAN_ARG(span_sub(type, 0, 60)));
	if (sieve_is_constant(c, to) && !sieve_is_address(to))
		return sieve_fail(c, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(to, 0, 60)));
	return 0;
}

/* Who complains: what sieve_report_from says, else the postmaster. */
static struct span
reporter(const struct sieve_run *r)
{
	struct span set = sieve_address_setting(r, "sieve_report_from");

	return set.n > 0 ? set : sieve_postmaster(r);
}

/* The fields that a program reads (section 3). */
static void
put_machine_part(const struct sieve_run *r, struct buf *out, struct span type)
{
	const struct filter_message *m = r->message;

	buf_addf(out, "Content-Type: message/feedback-report\r\n\r\nVersion: 1\r\nFeedback-Type: %.*s\r\nUser-Agent: Culver/%s\r\n",
	    SPAN_ARG(type), PACKAGE_VERSION);
	if (m->sender.n > 0)
		buf_addf(out, "Original-Mail-From: <%.*s>\r\n", SPAN_ARG(m->sender));
	if (m->recipient.n > 0)
		buf_addf(out, "Original-Rcpt-To: <%.*s>\r\n", SPAN_ARG(m->recipient));
	/* Whose complaint it is, by the name that programs which read reports know. */
	buf_addf(out, "Dovecot-Reporting-User: <%.*s>\r\n", SPAN_ARG(sieve_owner(r)));
	buf_adds(out, "Arrival-Date: ");
	date_write(out, (struct mail_date){ .time = sieve_run_now(r) });
	buf_adds(out, "\r\n");
}

static int
compose(struct sieve_run *r, const struct sieve_node *n, struct span type, struct span text, struct span to, struct buf *out)
{
	bool headers = sieve_tag_get(n, TAG_HEADERS_ONLY) != NULL;
	struct span whole, mark, boundary, raw, subject = SPAN("");

	if (header_get(r->message->header, SPAN("Subject"), &raw) && sieve_run_decode(r, n, raw, &subject) == -1)
		return -1;
	if (sieve_message_text(r, n, &whole) == -1 || sieve_run_work(r, n, 1 + whole.n / 256) == -1 ||
	    sieve_run_mark(r, n, "report", (struct span[]){ whole, to }, 2, &mark) == -1)
		return -1;
	boundary = span_sub(mark, 7, 32);
	if (sieve_compose_start(r, n, out, "report", to) == -1 || sieve_compose_addresses(r, n, out, "From", reporter(r)) == -1 ||
	    sieve_compose_addresses(r, n, out, "To", to) == -1)
		return -1;
	sieve_compose_text(out, "Subject", span_str(arena_printf(r->a, "Report: %.*s", SPAN_ARG(subject.n > 0 ? span_sub(subject, 0, 1000) : type))));
	buf_addf(out, "Auto-Submitted: auto-generated (report)\r\nPrecedence: bulk\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
	    "report-type=feedback-report;\r\n boundary=\"=_%.*s\"\r\n\r\n--=_%.*s\r\n", SPAN_ARG(boundary), SPAN_ARG(boundary));
	sieve_compose_part(out, text);
	buf_addf(out, "\r\n--=_%.*s\r\n", SPAN_ARG(boundary));
	put_machine_part(r, out, type);
	buf_addf(out, "\r\n--=_%.*s\r\nContent-Type: %s\r\nContent-Disposition: attachment\r\n\r\n", SPAN_ARG(boundary),
	    headers ? "text/rfc822-headers" : "message/rfc822");
	sieve_compose_lines(out, headers ? r->message->header : whole);
	buf_addf(out, "\r\n--=_%.*s--\r\n", SPAN_ARG(boundary));
	return out->failed ? sieve_run_fail(r, n, "the report is too large") : 0;
}

/* Of each type one to an address; none to the user whose script it is, for which it might be a loop. */
static bool
is_to_be_sent(struct sieve_run *r, const struct sieve_node *n, struct span type, struct span to)
{
	char *name = arena_printf(r->a, "%.*s %.*s", SPAN_ARG(type), SPAN_ARG(to));
	struct sieve_names *x;

	if (span_ieq(to, r->message->recipient) || span_ieq(to, sieve_owner(r))) {
		sieve_run_complain(r, n, "reports are not sent to the user whose script it is");
		return false;
	}
	for (x = r->reports; x != NULL; x = x->next)
		if (name != NULL && span_ieq(x->name, span_str(name)))
			return false;
	x = arena_alloc(r->a, 1, sizeof(*x));
	if (x != NULL && name != NULL) {
		*x = (struct sieve_names){ .next = r->reports, .name = span_str(name) };
		r->reports = x;
	}
	return true;
}

static int
run_report(struct sieve_run *r, const struct sieve_node *n)
{
	struct filter_action *action;
	struct span type, text, to, report;
	struct buf out;
	int rc;

	if (sieve_run_string(r, n, n->pos[0]->strings[0], &type) == -1 || sieve_run_string(r, n, n->pos[1]->strings[0], &text) == -1 ||
	    sieve_run_string(r, n, n->pos[2]->strings[0], &to) == -1)
		return -1;
	if (!is_type(type))
		return sieve_run_fail(r, n, "\"%.*s\" is no type of a report", SPAN_ARG(span_sub(type, 0, 60)));
	if (!sieve_is_address(to))
		return sieve_run_fail(r, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(to, 0, 60)));
	if (!is_to_be_sent(r, n, type, to))
		return 0;
	buf_init(&out, 2 * (r->message->header.n + r->message->body.n) + ((size_t)8 << 20));
	rc = compose(r, n, type, text, to, &out) == -1 ? -1 : sieve_run_dup(r, n, buf_span(&out), &report);
	buf_clear(&out);
	if (rc == -1 || (action = sieve_run_action(r, n, FILTER_SEND)) == NULL)
		return -1;
	action->target = to;
	/* The sender is empty: nobody waits for an answer, and there is no loop. */
	action->text = report;
	return 0;
}

static int
run_debug_log(struct sieve_run *r, const struct sieve_node *n)
{
	struct span text;

	if (sieve_run_string(r, n, n->pos[0]->strings[0], &text) == -1 || sieve_run_work(r, n, 100) == -1)
		return -1;
	if (r->host->log != NULL)
		r->host->log(r->host->ctx, span_sub(text, 0, 1000));
	return 0;
}

static const struct sieve_tag_use report_tags[] = { { TAG_HEADERS_ONLY, EXT_VND_REPORT }, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_report[] = {
	{ .name = "report", .ext = EXT_VND_REPORT, .args = "SSS", .tags = report_tags, .check = check_report, .run = run_report },
	{ .name = "debug_log", .ext = EXT_VND_DEBUG, .args = "S", .run = run_debug_log },
	{ .name = NULL },
};
