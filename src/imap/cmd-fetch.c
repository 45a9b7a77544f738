/* SPDX-License-Identifier: MIT */
/*
 * FETCH and UID FETCH (RFC 3501 section 6.4.5; CHANGEDSINCE and VANISHED of RFC 7162 sections 3.1.4 and 3.2.6; EMAILID,
 * and THREADID, which is NIL always: RFC 8474 section 5).
 *
 * Everything that can fail is done before the first octet of a message's answer; and a read transaction of the index is
 * never held while the output may block.
 */
#include <time.h>

#include "imap/fetch.h"
#include "lib/log.h"
#include "lib-mail/date.h"

#define BREATHE_AT (64 * 1024)
#define OUT_ROOM (120 * 1024)		/* more than this in the output, and the next put may flush */
#define SIMPLE_ROOM 320			/* of all items but FLAGS that the record has */
#define FEW_MESSAGES 100		/* with more, CHANGEDSINCE asks the log first */
#define MARK_MESSAGES 64		/* \Seen is set for so many messages at once, */
#define MARK_OCTETS (256 * 1024)	/* and for no more than a client may well have in its socket buffers */

int
fetch_load_summary(struct fetch *f, struct err *e)
{
	if (mailbox_summary(f->s->box, f->rec.uid, f->summary_need, &f->sum, e) == -1)
		return -1;
	f->has_sum = true;
	return 0;
}

void
fetch_put_indexed(struct fetch *f, struct span bytes)
{
	struct imap_session *s = f->s;
	struct err e = ERR_INIT;

	if (bytes.n > OUT_ROOM - (s->io.out.n < OUT_ROOM ? s->io.out.n : OUT_ROOM)) {
		buf_reset(&s->scratch);
		buf_add(&s->scratch, bytes);
		mailbox_read_end(s->box);
		f->has_sum = false;
		stream_flush(&s->io, &e);
		bytes = buf_span(&s->scratch);
	}
	stream_put(&s->io, bytes);
}

static void
put_scratch(struct fetch *f)
{
	struct err e = ERR_INIT;

	if (f->s->scratch.n > OUT_ROOM - (f->s->io.out.n < OUT_ROOM ? f->s->io.out.n : OUT_ROOM)) {
		mailbox_read_end(f->s->box);
		f->has_sum = false;
		stream_flush(&f->s->io, &e);
	}
	stream_put(&f->s->io, buf_span(&f->s->scratch));
}

static char *
put_word(char *p, const char *first, struct span word)
{
	if (p != first)
		*p++ = ' ';
	memcpy(p, word.p, word.n);
	return p + word.n;
}

static char *
put_date(char *p, int64_t when)
{
	time_t t = (time_t)when;
	struct buf b = BUF_INIT(64);
	struct tm tm;
	int32_t tz = localtime_r(&t, &tm) == NULL ? 0 : (int32_t)(tm.tm_gmtoff / 60);

	date_imap_write(&b, (struct mail_date){ when, tz });
	*p++ = '"';
	memcpy(p, b.p, b.n);
	p += b.n;
	*p++ = '"';
	buf_clear(&b);
	return p;
}

/* "* n FETCH (" and what the record has.  False: the output has failed. */
static bool
put_simple(struct fetch *f, unsigned bits, bool *any_out)
{
	struct imap_session *s = f->s;
	char *start, *p, *first;

	if ((bits & FETCH_FLAGS) != 0 && imap_keywords_stale(s, &f->rec))
		imap_put_flag_lists(s);
	start = p = stream_reserve(&s->io, SIMPLE_ROOM + imap_flags_room(s));
	if (p == NULL)
		return false;
	*p++ = '*';
	*p++ = ' ';
	p = imap_format_u64(p, f->seq);
	memcpy(p, " FETCH (", 8);
	p += 8;
	first = p;
	if ((bits & FETCH_UID) != 0)
		p = imap_format_u64(put_word(p, first, SPAN("UID ")), f->rec.uid);
	if ((bits & FETCH_FLAGS) != 0)
		p = imap_flags_format(s, put_word(p, first, SPAN("FLAGS ")), &f->rec);
	if ((bits & FETCH_MODSEQ) != 0) {
		p = imap_format_u64(put_word(p, first, SPAN("MODSEQ (")), f->rec.modseq);
		*p++ = ')';
	}
	if ((bits & FETCH_INTERNALDATE) != 0)
		p = put_date(put_word(p, first, SPAN("INTERNALDATE ")), f->rec.internal_date);
	if ((bits & FETCH_SIZE) != 0)
		p = imap_format_u64(put_word(p, first, SPAN("RFC822.SIZE ")), f->rec.size);
	if ((bits & FETCH_EMAILID) != 0) {
		p = put_word(p, first, SPAN("EMAILID ("));
		memcpy(p, f->email_id, sizeof(f->email_id) - 1);
		p += sizeof(f->email_id) - 1;
		*p++ = ')';
	}
	if ((bits & FETCH_THREADID) != 0)
		p = put_word(p, first, SPAN("THREADID NIL"));
	*any_out = p != first;
	stream_commit(&s->io, (size_t)(p - start));
	return true;
}

