/* SPDX-License-Identifier: MIT */
#include "lmtp/session.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-mail/date.h"
#include "lmtp/data.h"
#include "lmtp/scan.h"

#define HEADER_MAX 8192
#define STEP_MAX 65536
#define CHUNK_MAX ((uint64_t)1 << 40)	/* a larger BDAT is a mistake, not a message */

static struct span
original(const struct lmtp_rcpt *r)
{
	return r->orcpt.n > 0 ? r->orcpt : r->asked_for;
}

static void
write_received(const struct lmtp_session *l, const struct lmtp_rcpt *r, struct buf *b)
{
	int64_t now = clock_wall_us() / 1000000;
	struct mail_date date = { .time = now };
	time_t t = (time_t)now;
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		date.tz = (int32_t)(tm.tm_gmtoff / 60);
	buf_addf(b, "Received: from %s", l->client_helo[0] != '\0' ? l->client_helo : l->helo);
	if (l->rip.n > 0)
		buf_addf(b, " ([%.*s])", SPAN_ARG(l->rip));
	buf_addf(b, "\r\n\tby %.*s with %s\r\n\tid %s\r\n\t(envelope-from <%.*s>)",
	    SPAN_ARG(l->o->hostname), l->t.utf8 ? l->tls ? "UTF8LMTPS" : "UTF8LMTP" : l->tls ? "LMTPS" : "LMTP", l->t.session, SPAN_ARG(l->t.sender.text));
	/* What goes on to another server may be for several, who need not hear of each other. */
	if (lmtp_rcpt_is_remote(r) || l->o->delivery_address == LMTP_ADDRESS_NONE)
		buf_adds(b, "; ");
	else
		buf_addf(b, "\r\n\tfor <%.*s>; ", SPAN_ARG(l->o->delivery_address == LMTP_ADDRESS_ORIGINAL ? original(r) : r->asked_for));
	date_write(b, date);
	buf_adds(b, "\r\n");
}

/* RFC 5321 section 4.4.  Return-Path stands first, so that what the mail brought along counts for nothing. */
static int
make_header(struct lmtp_session *l, struct lmtp_rcpt *r)
{
	struct buf b = BUF_INIT(HEADER_MAX);

	if (lmtp_rcpt_is_remote(r)) {	/* the rest is the other server's to write */
		if (l->o->add_received)
			write_received(l, r, &b);
		r->header = b.failed ? SPAN_NONE : arena_dup(l->t.arena, buf_span(&b));
		buf_clear(&b);
		return r->header.p == NULL ? -1 : 0;
	}
	buf_addf(&b, "Return-Path: <%.*s>\r\n", SPAN_ARG(r->sender));
	if (r->quarantined)
		buf_addf(&b, "X-Quarantine: <%.*s>%s%.*s\r\n", SPAN_ARG(r->asked_for), r->reason.n > 0 ? " " : "", SPAN_ARG(r->reason));
	switch (l->o->delivery_address) {
	case LMTP_ADDRESS_FINAL:
		buf_addf(&b, "Delivered-To: %.*s\r\n", SPAN_ARG(r->path.text));
		break;
	case LMTP_ADDRESS_ORIGINAL:
		buf_addf(&b, "Delivered-To: %.*s\r\n", SPAN_ARG(original(r)));
		break;
	case LMTP_ADDRESS_NONE:
		break;
	}
	if (l->o->add_received)
		write_received(l, r, &b);
	r->header = b.failed ? SPAN_NONE : arena_dup(l->t.arena, buf_span(&b));
	buf_clear(&b);
	return r->header.p == NULL ? -1 : 0;
}

/* local: not those whom another server answers. */
static void
answer_all(struct lmtp_session *l, bool local, unsigned code, const char *reply)
{
	for (size_t i = 0; i < l->t.rcpt_count; i++) {
		if (local && lmtp_rcpt_is_remote(&l->t.rcpts[i]))
			continue;
		l->t.rcpts[i].code = code;
		snprintf(l->t.rcpts[i].reply, sizeof(l->t.rcpts[i].reply), "%s", reply);
	}
}

/* Delivers what the spam scanner leaves of it, unless it wants none of it. */
static void
hand_on(struct lmtp_session *l, int fd)
{
	struct lmtp_transaction *t = &l->t;
	int scanned = fd;

	switch (l->o->scan == NULL ? SPAM_FATE_NONE : lmtp_scan(l->o->scan, l, fd, &scanned)) {
	case SPAM_FATE_REJECT:
		answer_all(l, true, 550, "5.7.1 Refused as spam");
		break;
	case SPAM_FATE_DEFER:
		answer_all(l, true, 451, "4.7.1 Try again later");
		break;
	case SPAM_FATE_JUNK:
		t->junk = true;
		/* fallthrough */
	case SPAM_FATE_NONE:
		l->backend->deliver(l->backend->ctx, t, scanned);
		if (l->o->recipients != NULL)
			lmtp_recipient_tell_owners(l, scanned);
		break;
	}
	if (scanned != fd)
		close(scanned);
}

