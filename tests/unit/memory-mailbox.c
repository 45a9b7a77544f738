/* SPDX-License-Identifier: MIT */
/* mailbox.h in memory: views, reading, changing and saving messages. */
#include "memory-storage-priv.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib-mail/crlf.h"
#include "lib-mail/header.h"

/* ---- mailbox.h: the view ---- */

static struct msg *
msg_of(struct mailbox *box, uint32_t uid, struct err *e)
{
	struct box *b = box->box;

	for (size_t i = 0; i < b->count; i++)
		if (b->msgs[i].uid == uid && memory_is_there(&b->msgs[i]))
			return &b->msgs[i];
	err_set(e, ERR_GONE, "UID %u is gone", uid);
	return NULL;
}

static void
view_load(struct mailbox *box)
{
	struct box *b = box->box;

	box->count = 0;
	for (size_t i = 0; i < b->count; i++) {
		if (!memory_is_there(&b->msgs[i]))
			continue;
		box->uids[box->count++] = b->msgs[i].uid;
		if (b->msgs[i].recent) {
			box->recent[i] = true;
			b->msgs[i].recent = box->read_only;
		}
	}
	box->modseq = b->modseq;
	box->keyword_count = b->keyword_count;
}

int
mailbox_open(struct storage *st, struct span name, enum mailbox_mode mode, struct mailbox **out, struct err *e)
{
	struct box *b = memory_find(name);
	struct mailbox *box;

	(void)st;
	if (b == NULL)
		return memory_check_name(name, e) == -1 ? -1 : err_set(e, ERR_NOTFOUND, "not there");
	box = calloc(1, sizeof(*box));
	if (box == NULL || (box->uids = calloc(MSGS_MAX, sizeof(uint32_t))) == NULL)
		abort();
	box->box = b;
	box->uidvalidity = b->uidvalidity;
	box->read_only = mode == MAILBOX_READ;
	buf_init(&box->summary, 1 << 20);
	if (mode < MAILBOX_SAVE)
		view_load(box);
	*out = box;
	return 0;
}

void
mailbox_close(struct mailbox *box)
{
	if (box == NULL)
		return;
	buf_clear(&box->summary);
	free(box->uids);
	free(box);
}

struct span
mailbox_name(const struct mailbox *box)
{
	return box->box->name;
}

void
mailbox_object_id(const struct mailbox *box, char out[MAILBOX_ID_MAX])
{
	snprintf(out, MAILBOX_ID_MAX, "M%08x", box->box->uidvalidity);
}

