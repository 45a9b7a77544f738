/* SPDX-License-Identifier: MIT */
#include "lib-deliver/outgoing.h"

#include "lib-mail/header.h"

#define FIELDS_MAX 10000
#define HEADER_OCTETS ((size_t)1 << 20)
#define QUOTED_HEADER ((size_t)64 << 10)	/* of the original's header in a rejection */
#define PASSED_ON "X-Sieve-Redirected-From"	/* the name that Dovecot's filters look for too */

uint64_t
outgoing_size(const struct outgoing *o)
{
	uint64_t n = 0;

	for (size_t i = 0; i < o->part_count; i++)
		n += o->parts[i].n;
	return n;
}

void
outgoing_redirect_header(struct buf *out, struct span header, struct span recipient)
{
	struct header_iter it;
	struct header_field f;

	buf_addf(out, PASSED_ON ": %.*s\r\n", SPAN_ARG(recipient));
	header_begin(&it, header, SIZE_MAX, SIZE_MAX);
	while (header_next(&it, &f))
		if (!span_ieq(f.name, SPAN("return-path")))
			buf_add(out, f.raw);
}

static bool
is_address(struct span value, struct span address)
{
	value = span_trim(value);
	if (value.n >= 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
		value = span_sub(value, 1, value.n - 2);
	return span_ieq(value, address);
}

bool
outgoing_is_loop(struct span message, struct span address)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, message, FIELDS_MAX, HEADER_OCTETS);
	while (header_next(&it, &f))
		if ((span_ieq(f.name, SPAN("delivered-to")) || span_ieq(f.name, SPAN(PASSED_ON)) ||
		     span_ieq(f.name, SPAN("x-loop"))) && is_address(f.value, address))
			return true;
	return false;
}

/* Text of mail and settings as a field's value: one line. */
static void
add_line(struct buf *out, struct span s)
{
	s = span_sub(s, 0, 900);
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, (unsigned char)s.p[i] < ' ' || s.p[i] == 127 ? ' ' : s.p[i]);
	buf_adds(out, "\r\n");
}

/* Text with CR LF line ends, whatever it had. */
static void
add_text(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			buf_adds(out, "\r\n");
		else if (s.p[i] != '\r' && s.p[i] != '\0')
			buf_addc(out, s.p[i]);
	}
	if (s.n == 0 || s.p[s.n - 1] != '\n')
		buf_adds(out, "\r\n");
}

/* RFC 3798 section 3. */
static void
add_disposition(struct buf *out, const struct outgoing_rejection *r)
{
	buf_addf(out, "Content-Type: message/disposition-notification\r\n\r\nReporting-UA: %.*s; Culver\r\n", SPAN_ARG(r->hostname));
	buf_adds(out, "Final-Recipient: rfc822; ");
	add_line(out, r->recipient);
	if (r->message_id.n > 0) {
		buf_adds(out, "Original-Message-ID: ");
		add_line(out, r->message_id);
	}
	buf_adds(out, "Disposition: automatic-action/MDN-sent-automatically; deleted\r\n");
}

/* RFC 3464 section 2: the fields of the message, and behind a blank line those of the recipient. */
static void
add_delivery_status(struct buf *out, const struct outgoing_rejection *r)
{
	buf_addf(out, "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; %.*s\r\n\r\n", SPAN_ARG(r->hostname));
	buf_adds(out, "Final-Recipient: rfc822; ");
	add_line(out, r->recipient);
	buf_addf(out, "Action: failed\r\nStatus: %.*s\r\n", SPAN_ARG(r->status));
}

void
outgoing_rejection_write(struct buf *out, const struct outgoing_rejection *r)
{
	buf_adds(out, "From: ");
	add_line(out, r->from);
	buf_adds(out, "To: <");
	buf_add(out, r->to);
	buf_adds(out, ">\r\nSubject: ");
	add_line(out, r->subject);
	buf_addf(out, "Date: %.*s\r\nMessage-ID: <reject-%.*s@%.*s>\r\n", SPAN_ARG(r->date), SPAN_ARG(r->unique),
	    SPAN_ARG(r->hostname));
	if (r->message_id.n > 0) {
		buf_adds(out, "In-Reply-To: ");
		add_line(out, r->message_id);
	}
	/* Answers to it would be answers of machines to a machine (RFC 3834 section 5). */
	buf_addf(out, "Auto-Submitted: auto-replied (rejected)\r\nPrecedence: bulk\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"=_%.*s\"\r\n\r\n"
	    "--=_%.*s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n", r->status.n > 0 ? "delivery-status" : "disposition-notification",
	    SPAN_ARG(r->unique), SPAN_ARG(r->unique));
	add_text(out, r->text);
	buf_addf(out, "\r\n--=_%.*s\r\n", SPAN_ARG(r->unique));
	if (r->status.n > 0)
		add_delivery_status(out, r);
	else
		add_disposition(out, r);
	buf_addf(out, "\r\n--=_%.*s\r\nContent-Type: text/rfc822-headers\r\n\r\n", SPAN_ARG(r->unique));
	add_text(out, span_sub(r->header, 0, QUOTED_HEADER));
	buf_addf(out, "\r\n--=_%.*s--\r\n", SPAN_ARG(r->unique));
}
