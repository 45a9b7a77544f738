/* SPDX-License-Identifier: MIT */
#include "queue/attempt.h"

#define RETURN_MAX 65536	/* a sender has his message; whose it is gets all of it */

static bool
is_for_user(const struct queue_item *item)
{
	return item->keep_for[0] != '\0';
}

/* NOTIFY without FAILURE: NEVER, or other things alone (RFC 3461 section 4.1). */
static bool
wants_failure(struct span notify)
{
	struct span word;

	if (notify.n == 0)
		return true;
	while (span_next(&notify, ',', &word))
		if (span_ieq(word, SPAN("FAILURE")))
			return true;
	return false;
}

struct span
notice_recipient(const struct queue_item *item)
{
	if (item->kind != OUTGOING_REDIRECT)
		return SPAN("");
	if (is_for_user(item))
		return span_str(item->keep_for);
	return wants_failure(item->dsn.notify) ? span_str(item->sender) : SPAN("");
}

bool
notice_returns_all(const struct queue_item *item)
{
	return is_for_user(item) || (item->size <= RETURN_MAX && !span_ieq(item->dsn.ret, SPAN("HDRS")));
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > '~')
			return false;
	return true;
}

/* Of "RCPT: 550 5.1.1 no such user" what the server said; empty: it was no server's word. */
static struct span
reply_of(struct span why)
{
	for (size_t i = 0; i + 5 <= why.n; i++) {
		struct span s = span_from(why, i);

		if (s.p[0] == ':' && s.p[1] == ' ' && (s.p[2] == '4' || s.p[2] == '5') && ascii_is_digit(s.p[3]) && s.n >= 5 &&
		    ascii_is_digit(s.p[4]) && (s.n == 5 || s.p[5] == ' '))
			return span_from(s, 2);
	}
	return SPAN("");
}

/* class "." subject "." detail (RFC 3463 section 2): its octets, or 0. */
static size_t
enhanced_size(struct span s)
{
	size_t at = 1;

	if (s.n < 5 || (s.p[0] != '4' && s.p[0] != '5'))
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (at >= s.n || s.p[at++] != '.')
			return 0;
		while (at < s.n && digits < 3 && ascii_is_digit(s.p[at])) {
			at++;
			digits++;
		}
		if (digits == 0)
			return 0;
	}
	return at == s.n || s.p[at] == ' ' ? at : 0;
}

static void
put_status(struct buf *out, const struct queue_item *item, struct span reply)
{
	struct span text = span_from(reply, 4);
	size_t n = enhanced_size(text);

	if (n > 0 && text.p[0] == reply.p[0])
		buf_addf(out, "Status: %.*s\r\n", SPAN_ARG(span_sub(text, 0, n)));
	else if (reply.n > 0)
		buf_addf(out, "Status: %c.0.0\r\n", reply.p[0]);
	else
		buf_addf(out, "Status: %s\r\n", item->expired ? "4.4.7" : "5.0.0");
	if (reply.n > 0)
		buf_addf(out, "Diagnostic-Code: smtp; %.*s\r\n", SPAN_ARG(reply));
}

static void
put_header(struct buf *head, const struct queue_item *item, const struct notice *n, bool eight_bit)
{
	struct span to = notice_recipient(item);
	bool named = span_chr(n->from, '<') < n->from.n;

	/* By this first field a filter that passes mail on knows that it must not pass this on (outgoing_is_loop()). */
	if (is_for_user(item))
		buf_addf(head, "X-Sieve-Redirected-From: %s\r\n", item->keep_for);
	buf_addf(head, "From: %s%.*s%s\r\nTo: <%.*s>\r\n", named ? "" : "Mail delivery <", SPAN_ARG(n->from), named ? "" : ">",
	    SPAN_ARG(to));
	buf_addf(head, "Subject: Not %s%s%s\r\n", is_for_user(item) ? "forwarded" : "delivered",
	    is_ascii(span_str(item->recipient)) ? " to " : "", is_ascii(span_str(item->recipient)) ? item->recipient : "");
	buf_addf(head, "Date: %.*s\r\nMessage-ID: <queue-%s@%.*s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n",
	    SPAN_ARG(n->date), item->id, SPAN_ARG(n->hostname));
	buf_addf(head, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_%s\"\r\n%s\r\n", item->id,
	    eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static void
put_text(struct buf *head, const struct queue_item *item, const struct notice *n, bool eight_bit)
{
	buf_addf(head, "--=_%s\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n", item->id,
	    eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	if (is_for_user(item))
		buf_addf(head, "A message that your filter forwards to <%s> could not be handed on:\r\n\r\n    ", item->recipient);
	else
		buf_addf(head, "Your message to <%s> was passed on to <%s>,\r\nand could not be handed on there:\r\n\r\n    ",
		    item->user, item->recipient);
	for (size_t i = 0; i < n->why.n; i++)
		buf_addc(head, (unsigned char)n->why.p[i] < ' ' ? ' ' : n->why.p[i]);
	if (is_for_user(item))
		buf_adds(head, "\r\n\r\nIt is kept here for you, attached to this notice.\r\n\r\n");
	else
		buf_addf(head, "\r\n\r\nIt will not be tried again. %s attached.\r\n\r\n", n->header_only ? "Its header is" : "It is");
}

/* RFC 3464, and RFC 6533 for addresses beyond ASCII. */
static void
put_report(struct buf *head, const struct queue_item *item, const struct notice *n)
{
	struct span to = span_str(item->recipient), first = span_str(item->user);
	bool global = !is_ascii(to) || !is_ascii(first);
	const char *type = global ? "utf-8" : "rfc822";

	buf_addf(head, "--=_%s\r\nContent-Type: message/%sdelivery-status\r\n%s\r\n", item->id, global ? "global-" : "",
	    global ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	buf_addf(head, "Reporting-MTA: dns; %.*s\r\nArrival-Date: %.*s\r\n\r\n", SPAN_ARG(n->hostname), SPAN_ARG(n->arrival));
	if (!is_for_user(item) && span_chr(first, '@') < first.n)
		buf_addf(head, "Original-Recipient: %s; %s\r\n", type, item->user);
	buf_addf(head, "Final-Recipient: %s; %s\r\nAction: failed\r\n", type, item->recipient);
	put_status(head, item, reply_of(n->why));
	buf_addf(head, "Last-Attempt-Date: %.*s\r\n\r\n", SPAN_ARG(n->date));
}

void
notice_write(struct buf *head, struct buf *tail, const struct queue_item *item, const struct notice *n)
{
	bool eight_bit = n->eight_bit || !is_ascii(n->why) || !is_ascii(span_str(item->recipient)) || !is_ascii(span_str(item->user));

	put_header(head, item, n, eight_bit);
	put_text(head, item, n, eight_bit);
	put_report(head, item, n);
	buf_addf(head, "--=_%s\r\nContent-Type: %s\r\n%s\r\n", item->id, n->header_only ? "text/rfc822-headers" : "message/rfc822",
	    n->eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	buf_addf(tail, "\r\n--=_%s--\r\n", item->id);
}
