/* SPDX-License-Identifier: MIT */
#include "lib-deliver/rejection.h"

#include "lib/encode.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-mail/date.h"
#include "lib-mail/header.h"

#define SUBJECT_MAX 900		/* of the refused message's */

static int
expand(struct deliver_host *host, enum setting id, const struct var *vars, struct span *out, struct err *e)
{
	struct buf text = BUF_INIT(65536);
	int rc = vars_expand(&text, set_str(host->r->view, id), vars, e);

	if (rc == 0) {
		*out = arena_dup(host->a, buf_span(&text));
		rc = out->p == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
	}
	buf_clear(&text);
	return rc;
}

int
deliver_rejection_send(struct deliver_host *host, struct span reason, struct span header, struct span status, struct err *e)
{
	const struct deliver_request *r = host->r;
	const struct deliver_means *means = r->means;
	struct buf text = BUF_INIT((size_t)1 << 20), date = BUF_INIT(64), unique = BUF_INIT(64);
	struct outgoing_rejection x = { .to = r->sender, .recipient = r->recipient,
					.hostname = set_str(r->view, SET_hostname), .header = header, .status = status };
	struct outgoing o = { .kind = OUTGOING_SEND, .user = r->user, .sender = SPAN(""), .recipient = r->sender };
	struct var vars[5];
	unsigned char random[12];
	struct span subject = SPAN("");
	int rc = -1;

	if (means == NULL || means->submit == NULL)
		return err_set(e, ERR_NOTFOUND, "mail is not sent from here");
	if (x.hostname.n == 0)
		x.hostname = span_str(host_name());
	if (header_get(header, SPAN("subject"), &subject))
		subject = span_sub(subject, 0, SUBJECT_MAX);
	header_get(header, SPAN("message-id"), &x.message_id);
	random_bytes(random, sizeof(random));
	hex_encode(&unique, span_of(random, sizeof(random)));
	date_write(&date, (struct mail_date){ .time = clock_wall_us() / 1000000 });
	/* Of a local user's name an address. */
	if (span_chr(x.recipient, '@') == x.recipient.n)
		x.recipient = span_str(arena_printf(host->a, "%.*s@%.*s", SPAN_ARG(x.recipient), SPAN_ARG(deliver_own_domain(r))));
	x.unique = buf_span(&unique);
	x.date = buf_span(&date);
	vars[0] = (struct var){ 'n', NULL, SPAN("\r\n") };
	vars[1] = (struct var){ 'r', "reason", reason };
	vars[2] = (struct var){ 's', "subject", subject };
	vars[3] = (struct var){ 't', "recipient", x.recipient };
	vars[4] = (struct var){ 0, NULL, SPAN_NONE };
	if (expand(host, SET_rejection_subject, vars, &x.subject, e) == 0 && expand(host, SET_rejection_reason, vars, &x.text, e) == 0 &&
	    deliver_host_postmaster(host, &x.from, e) == 0) {
		outgoing_rejection_write(&text, &x);
		o.parts[0] = buf_span(&text);
		o.part_count = 1;
		rc = text.failed ? err_set(e, ERR_LIMIT, "the rejection is too large") : means->submit(means->ctx, &o, e);
	}
	buf_clear(&text);
	buf_clear(&date);
	buf_clear(&unique);
	return rc;
}

bool
deliver_is_automatic(struct span message)
{
	struct span value;

	if (!header_get(message, SPAN("auto-submitted"), &value))
		return false;
	value = span_trim(span_sub(value, 0, span_chr(value, ';')));
	return !span_ieq(value, SPAN("no"));
}