int
mailbox_email_id(struct mailbox *box, uint32_t uid, char out[33], struct err *e)
{
	uint8_t digest[MAILBOX_DIGEST_LEN];
	struct msg *m = msg_of(box, uid, e);

	if (m == NULL || !mailbox_digest(m->text, digest))
		return -1;
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

bool
mailbox_is_readonly(const struct mailbox *box)
{
	return box->read_only;
}

bool
mailbox_is_recent(const struct mailbox *box, uint32_t uid)
{
	for (size_t i = 0; i < box->box->count; i++)
		if (box->box->msgs[i].uid == uid)
			return box->recent[i];
	return false;
}

void
mailbox_view_state(struct mailbox *box, struct mailbox_view_state *out)
{
	*out = (struct mailbox_view_state){ .uidvalidity = box->box->uidvalidity, .uidnext = box->box->uidnext,
					    .mailbox_id = box->box->uidvalidity, .highestmodseq = box->modseq };
	for (uint32_t seq = 1; seq <= box->count; seq++) {
		struct err e = ERR_INIT;
		struct msg *m = msg_of(box, box->uids[seq - 1], &e);

		out->recent += mailbox_is_recent(box, box->uids[seq - 1]);
		if (m != NULL && out->first_unseen == 0 && (m->flags & MSG_SEEN) == 0)
			out->first_unseen = seq;
	}
}

uint32_t
mailbox_count(const struct mailbox *box)
{
	return box->count;
}

uint32_t
mailbox_uid(const struct mailbox *box, uint32_t seq)
{
	return seq == 0 || seq > box->count ? 0 : box->uids[seq - 1];
}

uint32_t
mailbox_seq_from(const struct mailbox *box, uint32_t uid)
{
	uint32_t seq = 1;

	while (seq <= box->count && box->uids[seq - 1] < uid)
		seq++;
	return seq;
}

uint32_t
mailbox_seq(const struct mailbox *box, uint32_t uid)
{
	uint32_t seq = mailbox_seq_from(box, uid);

	return seq <= box->count && box->uids[seq - 1] == uid ? seq : 0;
}

int
mailbox_sync(struct mailbox *box, bool expunges, struct view_changes *out, struct err *e)
{
	struct box *b = box->box;
	uint32_t last = box->count == 0 ? 0 : box->uids[box->count - 1];

	(void)e;
	*out = (struct view_changes){ .expunged = box->expunged, .flags = box->flags, .old_count = box->count };
	out->gone = b->name.p == NULL || b->uidvalidity != box->uidvalidity;
	for (uint32_t seq = box->count; expunges && seq > 0; seq--) {
		struct err gone = ERR_INIT;

		if (msg_of(box, box->uids[seq - 1], &gone) != NULL)
			continue;
		box->expunged[out->expunged_count++] = (struct view_change){ box->uids[seq - 1], seq };
		memmove(&box->uids[seq - 1], &box->uids[seq], (box->count - seq) * sizeof(uint32_t));
		box->count--;
	}
	for (size_t i = 0; i < b->count; i++) {
		struct msg *m = &b->msgs[i];

		if (!memory_is_there(m) || m->modseq <= box->modseq)
			continue;
		if (m->uid > last) {
			box->uids[box->count++] = m->uid;
			box->recent[i] = m->recent;
			m->recent = m->recent && box->read_only;
			out->exists_changed = true;
		} else
			box->flags[out->flags_count++] = m->uid;
	}
	out->keywords_changed = box->keyword_count != b->keyword_count;
	box->keyword_count = b->keyword_count;
	box->modseq = b->modseq;
	return 0;
}

int
mailbox_since(struct mailbox *box, uint64_t modseq, struct arena *a, struct mailbox_since *out, struct err *e)
{
	struct box *b = box->box;

	*out = (struct mailbox_since){ .complete = modseq > 1 };	/* 1: as if the log had been pruned */
	out->expunged.uids = arena_alloc(a, b->count + 1, sizeof(uint32_t));
	out->changed.uids = arena_alloc(a, b->count + 1, sizeof(uint32_t));
	if (out->expunged.uids == NULL || out->changed.uids == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	for (size_t i = 0; i < b->count; i++) {
		bool viewed = mailbox_seq(box, b->msgs[i].uid) != 0;

		if (b->msgs[i].expunged_modseq > modseq && !viewed && out->complete)
			out->expunged.uids[out->expunged.count++] = b->msgs[i].uid;
		else if (memory_is_there(&b->msgs[i]) && viewed && b->msgs[i].modseq > modseq)
			out->changed.uids[out->changed.count++] = b->msgs[i].uid;
	}
	return 0;
}

size_t
mailbox_view_runs(const struct mailbox *box, size_t at, struct uid_range *out, size_t room)
{
	size_t n = 0;

	for (; n < room && at + n < box->count; n++)
		out[n].first = out[n].last = box->uids[at + n];
	return n;
}

int
mailbox_view_restore(struct mailbox *box, const struct uid_range *uids, size_t count, uint32_t uidnext, uint64_t modseq,
    struct err *e)
{
	(void)box, (void)uids, (void)count, (void)uidnext, (void)modseq;
	return err_set(e, ERR_GONE, "nobody wakes up here");
}

/* ---- reading ---- */

int
mailbox_get(struct mailbox *box, uint32_t uid, struct msg_rec *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m == NULL)
		return -1;
	*out = (struct msg_rec){ .uid = uid, .flags = m->flags, .keywords = m->keywords, .modseq = m->modseq,
				 .internal_date = m->date, .save_date = m->date, .size = crlf_size(m->text),
				 .physical_size = m->text.n };
	return 0;
}

int
mailbox_summary(struct mailbox *box, uint32_t uid, unsigned need, struct summary_view *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);
	struct arena *a;
	int rc;

	(void)need;
	if (m == NULL)
		return -1;
	a = arena_new(MAIL_ARENA_MAX);
	buf_reset(&box->summary);
	rc = a == NULL ? -1 : summary_from_message(&box->summary, a, m->text, &MAIL_LIMITS_DEFAULT);
	arena_free(a);
	if (rc == -1 || !summary_view(buf_span(&box->summary), out))
		return err_set(e, ERR_TEMP, "no summary");
	return 0;
}

