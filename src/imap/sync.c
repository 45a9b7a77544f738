/* SPDX-License-Identifier: MIT */
/* The one place where changes, this session's own and others', are told to the client (RFC 3501 section 7, RFC 7162). */
#include "imap/notify.h"
#include "lib/log.h"

#define FETCH_ROOM 128	/* "* n FETCH (UID n FLAGS  MODSEQ (n))" without the flags */

void
imap_put_flags_fetch(struct imap_session *s, uint32_t seq, const struct msg_rec *rec, bool uid)
{
	char *start, *p;

	if (imap_keywords_stale(s, rec))
		imap_put_flag_lists(s);
	start = p = stream_reserve(&s->io, FETCH_ROOM + imap_flags_room(s));
	if (p == NULL)
		return;
	*p++ = '*';
	*p++ = ' ';
	p = imap_format_u64(p, seq);
	memcpy(p, " FETCH (", 8);
	p += 8;
	if (uid) {
		memcpy(p, "UID ", 4);
		p = imap_format_u64(p + 4, rec->uid);
		*p++ = ' ';
	}
	memcpy(p, "FLAGS ", 6);
	p = imap_flags_format(s, p + 6, rec);
	if (s->condstore) {
		memcpy(p, " MODSEQ (", 9);
		p = imap_format_u64(p + 9, rec->modseq);
		*p++ = ')';
	}
	memcpy(p, ")\r\n", 3);
	stream_commit(&s->io, (size_t)(p + 3 - start));
}

/* The answer to a .SILENT store with CONDSTORE (RFC 7162 section 3.1.3): the new mod-sequence alone. */
static void
put_modseq_fetch(struct imap_session *s, uint32_t seq, const struct msg_rec *rec)
{
	char *start = stream_reserve(&s->io, FETCH_ROOM), *p = start;

	if (p == NULL)
		return;
	*p++ = '*';
	*p++ = ' ';
	p = imap_format_u64(p, seq);
	memcpy(p, " FETCH (UID ", 12);
	p = imap_format_u64(p + 12, rec->uid);
	memcpy(p, " MODSEQ (", 9);
	p = imap_format_u64(p + 9, rec->modseq);
	memcpy(p, "))\r\n", 4);
	stream_commit(&s->io, (size_t)(p + 4 - start));
}

/* Output may block: the read transaction is not held over it. */
static void
breathe(struct imap_session *s)
{
	struct err e = ERR_INIT;

	if (s->io.out.n < 64 * 1024)
		return;
	mailbox_read_end(s->box);
	stream_flush(&s->io, &e);
}

void
imap_put_vanished(struct imap_session *s, const char *earlier, const struct imap_set *set)
{
	if (set->n == 0)
		return;
	mailbox_read_end(s->box);
	stream_put(&s->io, SPAN("* VANISHED "));
	stream_puts(&s->io, earlier);
	imap_set_put(&s->io, set);
	stream_put(&s->io, SPAN("\r\n"));
}

static void
tell_expunged(struct imap_session *s, const struct view_changes *ch)
{
	struct array maker = IMAP_SET_MAKER(ch->expunged_count);
	struct imap_set set;

	s->stats.expunged += ch->expunged_count;
	if (!s->qresync) {
		mailbox_read_end(s->box);
		for (size_t i = 0; i < ch->expunged_count; i++) {
			stream_put(&s->io, SPAN("* "));
			stream_put_u64(&s->io, ch->expunged[i].seq);
			stream_put(&s->io, SPAN(" EXPUNGE\r\n"));
		}
		return;
	}
	/* In descending order of sequence numbers, and so of UIDs: backwards they ascend. */
	for (size_t i = ch->expunged_count; i-- > 0; )
		if (!imap_set_add(&maker, ch->expunged[i].uid, ch->expunged[i].uid))
			break;
	set = imap_set_made(&maker);
	imap_put_vanished(s, "", &set);
	array_clear(&maker);
}

/* One message's new flags; own: this command changed them. */
static void
tell_flags(struct imap_session *s, uint32_t uid, bool own)
{
	uint32_t seq = mailbox_seq(s->box, uid);
	struct err e = ERR_INIT;
	struct msg_rec rec;

	if (seq == 0 || mailbox_get(s->box, uid, &rec, &e) == -1)
		return;		/* expunged: that will be told instead */
	if (!own || s->own_how == OWN_TELL)
		imap_put_flags_fetch(s, seq, &rec, s->uid || s->qresync || s->notify != NULL);
	else if (s->own_how == OWN_SILENT && s->condstore)
		put_modseq_fetch(s, seq, &rec);
	breathe(s);
}

/* What others changed and what this command changed, merged: both lists ascend. */
static void
tell_all_flags(struct imap_session *s, const uint32_t *uids, size_t count)
{
	size_t i = 0, j = 0, own = s->own_how == OWN_NONE ? 0 : s->own.count;

	while (i < count || j < own) {
		if (j == own || (i < count && uids[i] < s->own.uids[j]))
			tell_flags(s, uids[i++], false);
		else {
			if (i < count && uids[i] == s->own.uids[j])
				i++;
			tell_flags(s, s->own.uids[j++], true);
		}
		if (s->io.failed)
			return;
	}
}

/* RFC 5465 section 5.2: behind EXISTS, what the client wants to know of them. */
static void
tell_new(struct imap_session *s, uint32_t first)
{
	const struct fetch_items *items = imap_notify_items(s);

	if (items != NULL && !imap_fetch_news(s, items, first, &s->added))
		log_error("NOTIFY: too many items");
}

void
imap_sync_wanted(struct imap_session *s, bool expunges)
{
	if (imap_notify_wants(s, NOTIFY_MESSAGE_NEW))
		imap_sync(s, expunges);
	else if (s->box != NULL && s->end == IMAP_GO_ON) {
		/* The view stays as it is; what the command itself did to it is its answer. */
		tell_all_flags(s, NULL, 0);
		mailbox_read_end(s->box);
	}
}

void
imap_sync(struct imap_session *s, bool expunges)
{
	struct view_changes ch;
	struct err e = ERR_INIT;

	if (s->box == NULL || s->end != IMAP_GO_ON)
		return;
	if (mailbox_sync(s->box, expunges, &ch, &e) == -1) {
		if (e.code == ERR_NOTFOUND || e.code == ERR_GONE)
			imap_bye(s, "Selected mailbox was deleted.", "Selected mailbox was deleted");
		else	/* the command has its own answer */
			log_error("sync: %s", e.log);
		return;
	}
	if (ch.gone) {
		imap_bye(s, "Selected mailbox was deleted or replaced; please reconnect.",
		    "Selected mailbox was deleted or replaced");
		return;
	}
	if (ch.expunged_count > 0)
		tell_expunged(s, &ch);
	if (ch.exists_changed) {
		struct mailbox_view_state vs;

		mailbox_view_state(s->box, &vs);
		stream_put(&s->io, SPAN("* "));
		stream_put_u64(&s->io, mailbox_count(s->box));
		stream_put(&s->io, SPAN(" EXISTS\r\n* "));
		stream_put_u64(&s->io, vs.recent);
		stream_put(&s->io, SPAN(" RECENT\r\n"));
	}
	imap_keywords_tell(s);
	if (ch.exists_changed)
		tell_new(s, ch.old_count - (uint32_t)ch.expunged_count + 1);
	tell_all_flags(s, ch.flags, imap_notify_wants(s, NOTIFY_FLAG_CHANGE) ? ch.flags_count : 0);
	mailbox_read_end(s->box);
}