/* ENVELOPE, BODY or BODYSTRUCTURE: from the summary, or made where that has no room for it. */
static void
put_structure(struct fetch *f, unsigned bit)
{
	unsigned has = bit == FETCH_ENVELOPE ? SUMMARY_ENVELOPE : SUMMARY_STRUCTURE;
	struct err e = ERR_INIT;
	int rc;

	if (!f->has_sum && fetch_load_summary(f, &e) == -1) {
		f->gone = f->gone || e.code == ERR_GONE;
		stream_put(&f->s->io, SPAN("NIL"));
		return;
	}
	if ((f->sum.flags & has) != 0) {
		if (bit != FETCH_BODY) {
			fetch_put_indexed(f, bit == FETCH_ENVELOPE ? f->sum.envelope : f->sum.bodystructure);
			return;
		}
		buf_reset(&f->s->scratch);
		summary_body_write(&f->s->scratch, &f->sum);
	} else {
		rc = bit == FETCH_ENVELOPE ? fetch_make_envelope(f, &e) :
		    fetch_make_structure(f, bit == FETCH_BODYSTRUCTURE, &e);
		if (rc == -1) {
			log_error("FETCH: %s", e.log);
			f->failed = true;
			stream_put(&f->s->io, SPAN("NIL"));
			return;
		}
	}
	put_scratch(f);
}

static void
put_structures(struct fetch *f, bool any)
{
	static const struct {
		unsigned bit;
		struct span word;
	} words[] = {
		{ FETCH_ENVELOPE, SPAN("ENVELOPE ") },
		{ FETCH_BODY, SPAN("BODY ") },
		{ FETCH_BODYSTRUCTURE, SPAN("BODYSTRUCTURE ") },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((f->items.bits & words[i].bit) == 0)
			continue;
		if (any)
			stream_put(&f->s->io, SPAN(" "));
		stream_put(&f->s->io, words[i].word);
		put_structure(f, words[i].bit);
		any = true;
	}
}

/* What the record should have and has not.  Where a summary must be made the file is opened, which tells most of it. */
static int
complete_record(struct fetch *f, struct err *e)
{
	bool size = (f->items.bits & FETCH_SIZE) != 0 && f->rec.size == SIZE_UNKNOWN;
	bool date = (f->items.bits & FETCH_INTERNALDATE) != 0 && f->rec.internal_date == DATE_UNKNOWN;

	if ((size || date) && f->summary_need != 0 && fetch_load_summary(f, e) == -1)
		return -1;
	f->has_sum = false;	/* it is only valid until the next change */
	if (date && mailbox_date(f->s->box, f->rec.uid, &f->rec.internal_date, e) == -1)
		return -1;
	if ((f->items.bits & FETCH_EMAILID) != 0 && mailbox_email_id(f->s->box, f->rec.uid, f->email_id, e) == -1)
		return -1;
	return size ? mailbox_size(f->s->box, f->rec.uid, &f->rec.size, e) : 0;
}