int
mailbox_date(struct mailbox *box, uint32_t uid, int64_t *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = m->date;
	return m == NULL ? -1 : 0;
}

int
mailbox_size(struct mailbox *box, uint32_t uid, uint64_t *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = crlf_size(m->text);
	return m == NULL ? -1 : 0;
}

void
mailbox_read_end(struct mailbox *box)
{
	/* What came from the index is not to be used any more: let a sanitizer see it. */
	if (box->summary.n > 0)
		memset(box->summary.p, 'x', box->summary.n);
}

int
mailbox_body(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = m->text;
	return m == NULL ? -1 : 0;
}

int
mailbox_header(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = span_sub(m->text, 0, header_size(m->text));
	return m == NULL ? -1 : 0;
}

/* ---- keywords ---- */

size_t
mailbox_keywords(struct mailbox *box, const struct span **names_out)
{
	memcpy(box->names, box->box->keywords, sizeof(box->names));
	*names_out = box->names;
	return box->box->keyword_count;
}

bool
mailbox_keywords_full(struct mailbox *box)
{
	return box->box->keyword_count == KEYWORDS_MAX;
}

int
mailbox_keyword_mask(struct mailbox *box, const struct span *names, size_t count, bool create, uint64_t *out,
    struct err *e)
{
	struct box *b = box->box;

	*out = 0;
	for (size_t i = 0; i < count; i++) {
		size_t bit = 0;

		while (bit < b->keyword_count && !span_ieq(b->keywords[bit], names[i]))
			bit++;
		if (bit == b->keyword_count) {
			if (!create)
				continue;
			if (bit == KEYWORDS_MAX || names[i].n > 50)
				return err_set(e, ERR_LIMIT, "too many keywords");
			b->keywords[b->keyword_count++] = memory_copy(names[i]);
		}
		*out |= 1ULL << bit;
	}
	return 0;
}

/* ---- changing ---- */

int
mailbox_store(struct mailbox *box, const uint32_t *uids, size_t count, const struct flag_change *fc, struct arena *a,
    struct uid_list *modified, struct uid_list *changed, struct err *e)
{
	uint64_t modseq = box->box->modseq + 1;

	if (modified != NULL)
		*modified = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	if (changed != NULL)
		*changed = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	for (size_t i = 0; i < count; i++) {
		struct msg *m = msg_of(box, uids[i], e);
		unsigned flags;
		uint64_t keywords;

		if (m == NULL)
			continue;
		if (fc->conditional && m->modseq > fc->unchanged_since) {
			modified->uids[modified->count++] = m->uid;
			continue;
		}
		flags = fc->op == FLAGS_SET ? fc->flags : fc->op == FLAGS_ADD ? m->flags | fc->flags : m->flags & ~fc->flags;
		keywords = fc->op == FLAGS_SET ? fc->keywords : fc->op == FLAGS_ADD ? m->keywords | fc->keywords :
		    m->keywords & ~fc->keywords;
		if (flags == m->flags && keywords == m->keywords)
			continue;
		m->flags = flags;
		m->keywords = keywords;
		m->modseq = box->box->modseq = modseq;
		if (changed != NULL)
			changed->uids[changed->count++] = m->uid;
	}
	return 0;
}

int
mailbox_expunge(struct mailbox *box, const uint32_t *uids, size_t count, bool any, struct err *e)
{
	struct box *b = box->box;
	uint64_t modseq = b->modseq + 1;

	(void)e;
	for (size_t i = 0, k = 0; i < b->count; i++) {
		struct msg *m = &b->msgs[i];

		while (k < count && uids[k] < m->uid)
			k++;
		if (!memory_is_there(m) || (!any && (m->flags & MSG_DELETED) == 0) || (uids != NULL && (k == count || uids[k] != m->uid)))
			continue;
		m->expunged_modseq = b->modseq = modseq;
	}
	return 0;
}

static struct msg *
add(struct box *b, struct span text, unsigned flags, uint64_t keywords, int64_t date)
{
	struct msg *m;

	if (b->count == MSGS_MAX)
		return NULL;
	m = &b->msgs[b->count++];
	*m = (struct msg){ .uid = b->uidnext++, .flags = flags, .keywords = keywords, .modseq = ++b->modseq, .date = date,
			   .text = memory_copy(text), .recent = true };
	return m;
}

