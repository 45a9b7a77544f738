/* SPDX-License-Identifier: MIT */
#include "queue/attempt.h"

void
notice_write(struct buf *head, struct buf *tail, const struct queue_item *item, struct span from, struct span hostname,
    struct span date, struct span why)
{
	/* By this first field a filter that passes mail on knows that it must not pass this on (outgoing_is_loop()). */
	buf_addf(head, "X-Sieve-Redirected-From: %s\r\nFrom: Mail delivery <%.*s>\r\nTo: <%s>\r\n", item->keep_for, SPAN_ARG(from),
	    item->keep_for);
	buf_addf(head, "Subject: Not forwarded to %s\r\nDate: %.*s\r\nMessage-ID: <queue-%s@%.*s>\r\n", item->recipient,
	    SPAN_ARG(date), item->id, SPAN_ARG(hostname));
	buf_addf(head, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_%s\"\r\n\r\n"
	    "--=_%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", item->id, item->id);
	buf_addf(head, "A message that your filter forwards to <%s> could not be handed on:\r\n\r\n    ", item->recipient);
	for (size_t i = 0; i < why.n; i++)
		buf_addc(head, (unsigned char)why.p[i] < ' ' ? ' ' : why.p[i]);
	buf_addf(head, "\r\n\r\nIt is kept here for you, attached to this notice.\r\n\r\n--=_%s\r\n"
	    "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; %.*s\r\n\r\n"
	    "Final-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: 5.0.0\r\n\r\n--=_%s\r\n"
	    "Content-Type: message/rfc822\r\n\r\n", item->id, SPAN_ARG(hostname), item->recipient, item->id);
	buf_addf(tail, "\r\n--=_%s--\r\n", item->id);
}