/* What the answer needs beyond the record.  -1: it can not be had. */
static int
prepare(struct fetch *f, struct err *e)
{
	f->has_sum = f->has_body = f->has_header = false;
	f->root = NULL;
	if (complete_record(f, e) == -1)
		return -1;
	if (f->summary_need != 0 && fetch_load_summary(f, e) == -1)
		return -1;
	if ((f->needs_body || f->needs_header) && fetch_load_text(f, e) == -1)
		return -1;
	return 0;
}

static void
breathe(struct fetch *f)
{
	struct err e = ERR_INIT;

	if (f->s->io.out.n < BREATHE_AT)
		return;
	mailbox_read_end(f->s->box);
	stream_flush(&f->s->io, &e);
}

/* A message that can not be read: imap_fetch_failure says what becomes of the session. */
static void
cannot_read(struct fetch *f, const struct err *e)
{
	if (e->code == ERR_GONE) {
		f->gone = true;
		return;
	}
	log_error("FETCH UID %u: %s", f->rec.uid, e->log);
	f->failed = true;
	if (f->s->lim.fetch_failure == 0)
		imap_bye(f->s, "FETCH failed; the log has the details.", "Disconnected: FETCH failed");
}

/* One message's answer, f->rec is loaded; seen_now: it has just become \Seen through this command. */
static void
put_message(struct fetch *f, bool seen_now)
{
	unsigned bits = f->items.bits;
	struct err e = ERR_INIT;
	bool any = false;

	if (prepare(f, &e) == -1) {
		cannot_read(f, &e);
		return;
	}
	if (seen_now)
		bits |= FETCH_FLAGS;
	if (f->s->condstore && (bits & FETCH_FLAGS) != 0 && seen_now)
		bits |= FETCH_MODSEQ;
	if (!put_simple(f, bits, &any))
		return;
	put_structures(f, any);
	f->first = !any && (bits & (FETCH_ENVELOPE | FETCH_BODY | FETCH_BODYSTRUCTURE)) == 0;
	/* What comes out of the index first: its transaction ends where the mail itself is sent. */
	for (size_t i = 0; i < f->items.count; i++)
		if (f->sources[i] == FETCH_FROM_SUMMARY)
			fetch_put_section(f, i);
	for (size_t i = 0; i < f->items.count; i++)
		if (f->sources[i] != FETCH_FROM_SUMMARY)
			fetch_put_section(f, i);
	stream_put(&f->s->io, SPAN(")\r\n"));
	breathe(f);
}

/* Reads a message's record; false: it is gone, or CHANGEDSINCE leaves it out. */
static bool
load_record(struct fetch *f, uint32_t seq)
{
	struct err e = ERR_INIT;

	f->seq = seq;
	if (mailbox_get(f->s->box, mailbox_uid(f->s->box, seq), &f->rec, &e) == -1) {
		f->rec.uid = mailbox_uid(f->s->box, seq);
		cannot_read(f, &e);
		return false;
	}
	return !f->by_modseq || f->rec.modseq > f->changed_since;
}

static void
fetch_plain(struct fetch *f, const struct imap_set *seqs)
{
	for (size_t i = 0; i < seqs->n; i++)
		for (uint32_t seq = seqs->r[i].first; seq <= seqs->r[i].last; seq++) {
			if (f->s->io.failed || f->s->end != IMAP_GO_ON)
				return;
			if (load_record(f, seq))
				put_message(f, false);
		}
}

struct mark {
	uint32_t seqs[MARK_MESSAGES], unseen[MARK_MESSAGES];
	bool was_unseen[MARK_MESSAGES];
	size_t count, unseen_count;
	uint64_t octets;
};

/* \Seen for those of the batch that have it not, then the answers. */
static int
flush_marked(struct fetch *f, struct mark *m, struct err *e)
{
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	struct imap_session *s = f->s;

	if (m->unseen_count > 0 && mailbox_store(s->box, m->unseen, m->unseen_count, &fc, s->arena, NULL, NULL, e) == -1)
		return -1;
	for (size_t i = 0; i < m->unseen_count; i++)
		s->own.uids[s->own.count++] = m->unseen[i];
	for (size_t i = 0; i < m->count && !s->io.failed && s->end == IMAP_GO_ON; i++) {
		bool by_modseq = f->by_modseq;
		bool there;

		f->by_modseq = false;	/* that was asked before the flag changed */
		there = load_record(f, m->seqs[i]);
		f->by_modseq = by_modseq;
		if (there)
			put_message(f, m->was_unseen[i]);
	}
	memset(m, 0, sizeof(*m));
	return 0;
}