int
mailbox_copy(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, bool move, struct arena *a,
    struct copy_result *out, struct err *e)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		struct msg *m = msg_of(box, uids[i], e);

		bytes += m == NULL ? 0 : crlf_size(m->text);
	}
	if (!move && memory_quota_allows(bytes, count, e) == -1)
		return -1;
	out->uidvalidity = target->box->uidvalidity;
	out->from = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	out->to = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	for (size_t i = 0; i < count; i++) {
		struct msg *m = msg_of(box, uids[i], e), *to;
		uint64_t mask = 0;

		if (m == NULL)
			continue;
		for (size_t bit = 0; bit < box->box->keyword_count; bit++) {
			uint64_t one = 0;

			if ((m->keywords & (1ULL << bit)) != 0 &&
			    mailbox_keyword_mask(target, &box->box->keywords[bit], 1, true, &one, e) == 0)
				mask |= one;
		}
		to = add(target->box, m->text, m->flags, mask, m->date);
		if (to == NULL)
			return err_set(e, ERR_QUOTA, "full");
		out->from.uids[out->from.count++] = m->uid;
		out->to.uids[out->to.count++] = to->uid;
		if (move)
			m->expunged_modseq = ++box->box->modseq;
	}
	return 0;
}

/* ---- saving ---- */

struct saver {
	struct mailbox *target;
	struct {
		struct buf text;
		struct save_params p;
	} msgs[32];
	size_t count;
};

int
saver_new(struct mailbox *target, struct saver **out, struct err *e)
{
	struct saver *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	s->target = target;
	*out = s;
	return 0;
}

int
saver_begin(struct saver *s, const struct save_params *p, struct err *e)
{
	if (s->count == 32)
		return err_set(e, ERR_LIMIT, "too many");
	buf_init(&s->msgs[s->count].text, 64 << 20);
	s->msgs[s->count++].p = *p;
	return 0;
}

int
saver_write(struct saver *s, struct span bytes, struct err *e)
{
	struct buf *b = &s->msgs[s->count - 1].text;

	buf_add(b, bytes);
	return b->failed ? err_set(e, ERR_QUOTA, "full") : 0;
}

int
saver_finish(struct saver *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

int
saver_commit(struct saver *s, struct arena *a, uint32_t *uidvalidity_out, struct uid_list *uids_out, struct err *e)
{
	uint64_t bytes = 0;

	*uids_out = (struct uid_list){ arena_alloc(a, s->count + 1, sizeof(uint32_t)), 0 };
	*uidvalidity_out = s->target->box->uidvalidity;
	if (uids_out->uids == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	for (size_t i = 0; i < s->count; i++)
		bytes += crlf_size(buf_span(&s->msgs[i].text));
	if (memory_quota_allows(bytes, s->count, e) == -1)
		return -1;
	for (size_t i = 0; i < s->count; i++) {
		const struct save_params *p = &s->msgs[i].p;
		struct msg *m = add(s->target->box, buf_span(&s->msgs[i].text), p->flags, p->keywords,
		    p->internal_date == INT64_MIN ? 1700000000 : p->internal_date);

		if (m == NULL)
			return err_set(e, ERR_QUOTA, "full");
		uids_out->uids[uids_out->count++] = m->uid;
	}
	return 0;
}

void
saver_free(struct saver *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		buf_clear(&s->msgs[i].text);
	free(s);
}

/* ---- notification: none ---- */

int
mailbox_watch(struct mailbox *box, bool on, struct err *e)
{
	(void)box;
	(void)on;
	(void)e;
	return 0;
}

uint32_t
mailbox_watch_id(const struct mailbox *box)
{
	(void)box;
	return 0;
}

bool
mailbox_watch_read(struct mailbox *box, bool *gone_out, bool *kicked_out)
{
	(void)box;
	*gone_out = true;
	*kicked_out = false;
	return false;
}

void
mailbox_watch_key(const struct mailbox *box, char key_out[32], size_t *n_out, int dirs_out[2])
{
	key_out[0] = (char)box->box->uidvalidity;
	*n_out = 1;
	dirs_out[0] = dirs_out[1] = -1;
}
