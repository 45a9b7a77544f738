/* SPDX-License-Identifier: MIT */
/*
 * APPEND (RFC 3501 section 6.3.11) of one or many messages (RFC 3502), with APPENDUID (RFC 4315).  A message goes from the
 * client to the storage as it comes, never whole into memory; what can be refused is refused before it is invited.
 */
#include "imap/event.h"
#include "imap/notify.h"
#include "imap/session.h"
#include "lib-mail/date.h"
#include "lib-storage/quota.h"

struct append {
	struct mailbox *target;
	struct saver *saver;
	size_t count;
	struct err failed;	/* the first failure: the rest of the command is read, then told */
};

static void
fail(struct append *ap, const struct err *e)
{
	if (ap->failed.code == ERR_NONE)
		ap->failed = *e;
	saver_free(ap->saver);
	ap->saver = NULL;
}

/* The command is refused: what comes of it without being asked for is read. */
static int
refuse(struct imap_session *s)
{
	return s->has_pending ? imap_skip_literal(s, s->pending) : 0;
}

/* [SP flag-list] [SP date-time] before the literal.  The literal's head is what is left of in. */
static bool
take_attributes(struct imap_session *s, struct imap_in *in, struct imap_flags *flags, int64_t *date)
{
	struct mail_date d;
	struct span text;

	memset(flags, 0, sizeof(*flags));
	*date = INT64_MIN;
	if (imap_peek(in, '(') && (!imap_arg_flags(s, in, false, flags) || !imap_sp(in)))
		return false;
	if (imap_peek(in, '"')) {
		if (!imap_string(in, &text) || !imap_sp(in))
			return false;
		if (!date_imap_parse(text, &d))
			return imap_fail(in, "Invalid internal date");
		*date = d.time;
	}
	if (!imap_peek(in, '{'))
		return imap_fail(in, "Expected a message literal");
	return true;
}

/* The octets of one message.  -1: s->end is set. */
static int
stream_message(struct imap_session *s, struct append *ap, uint64_t size)
{
	struct err e = ERR_INIT;

	while (size > 0) {
		struct span in = stream_in(&s->io);
		size_t n = in.n < size ? in.n : (size_t)size;

		if (ap->saver != NULL && n > 0 && saver_write(ap->saver, span_of(in.p, n), &e) == -1)
			fail(ap, &e);
		stream_drop(&s->io, n);
		size -= n;
		if (size > 0 && imap_more_input(s) == -1)
			return -1;
	}
	if (ap->saver != NULL && saver_finish(ap->saver, &e) == -1)
		fail(ap, &e);
	return 0;
}

/* What stands against taking the message whose literal is announced; NULL: nothing. */
static const char *
objection(const struct imap_session *s, const struct append *ap)
{
	if (s->pending.size > s->lim.literal)
		return "[TOOBIG] Message is too large.";
	if (s->pending.size == 0)
		return "[CANNOT] Can't save a message of no octets.";
	if (ap->count == s->lim.append_messages)
		return "[LIMIT] Too many messages in one APPEND.";
	return NULL;
}

static void
begin_message(struct imap_session *s, struct append *ap, const struct imap_flags *flags, int64_t date)
{
	struct save_params params = { .flags = flags->flags, .internal_date = date };
	struct err e = ERR_INIT;

	if (ap->failed.code != ERR_NONE)
		return;
	/* What is too large is refused before the client is invited to send it. */
	if (storage_quota_fits(s->st, mailbox_name(ap->target), s->pending.size, &e) == -1 ||
	    mailbox_keyword_mask(ap->target, flags->names, flags->name_count, true, &params.keywords, &e) == -1 ||
	    (ap->saver == NULL && saver_new(ap->target, &ap->saver, &e) == -1) ||
	    saver_begin(ap->saver, &params, &e) == -1)
		fail(ap, &e);
}

