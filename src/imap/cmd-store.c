/* SPDX-License-Identifier: MIT */
/* STORE and UID STORE (RFC 3501 section 6.4.6, UNCHANGEDSINCE of RFC 7162 section 3.1.3). */
#include "imap/event.h"
#include "imap/session.h"

struct store {
	struct imap_set seqs;
	struct uid_list uids;
	struct flag_change change;
	struct imap_flags flags;
	bool silent;
};

/* "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP */
static bool
take_modifier(struct imap_in *in, struct store *st)
{
	if (!imap_peek(in, '('))
		return true;
	imap_take(in, '(');
	if (!imap_word(in, SPAN("UNCHANGEDSINCE")))
		return imap_fail(in, "Unknown modifier");
	if (!imap_sp(in) || !imap_number(in, INT64_MAX, &st->change.unchanged_since) || !imap_take(in, ')'))
		return false;
	st->change.conditional = true;
	return imap_sp(in);
}

/* (["+" / "-"] "FLAGS" [".SILENT"]) SP flags */
static bool
take_change(struct imap_session *s, struct imap_in *in, struct store *st)
{
	struct span item;

	if (!imap_atom(in, &item))
		return false;
	st->change.op = item.p[0] == '+' ? FLAGS_ADD : item.p[0] == '-' ? FLAGS_REMOVE : FLAGS_SET;
	if (st->change.op != FLAGS_SET)
		item = span_from(item, 1);
	st->silent = span_ieq(item, SPAN("FLAGS.SILENT"));
	if (!st->silent && !span_ieq(item, SPAN("FLAGS")))
		return imap_fail(in, "Unknown item");
	return imap_sp(in) && imap_arg_flags(s, in, true, &st->flags) && imap_end(in);
}

/* The UIDs (or sequence numbers) that failed UNCHANGEDSINCE, in the tagged OK. */
static void
reply_modified(struct imap_session *s, struct uid_list *modified)
{
	if (!s->uid) {
		size_t n = 0;

		for (size_t i = 0; i < modified->count; i++) {
			uint32_t seq = mailbox_seq(s->box, modified->uids[i]);

			if (seq > 0)
				modified->uids[n++] = seq;
		}
		modified->count = n;
	}
	imap_ok(s, "[MODIFIED ");
	imap_uids_write(&s->reply, modified->uids, modified->count);
	buf_adds(&s->reply, "] Conditional store failed for some.");
}

/* all without those of some; both ascend. */
static void
subtract(struct uid_list *all, const struct uid_list *some)
{
	size_t n = 0;

	for (size_t i = 0, j = 0; i < all->count; i++) {
		while (j < some->count && some->uids[j] < all->uids[i])
			j++;
		if (j == some->count || some->uids[j] != all->uids[i])
			all->uids[n++] = all->uids[i];
	}
	all->count = n;
}

static int
store(struct imap_session *s, struct store *st, struct err *e)
{
	struct uid_list modified = { NULL, 0 }, changed = { NULL, 0 };
	struct imap_flags_before *before = NULL;

	if (mailbox_keyword_mask(s->box, st->flags.names, st->flags.name_count, st->change.op != FLAGS_REMOVE,
	    &st->change.keywords, e) == -1)
		return -1;
	st->change.flags = st->flags.flags;
	if (st->change.conditional)
		imap_enable_condstore(s);
	/* What others did so far is told first: what comes behind the change is then this command's own. */
	imap_sync_wanted(s, false);
	if (s->end != IMAP_GO_ON)
		return 0;
	if (s->events != NULL)
		before = imap_event_flags_before(s, &st->uids);
	if (mailbox_store(s->box, st->uids.uids, st->uids.count, &st->change, s->arena, &modified, &changed, e) == -1)
		return -1;
	if (before != NULL)
		imap_event_flags(s, before, &changed);
	if (st->change.op != FLAGS_REMOVE && (st->change.flags & MSG_DELETED) != 0)
		s->stats.deleted += changed.count;
	if (st->silent) {
		s->own = changed;
		s->own_how = OWN_SILENT;
	} else {
		subtract(&st->uids, &modified);
		s->own = st->uids;
		s->own_how = OWN_TELL;
	}
	if (modified.count > 0)
		reply_modified(s, &modified);
	else
		imap_ok(s, "Store completed.");
	return 0;
}

int
imap_cmd_store(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct store st;

	memset(&st, 0, sizeof(st));
	if (!imap_arg_seqs(s, in, &st.seqs))
		return 0;
	if (!imap_sp(in) || !take_modifier(in, &st) || !take_change(s, in, &st)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (s->read_only) {
		imap_no(s, "[READ-ONLY] Mailbox is read-only.");
		return 0;
	}
	if (!imap_set_uids(s, &st.seqs, &st.uids))
		return 0;
	if (st.uids.count == 0) {
		imap_ok(s, "Store completed.");
		return 0;
	}
	return store(s, &st, e);
}
