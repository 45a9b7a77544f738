/* SPDX-License-Identifier: MIT */
/* SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 section 6.3.1, RFC 3691, MAILBOXID of RFC 8474, and QRESYNC's resynchronisation, RFC 7162). */
#include "imap/notify.h"
#include "lib/sys.h"

struct qresync {
	bool given;
	uint32_t uidvalidity;
	uint64_t modseq;
	bool has_known, has_match;
	struct imap_set known;		/* UIDs that the client knows */
	struct span match_seqs, match_uids;
};

void
imap_unselect(struct imap_session *s)
{
	imap_notify_left(s);
	mailbox_close(s->box);
	s->box = NULL;
	s->keywords = NULL;
	s->keyword_count = 0;
	s->spot.uid = 0;
}

void
imap_enable_condstore(struct imap_session *s)
{
	struct mailbox_view_state vs;

	if (s->condstore)
		return;
	s->condstore = true;
	if (s->box == NULL)
		return;
	/* RFC 7162 section 3.1: the first enabling command is answered with this, if a mailbox is selected. */
	mailbox_view_state(s->box, &vs);
	stream_putf(&s->io, "* OK [HIGHESTMODSEQ %llu] Highest\r\n", (unsigned long long)vs.highestmodseq);
}

/* "(" uidvalidity SP mod-sequence [SP known-uids] [SP "(" seqs SP uids ")"] ")" */
static bool
take_qresync(struct imap_session *s, struct imap_in *in, struct qresync *q)
{
	uint64_t number;
	struct span text;

	if (!s->qresync)
		return imap_fail(in, "QRESYNC is not enabled");
	q->given = true;
	if (!imap_sp(in) || !imap_take(in, '(') || !imap_number(in, UINT32_MAX, &number) || number == 0 || !imap_sp(in))
		return imap_fail(in, "Invalid QRESYNC parameters");
	q->uidvalidity = (uint32_t)number;
	if (!imap_number(in, INT64_MAX, &q->modseq) || q->modseq == 0)
		return imap_fail(in, "Invalid QRESYNC mod-sequence");
	if (imap_sp(in) && imap_set_text(in, &text)) {
		/* known-uids has no "*" */
		if (span_chr(text, '*') < text.n ||
		    imap_set_parse(text, 0, s->lim.set_ranges, s->arena, &q->known) != IMAP_SET_OK)
			return imap_fail(in, "Invalid QRESYNC known-uids");
		q->has_known = true;
		imap_sp(in);
	}
	if (imap_peek(in, '(')) {
		if (!imap_take(in, '(') || !imap_set_text(in, &q->match_seqs) || !imap_sp(in) ||
		    !imap_set_text(in, &q->match_uids) || !imap_take(in, ')'))
			return imap_fail(in, "Invalid QRESYNC sequence match data");
		q->has_match = true;
	}
	return imap_take(in, ')');
}

/* select-params: "(" "CONDSTORE" / "QRESYNC" ... ")" (RFC 4466) */
static bool
take_params(struct imap_session *s, struct imap_in *in, bool *condstore, struct qresync *q)
{
	if (imap_end(in))
		return true;
	if (!imap_sp(in) || !imap_take(in, '('))
		return imap_fail(in, "Invalid parameters");
	for (;;) {
		if (imap_word(in, SPAN("CONDSTORE")))
			*condstore = true;
		else if (!q->given && imap_word(in, SPAN("QRESYNC"))) {
			if (!take_qresync(s, in, q))
				return false;
		} else
			return imap_fail(in, "Unknown parameter");
		if (imap_take(in, ')'))
			return imap_end(in);
		if (!imap_sp(in))
			return false;
	}
}

static void
put_state(struct imap_session *s)
{
	struct mailbox_view_state vs;
	char id[MAILBOX_ID_MAX];

	mailbox_view_state(s->box, &vs);
	mailbox_object_id(s->box, id);
	imap_put_flag_lists(s);
	stream_putf(&s->io, "* %u EXISTS\r\n* %u RECENT\r\n", mailbox_count(s->box), vs.recent);
	if (vs.first_unseen > 0)
		stream_putf(&s->io, "* OK [UNSEEN %u] First unseen.\r\n", vs.first_unseen);
	stream_putf(&s->io, "* OK [UIDVALIDITY %u] UIDs valid\r\n* OK [UIDNEXT %u] Predicted next UID\r\n",
	    vs.uidvalidity, vs.uidnext);
	stream_putf(&s->io, "* OK [MAILBOXID (%s)] Its id\r\n* OK [HIGHESTMODSEQ %llu] Highest\r\n", id,
	    (unsigned long long)vs.highestmodseq);
}

/*
 * RFC 7162 section 3.2.5.2: pairs of a sequence number and a UID that the client believes in.  Up to the last pair that is
 * true here, in order, the client lacks no expunge.  Returns the UID of that pair, 0 when there is none.
 */
static uint32_t
matched_up_to(struct imap_session *s, const struct qresync *q)
{
	struct imap_set seqs, uids;
	size_t i = 0, j = 0;
	uint32_t di = 0, dj = 0, matched = 0;

	if (imap_set_parse(q->match_seqs, 0, s->lim.set_ranges, s->arena, &seqs) != IMAP_SET_OK ||
	    imap_set_parse(q->match_uids, 0, s->lim.set_ranges, s->arena, &uids) != IMAP_SET_OK)
		return 0;
	while (i < seqs.n && j < uids.n) {
		uint32_t seq = seqs.r[i].first + di, uid = uids.r[j].first + dj;

		if (seq > mailbox_count(s->box) || mailbox_uid(s->box, seq) != uid)
			break;
		matched = uid;
		if (seq == seqs.r[i].last) {
			i++;
			di = 0;
		} else
			di++;
		if (uid == uids.r[j].last) {
			j++;
			dj = 0;
		} else
			dj++;
	}
	return matched;
}