/* The message is whole: a reply for each recipient, in their order (RFC 2033 section 4.2). */
static void
finish(struct lmtp_session *l)
{
	struct lmtp_transaction *t = &l->t;
	struct err e = ERR_INIT;
	int fd;

	l->state = "DELIVERY";
	answer_all(l, false, 451, "4.3.0 Temporary internal error");
	if (t->message.too_big)
		answer_all(l, false, 552, "5.3.4 Message too large");
	else if ((fd = message_seal(&t->message, &e)) != -1) {
		bool complete = true, local = false, proxied = false;

		for (size_t i = 0; i < t->rcpt_count; i++) {
			complete = make_header(l, &t->rcpts[i]) == 0 && complete;
			local = local || !lmtp_rcpt_is_remote(&t->rcpts[i]);
			proxied = proxied || lmtp_rcpt_is_remote(&t->rcpts[i]);
		}
		/* First: what leaves from here waits for all mailboxes that one address leads to, and owners hear of all that failed. */
		if (complete && proxied)
			l->backend->forward(l->backend->ctx, t, fd);
		if (complete && (local || l->o->recipients != NULL))
			hand_on(l, fd);
	}
	for (size_t i = 0, end; i < t->rcpt_count; i = end) {
		for (end = i + 1; end < t->rcpt_count && t->rcpts[end].number == t->rcpts[i].number; end++)
			;
		lmtp_recipient_answer(l, i, end);
	}
	lmtp_transaction_reset(l);
}

static int
fill(struct lmtp_session *l, struct err *e)
{
	int rc = stream_fill(l->s, e);

	l->status->waiting_ms = 0;
	return rc;
}

int
lmtp_cmd_data(struct lmtp_session *l, struct span args, struct err *e)
{
	struct smtp_data d = { SMTP_DATA_START };
	struct message *m = &l->t.message;

	if (args.n > 0) {
		lmtp_refuse(l, "501 5.5.4 DATA takes no arguments");
		return 0;
	}
	if (!l->t.open || l->t.chunked || l->t.rcpt_count == 0) {
		lmtp_refuse(l, !l->t.open ? "503 5.5.1 MAIL needed first"
		    : l->t.chunked ? "503 5.5.1 BDAT has begun" : "503 5.5.1 No valid recipients");
		return 0;
	}
	lmtp_reply(l, "354 OK");
	l->state = "DATA";
	l->status->busy = 1;
	while (d.state != SMTP_DATA_END) {
		struct span in, rest;
		char *room;

		if (stream_in(l->s).n == 0 && fill(l, e) == -1)
			return -1;
		in = rest = span_sub(stream_in(l->s), 0, STEP_MAX);
		room = message_room(m, in.n + 1);
		if (room == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		message_commit(m, smtp_data(&d, &rest, room));
		stream_drop(l->s, in.n - rest.n);
	}
	finish(l);
	return 0;
}

/* Takes n octets in; keep: as a part of the message. */
static int
take_chunk(struct lmtp_session *l, uint64_t n, bool keep, struct err *e)
{
	struct message *m = &l->t.message;

	while (n > 0) {
		struct span in;

		if (stream_in(l->s).n == 0 && fill(l, e) == -1)
			return -1;
		in = span_sub(stream_in(l->s), 0, n < STEP_MAX ? (size_t)n : STEP_MAX);
		if (keep) {
			char *room = message_room(m, in.n);

			if (room == NULL)
				return err_set(e, ERR_TEMP, "out of memory");
			memcpy(room, in.p, in.n);
			message_commit(m, in.n);
		}
		stream_drop(l->s, in.n);
		n -= in.n;
	}
	return 0;
}

/* RFC 3030 section 2.  The octets are taken whatever the answer will be. */
int
lmtp_cmd_bdat(struct lmtp_session *l, struct span args, struct err *e)
{
	struct lmtp_transaction *t = &l->t;
	size_t i = span_chr(args, ' ');
	struct span last = span_trim(span_from(args, i));
	bool is_last = span_ieq(last, SPAN("LAST")), keep;
	uint64_t n;

	/* What follows can not be told from commands then: the connection ends. */
	if (!span_u64(span_sub(args, 0, i), CHUNK_MAX, &n) || (last.n > 0 && !is_last)) {
		lmtp_reply(l, "501 5.5.4 BDAT needs a size, and LAST or nothing");
		return err_set(e, ERR_SYNTAX, "malformed BDAT");
	}
	keep = t->open && t->rcpt_count > 0 && !t->chunk_failed && !t->message.too_big;
	if (t->open) {
		l->state = "BDAT";
		l->status->busy = 1;
	}
	if (take_chunk(l, n, keep, e) == -1)
		return -1;
	if (!t->open || t->rcpt_count == 0) {
		lmtp_refuse(l, t->open ? "503 5.5.1 No valid recipients" : "503 5.5.1 MAIL needed first");
		return 0;
	}
	t->chunked = true;
	if (t->chunk_failed)
		lmtp_refuse(l, "503 5.5.1 An earlier chunk was refused");
	else if (is_last)
		finish(l);
	else if (t->message.too_big) {
		t->chunk_failed = true;
		lmtp_reply(l, "552 5.3.4 Message too large");
	} else if (t->message.failed) {
		t->chunk_failed = true;
		lmtp_reply(l, "451 4.3.0 Temporary internal error");
	} else
		stream_putf(l->s, "250 2.0.0 %llu octets taken\r\n", (unsigned long long)n);
	if (is_last && t->open)
		lmtp_transaction_reset(l);
	return 0;
}