/* Items without PEEK: \Seen is set and told with the message. */
static int
fetch_marking(struct fetch *f, const struct imap_set *seqs, struct err *e)
{
	struct imap_session *s = f->s;
	struct mark m;

	memset(&m, 0, sizeof(m));
	s->own.uids = arena_alloc(s->arena, (size_t)imap_set_count(seqs) + 1, sizeof(uint32_t));
	if (s->own.uids == NULL)
		return err_set(e, ERR_LIMIT, "FETCH: too many messages");
	s->own_how = OWN_TOLD;
	for (size_t i = 0; i < seqs->n; i++)
		for (uint32_t seq = seqs->r[i].first; seq <= seqs->r[i].last; seq++) {
			if (s->io.failed || s->end != IMAP_GO_ON)
				return 0;
			if (!load_record(f, seq))
				continue;
			m.was_unseen[m.count] = (f->rec.flags & MSG_SEEN) == 0;
			if (m.was_unseen[m.count])
				m.unseen[m.unseen_count++] = f->rec.uid;
			m.seqs[m.count++] = seq;
			m.octets += f->rec.size == SIZE_UNKNOWN ? MARK_OCTETS : f->rec.size;
			if ((m.count == MARK_MESSAGES || m.octets >= MARK_OCTETS) && flush_marked(f, &m, e) == -1)
				return -1;
		}
	return m.count > 0 ? flush_marked(f, &m, e) : 0;
}

/* "(" "CHANGEDSINCE" SP n ["VANISHED"] ")" */
static bool
take_modifiers(struct imap_session *s, struct imap_in *in, struct fetch *f)
{
	if (imap_end(in))
		return true;
	if (!imap_sp(in) || !imap_take(in, '('))
		return imap_fail(in, "Unexpected extra arguments");
	do {
		if (!f->by_modseq && imap_word(in, SPAN("CHANGEDSINCE"))) {
			if (!imap_sp(in) || !imap_number(in, INT64_MAX, &f->changed_since))
				return false;
			f->by_modseq = true;
		} else if (imap_word(in, SPAN("VANISHED")))
			f->vanished = true;
		else
			return imap_fail(in, "Unknown modifier");
	} while (imap_sp(in));
	if (!imap_take(in, ')') || !imap_end(in))
		return false;
	if (f->vanished && (!s->uid || !f->by_modseq || !s->qresync))
		return imap_fail(in, "VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC enabled");
	return true;
}

/* Leaves those of seqs that changed: of a large mailbox few are looked at. */
static bool
keep_changed(struct imap_session *s, const struct mailbox_since *since, struct imap_set *seqs)
{
	struct array maker = IMAP_SET_MAKER(since->changed.count + 1);
	struct imap_set made;
	bool fits = true;

	for (size_t i = 0; i < since->changed.count && fits; i++) {
		uint32_t seq = mailbox_seq(s->box, since->changed.uids[i]);

		if (imap_set_has(seqs, seq))
			fits = imap_set_add(&maker, seq, seq);
	}
	made = imap_set_made(&maker);
	seqs->n = made.n;
	seqs->r = fits ? arena_alloc(s->arena, made.n + 1, sizeof(*seqs->r)) : NULL;
	fits = seqs->r != NULL;
	if (fits && made.n > 0)
		memcpy(seqs->r, made.r, made.n * sizeof(*seqs->r));
	array_clear(&maker);
	return fits;
}