/*
 * One message, and the command's text up to the next one's literal or its end.  1 there is another; 0 the end, or
 * s->reply says why not; -1 s->end is set.
 */
static int
take_message(struct imap_session *s, struct append *ap, struct imap_in *in)
{
	struct imap_flags flags;
	const char *why;
	struct span line;
	int64_t date;
	int rc;

	if (!take_attributes(s, in, &flags, &date)) {
		imap_bad(s, in->why);
		return refuse(s);
	}
	why = objection(s, ap);
	if (why == NULL)
		begin_message(s, ap, &flags, date);
	/* A client that waits to be invited need not send for nothing. */
	if (why == NULL && ap->failed.code != ERR_NONE && !s->pending.nonsync)
		return 0;
	if (why != NULL) {
		imap_no(s, why);
		return refuse(s);
	}
	if (!s->pending.nonsync)
		stream_put(&s->io, SPAN("+ OK\r\n"));
	if (stream_message(s, ap, s->pending.size) == -1)
		return -1;
	ap->count++;
	buf_reset(&s->cmd);
	rc = imap_read_line(s, s->lim.line, &line);
	if (rc == 0) {
		imap_bad(s, "Too long command line");
		return imap_refuse(s, line);
	}
	if (rc == 1)
		rc = imap_read_command(s, line, IMAP_READ_MESSAGE);
	if (rc != 1)
		return rc;
	*in = (struct imap_in){ buf_span(&s->cmd), s->arena, NULL };
	if (!s->has_pending) {
		if (!imap_end(in))
			imap_bad(s, in->why);
		return 0;
	}
	if (!imap_sp(in)) {
		imap_bad(s, in->why);
		return refuse(s);
	}
	return 1;
}

static int
commit(struct imap_session *s, struct append *ap, struct err *e)
{
	struct uid_list uids = { NULL, 0 };
	uint32_t uidvalidity = 0;

	if (saver_commit(ap->saver, s->arena, &uidvalidity, &uids, e) == -1)
		return -1;
	s->stats.appended += uids.count;
	if (s->box != NULL && span_eq(mailbox_name(ap->target), mailbox_name(s->box)))
		s->added = uids;
	imap_notify_own_mail(s, ap->target, &uids);
	if (s->events != NULL)
		imap_event_appended(s, ap->target, uidvalidity, &uids);
	imap_okf(s, "[APPENDUID %u ", uidvalidity);
	imap_uids_write(&s->reply, uids.uids, uids.count);
	buf_adds(&s->reply, "] Append completed.");
	return 0;
}

/* The mailbox; 1 it is open, 0 refused: s->reply says why, -1 s->end is set. */
static int
open_target(struct imap_session *s, struct imap_in *in, struct append *ap, struct err *e)
{
	struct span name;
	bool ok = imap_arg_mailbox(s, in, &name);

	if (ok && !imap_sp(in)) {
		imap_bad(s, in->why);
		ok = false;
	}
	if (ok && !s->has_pending) {
		imap_bad(s, "Expected a message literal");
		return 0;
	}
	if (ok && mailbox_open(s->st, name, MAILBOX_SAVE, &ap->target, e) == -1) {
		if (e->code == ERR_NOTFOUND)
			imap_no(s, "[TRYCREATE] Mailbox doesn't exist.");
		else
			imap_error(s, e);
		ok = false;
	}
	if (!ok)
		return refuse(s);
	return 1;
}

int
imap_cmd_append(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct append ap = { .target = NULL };
	int rc = open_target(s, in, &ap, e);

	if (rc == 1) {
		while ((rc = take_message(s, &ap, in)) == 1)
			;
		if (rc == 0 && s->reply.n == 0) {
			if (ap.failed.code != ERR_NONE) {
				*e = ap.failed;
				rc = -1;
			} else
				rc = commit(s, &ap, e);
		}
	}
	saver_free(ap.saver);
	mailbox_close(ap.target);
	return s->end == IMAP_GO_ON ? rc : 0;
}