/* Adds the UIDs of [first, last] that are not in the view. */
static void
add_gaps(struct imap_session *s, struct array *maker, uint32_t first, uint32_t last)
{
	uint32_t seq = mailbox_seq_from(s->box, first);

	while (first <= last) {
		uint32_t here = seq <= mailbox_count(s->box) ? mailbox_uid(s->box, seq) : UINT32_MAX;

		if (here > first)
			imap_set_add(maker, first, here - 1 < last ? here - 1 : last);
		if (here >= last)
			break;
		first = here + 1;
		seq++;
	}
}

void
imap_vanished_since(struct imap_session *s, const struct mailbox_since *since, const struct imap_set *known, uint32_t above)
{
	struct array maker = IMAP_SET_MAKER(1000000);
	struct mailbox_view_state vs;
	struct imap_set set;

	mailbox_view_state(s->box, &vs);
	for (size_t i = 0; since->complete && i < since->expunged.count; i++)
		if (imap_set_has(known, since->expunged.uids[i]))
			imap_set_add(&maker, since->expunged.uids[i], since->expunged.uids[i]);
	for (size_t i = 0; !since->complete && i < known->n && known->r[i].first < vs.uidnext; i++) {
		uint32_t first = known->r[i].first, last = known->r[i].last;

		if (last >= vs.uidnext)
			last = vs.uidnext - 1;
		if (first <= above)
			first = above + 1;
		add_gaps(s, &maker, first, last);
	}
	set = imap_set_made(&maker);
	imap_put_vanished(s, "(EARLIER) ", &set);
	array_clear(&maker);
}

/* What the client missed: VANISHED (EARLIER), then the flags of what changed (RFC 7162 section 3.2.5.1). */
static int
resync(struct imap_session *s, const struct qresync *q, struct err *e)
{
	struct imap_range every = { 1, UINT32_MAX };
	struct imap_set known = q->has_known ? q->known : (struct imap_set){ &every, 1 };
	struct mailbox_view_state vs;
	struct mailbox_since since;

	mailbox_view_state(s->box, &vs);
	if (q->uidvalidity != vs.uidvalidity)
		return 0;
	if (mailbox_since(s->box, q->modseq, s->arena, &since, e) == -1)
		return -1;
	imap_vanished_since(s, &since, &known, q->has_match ? matched_up_to(s, q) : 0);
	for (size_t i = 0; i < since.changed.count; i++) {
		uint32_t uid = since.changed.uids[i];
		struct err gone = ERR_INIT;
		struct msg_rec rec;

		if (!imap_set_has(&known, uid) || mailbox_get(s->box, uid, &rec, &gone) == -1)
			continue;
		imap_put_flags_fetch(s, mailbox_seq(s->box, uid), &rec, true);
		if (s->io.out.n >= 64 * 1024) {
			mailbox_read_end(s->box);
			stream_flush(&s->io, &gone);
		}
	}
	mailbox_read_end(s->box);
	return 0;
}

static int
select_mailbox(struct imap_session *s, struct imap_in *in, bool examine, struct err *e)
{
	struct qresync q = { .given = false };
	struct span name;
	bool condstore = false;

	if (!imap_arg_mailbox(s, in, &name))
		return 0;
	if (!take_params(s, in, &condstore, &q)) {
		imap_bad(s, in->why);
		return 0;
	}
	/* RFC 3501 section 6.3.1: also when it fails, nothing is selected any more. */
	if (s->box != NULL) {
		imap_unselect(s);
		imap_untagged(s, "OK [CLOSED] Previous mailbox closed.");
	}
	if (mailbox_open(s->st, name, examine ? MAILBOX_READ : MAILBOX_WRITE, &s->box, e) == -1)
		return -1;
	s->read_only = examine || mailbox_is_readonly(s->box);
	s->condstore = s->condstore || condstore || q.given;
	put_state(s);
	if (q.given && resync(s, &q, e) == -1) {
		imap_unselect(s);
		return -1;
	}
	imap_okf(s, "[%s] %s completed.", s->read_only ? "READ-ONLY" : "READ-WRITE", examine ? "Examine" : "Select");
	return 0;
}

int
imap_cmd_select(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return select_mailbox(s, in, false, e);
}

int
imap_cmd_examine(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return select_mailbox(s, in, true, e);
}

/* CLOSE expunges without saying so (RFC 3501 section 6.4.2). */
int
imap_cmd_close(struct imap_session *s, struct imap_in *in, struct err *e)
{
	int rc = 0;

	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	/* RFC 4314 section 4: without the right to expunge it just closes. */
	if (!s->read_only && (mailbox_rights(s->box) & ACL_EXPUNGE) != 0)
		rc = mailbox_expunge(s->box, NULL, 0, false, e);
	imap_unselect(s);
	if (rc == 0)
		imap_ok(s, "Close completed.");
	return rc;
}

int
imap_cmd_unselect(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)e;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	imap_unselect(s);
	imap_ok(s, "Unselect completed.");
	return 0;
}