/* Where each item's data will come from. */
static bool
plan(struct fetch *f)
{
	struct arena *a = f->s->arena;

	if ((f->items.bits & FETCH_ENVELOPE) != 0)
		f->summary_need |= NEED_HEADER;
	if ((f->items.bits & (FETCH_BODY | FETCH_BODYSTRUCTURE)) != 0)
		f->summary_need |= NEED_STRUCTURE;
	f->sets = arena_alloc(a, f->items.count + 1, sizeof(*f->sets));
	f->sources = arena_alloc(a, f->items.count + 1, sizeof(*f->sources));
	if (f->sets == NULL || f->sources == NULL)
		return false;
	for (size_t i = 0; i < f->items.count; i++) {
		const struct fetch_section *sec = &f->items.sections[i];

		if (sec->depth > 0 || sec->what == FETCH_SECTION_ALL || sec->what == FETCH_SECTION_TEXT) {
			f->sources[i] = FETCH_FROM_BODY;
			f->needs_body = true;
		} else if (sec->what == FETCH_SECTION_FIELDS &&
		    summary_fieldset_init(&f->sets[i], sec->names, sec->name_count)) {
			f->sources[i] = FETCH_FROM_SUMMARY;
			f->summary_need |= NEED_HEADER;
		} else {
			f->sources[i] = FETCH_FROM_HEADER;
			f->needs_header = true;
		}
	}
	return true;
}

static void
finish(struct fetch *f)
{
	struct imap_session *s = f->s;

	if (f->failed && s->lim.fetch_failure == 1)
		imap_bye(s, "FETCH failed; the log has the details.", "Disconnected: FETCH failed");
	else if (f->failed)
		imap_no(s, "[SERVERBUG] Some messages could not be read; the log has the details.");
	else if (f->gone)
		imap_no(s, "[EXPUNGEISSUED] Some of the requested messages no longer exist.");
	else
		imap_ok(s, "Fetch completed.");
}

int
imap_cmd_fetch(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct fetch f = { .s = s, .limits = *mailbox_limits(s->box) };
	struct fetch_limits lim = { s->lim.fetch_items, f.limits.mime_depth + 1 };
	struct imap_set uids = { NULL, 0 }, seqs;
	int rc = 0;

	if (s->uid ? !imap_arg_uid_set(s, in, &uids) || !imap_uids_to_seqs(s, &uids, &seqs) : !imap_arg_seqs(s, in, &seqs))
		return 0;
	if (!imap_sp(in) || !imap_fetch_items(in, &lim, &f.items) || !take_modifiers(s, in, &f)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (s->uid)
		f.items.bits |= FETCH_UID;
	if (f.by_modseq)
		f.items.bits |= FETCH_MODSEQ;
	if ((f.items.bits & FETCH_MODSEQ) != 0)
		imap_enable_condstore(s);
	if (!plan(&f))
		return err_set(e, ERR_LIMIT, "FETCH: too many items");
	if (f.by_modseq && (f.vanished || imap_set_count(&seqs) > FEW_MESSAGES)) {
		struct mailbox_since since;

		if (mailbox_since(s->box, f.changed_since, s->arena, &since, e) == -1)
			return -1;
		if (f.vanished)
			imap_vanished_since(s, &since, &uids, 0);
		if (!keep_changed(s, &since, &seqs))
			return err_set(e, ERR_LIMIT, "FETCH: too many messages");
	}
	if (f.items.marks_seen && !s->read_only && (mailbox_rights(s->box) & ACL_SEEN) != 0)
		rc = fetch_marking(&f, &seqs, e);
	else
		fetch_plain(&f, &seqs);
	arena_free(f.mime_arena);
	if (rc == 0)
		finish(&f);
	return rc;
}

bool
imap_fetch_news(struct imap_session *s, const struct fetch_items *items, uint32_t first, const struct uid_list *but)
{
	struct fetch f = { .s = s, .items = *items, .limits = *mailbox_limits(s->box) };
	size_t own = 0;

	/* RFC 7162 section 3.1: in all that comes unasked. */
	f.items.bits |= s->condstore ? FETCH_UID | FETCH_MODSEQ : FETCH_UID;
	if (!plan(&f))
		return false;
	for (uint32_t seq = first; seq <= mailbox_count(s->box) && !s->io.failed && s->end == IMAP_GO_ON; seq++) {
		uint32_t uid = mailbox_uid(s->box, seq);

		while (own < but->count && but->uids[own] < uid)
			own++;
		if ((own == but->count || but->uids[own] != uid) && load_record(&f, seq))
			put_message(&f, false);
	}
	arena_free(f.mime_arena);
	return true;
}
