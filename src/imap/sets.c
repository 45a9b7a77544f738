/* SPDX-License-Identifier: MIT */
/* Sets of messages as commands name them. */
#include "imap/session.h"

static bool
parse_set(struct imap_session *s, struct imap_in *in, bool uid, struct imap_set *out)
{
	uint32_t count = s->box == NULL ? 0 : mailbox_count(s->box);
	uint32_t star = !uid ? count : count == 0 ? 0 : mailbox_uid(s->box, count);
	struct span text;

	if (!imap_set_text(in, &text)) {
		imap_bad(s, uid ? "Invalid UID set" : "Invalid messageset");
		return false;
	}
	switch (imap_set_parse(text, star, s->lim.set_ranges, s->arena, out)) {
	case IMAP_SET_BAD:
		imap_bad(s, uid ? "Invalid UID set" : "Invalid messageset");
		return false;
	case IMAP_SET_LIMIT:
		imap_no(s, "[LIMIT] Too many ranges in a set.");
		return false;
	case IMAP_SET_OK:
		break;
	}
	if (!uid && out->n > 0 && out->r[out->n - 1].last > count) {
		imap_bad(s, "Invalid messageset");
		return false;
	}
	return true;
}

bool
imap_arg_uid_set(struct imap_session *s, struct imap_in *in, struct imap_set *out)
{
	return parse_set(s, in, true, out);
}

bool
imap_uids_to_seqs(struct imap_session *s, const struct imap_set *uids, struct imap_set *out)
{
	uint32_t count = mailbox_count(s->box);

	/* No more ranges than there were: each becomes one range or none. */
	out->n = 0;
	out->r = arena_alloc(s->arena, uids->n + 1, sizeof(*out->r));
	if (out->r == NULL) {
		imap_no(s, "[LIMIT] Too many messages for one command.");
		return false;
	}
	for (size_t i = 0; i < uids->n; i++) {
		uint32_t first = mailbox_seq_from(s->box, uids->r[i].first);
		uint32_t past = uids->r[i].last == UINT32_MAX ? count + 1 : mailbox_seq_from(s->box, uids->r[i].last + 1);

		if (first >= past)
			continue;
		if (out->n > 0 && out->r[out->n - 1].last + 1 == first)
			out->r[out->n - 1].last = past - 1;
		else
			out->r[out->n++] = (struct imap_range){ first, past - 1 };
	}
	return true;
}

bool
imap_arg_seqs(struct imap_session *s, struct imap_in *in, struct imap_set *out)
{
	struct imap_set uids;

	if (!s->uid)
		return parse_set(s, in, false, out);
	return parse_set(s, in, true, &uids) && imap_uids_to_seqs(s, &uids, out);
}

bool
imap_set_uids(struct imap_session *s, const struct imap_set *seqs, struct uid_list *out)
{
	uint64_t count = imap_set_count(seqs);

	out->count = 0;
	out->uids = arena_alloc(s->arena, (size_t)count + 1, sizeof(*out->uids));
	if (out->uids == NULL) {
		imap_no(s, "[LIMIT] Too many messages for one command.");
		return false;
	}
	for (size_t i = 0; i < seqs->n; i++)
		for (uint32_t seq = seqs->r[i].first; seq <= seqs->r[i].last; seq++)
			out->uids[out->count++] = mailbox_uid(s->box, seq);
	return true;
}
