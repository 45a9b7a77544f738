/* SPDX-License-Identifier: MIT */
/* COPY (RFC 3501 section 6.4.7), MOVE (RFC 6851), EXPUNGE (RFC 3501 section 6.4.3, UID EXPUNGE of RFC 4315). */
#include "imap/event.h"
#include "imap/notify.h"
#include "imap/session.h"

/* "[COPYUID 38505 304,319:320 3956:3958] " (RFC 4315 section 3) */
static void
copyuid(struct buf *b, const struct copy_result *cr)
{
	buf_addf(b, "[COPYUID %u ", cr->uidvalidity);
	imap_uids_write(b, cr->from.uids, cr->from.count);
	buf_addc(b, ' ');
	imap_uids_write(b, cr->to.uids, cr->to.count);
	buf_adds(b, "] ");
}

/* Before the EXPUNGE responses: so that the client knows where its mail went (RFC 6851 section 4.3). */
static void
tell_moved(struct imap_session *s, const struct copy_result *cr)
{
	buf_reset(&s->scratch);
	copyuid(&s->scratch, cr);
	stream_put(&s->io, SPAN("* OK "));
	stream_put(&s->io, buf_span(&s->scratch));
	stream_put(&s->io, SPAN("Moved UIDs.\r\n"));
}

static int
copy_to(struct imap_session *s, const struct uid_list *uids, struct span name, bool move, struct err *e)
{
	struct copy_result cr = { .uidvalidity = 0 };
	struct mailbox *target = NULL;
	int rc;

	if (mailbox_open(s->st, name, MAILBOX_SAVE, &target, e) == -1) {
		if (e->code != ERR_NOTFOUND)
			return -1;
		imap_no(s, "[TRYCREATE] Mailbox doesn't exist.");
		return 0;
	}
	rc = mailbox_copy(s->box, uids->uids, uids->count, target, move, s->arena, &cr, e);
	if (s->events != NULL && cr.to.count > 0)
		imap_event_copied(s, mailbox_name(target), &cr);
	if (span_eq(mailbox_name(target), mailbox_name(s->box)))
		s->added = cr.to;
	imap_notify_own_mail(s, target, &cr.to);
	mailbox_close(target);
	if (rc == -1) {
		if (move && cr.to.count > 0)
			tell_moved(s, &cr);
		return -1;
	}
	if (cr.to.count == 0) {
		imap_no(s, "[EXPUNGEISSUED] Some of the requested messages no longer exist.");
		return 0;
	}
	if (!move) {
		imap_ok(s, "");
		copyuid(&s->reply, &cr);
		buf_adds(&s->reply, "Copy completed.");
		return 0;
	}
	tell_moved(s, &cr);
	imap_ok(s, "Move completed.");
	return 0;
}

static int
copy_or_move(struct imap_session *s, struct imap_in *in, bool move, struct err *e)
{
	struct imap_set seqs;
	struct uid_list uids;
	struct span name;

	if (!imap_arg_seqs(s, in, &seqs))
		return 0;
	if (!imap_sp(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (!imap_arg_mailbox(s, in, &name))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (move && s->read_only) {
		imap_no(s, "[READ-ONLY] Mailbox is read-only.");
		return 0;
	}
	if (!imap_set_uids(s, &seqs, &uids))
		return 0;
	if (uids.count == 0) {
		imap_ok(s, "No messages found.");
		return 0;
	}
	return copy_to(s, &uids, name, move, e);
}

int
imap_cmd_copy(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return copy_or_move(s, in, false, e);
}

/* A tagged OK after the expunges that says up to which change the client knows all (RFC 7162 sections 3.2.7, 3.2.9). */
static void
ok_with_modseq(struct imap_session *s, const char *text)
{
	struct mailbox_view_state vs;

	if (!s->condstore || s->box == NULL) {
		imap_ok(s, text);
		return;
	}
	mailbox_view_state(s->box, &vs);
	imap_okf(s, "[HIGHESTMODSEQ %llu] %s", (unsigned long long)vs.highestmodseq, text);
}

int
imap_cmd_move(struct imap_session *s, struct imap_in *in, struct err *e)
{
	int rc = copy_or_move(s, in, true, e);

	if (rc == 0) {
		imap_sync(s, true);
		if (span_eq(buf_span(&s->reply), SPAN("OK Move completed.")))
			ok_with_modseq(s, "Move completed.");
	}
	return rc;
}

int
imap_cmd_expunge(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct imap_set uid_set, seqs;
	struct uid_list uids = { NULL, 0 };

	if (s->uid && (!imap_arg_uid_set(s, in, &uid_set) || !imap_uids_to_seqs(s, &uid_set, &seqs) ||
	    !imap_set_uids(s, &seqs, &uids)))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (s->read_only) {
		imap_no(s, "[READ-ONLY] Mailbox is read-only.");
		return 0;
	}
	if ((!s->uid || uids.count > 0) && mailbox_expunge(s->box, uids.uids, uids.count, false, e) == -1)
		return -1;
	imap_sync(s, true);
	ok_with_modseq(s, "Expunge completed.");
	return 0;
}
