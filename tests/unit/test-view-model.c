/* SPDX-License-Identifier: MIT */
/*
 * Views against a model (view-model.h): several sessions of one user and programs outside do random things in a random
 * order, one at a time.  What a session's client believes is made from the answers alone, as an IMAP client would make it
 * from EXISTS, EXPUNGE, VANISHED and FETCH; after each full sync it must be the mailbox, message by message.
 *
 * VIEW_MODEL_STEPS=n VIEW_MODEL_SEED=n for a long run, VIEW_MODEL_MBOX=1 for mbox, VIEW_MODEL_TRACE=1 to see all that is done.
 */
#include "view-model.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS 4
#define SUITE_STEPS 6000
#define BOOKMARKS 6

struct known {
	uint32_t uid;
	unsigned content, flags, keywords;
	uint64_t modseq;
};

struct client {
	struct storage *st;
	struct mailbox *box;		/* NULL: nothing is selected */
	struct model_box *of;		/* what that is; has a reference */
	enum mailbox_mode mode;
	bool doomed;			/* the mailbox was deleted or renamed: the session may be told so */
	struct known list[4 * MODEL_MOST];
	size_t count;
};

/* What a client kept when it left: for QRESYNC. */
struct bookmark {
	struct model_box *of;
	uint32_t uidvalidity;
	uint64_t modseq;
	struct known list[4 * MODEL_MOST];
	size_t count;
};

struct play {
	struct model m;
	struct client c[SESSIONS];
	struct bookmark marks[BOOKMARKS];
	bool prunes;
};

static int
name_of(struct model *m, const struct model_box *b)
{
	for (int i = 0; i < MODEL_NAMES; i++)
		if (m->names[i] == b)
			return i;
	return -1;
}

/* What FETCH (UID FLAGS MODSEQ) says, and once for each message its body. */
static void
fetch(struct play *p, struct client *c, struct known *k, bool first)
{
	struct model *m = &p->m;
	const struct span *names;
	struct err e = ERR_INIT;
	struct msg_rec rec;
	size_t count;

	if (mailbox_get(c->box, k->uid, &rec, &e) == -1) {
		MODEL_CHECK(m, e.code == ERR_GONE, "UID %u: %s", k->uid, e.log);
		return;
	}
	count = mailbox_keywords(c->box, &names);
	k->flags = rec.flags;
	k->keywords = model_keywords(names, count, rec.keywords);
	k->modseq = rec.modseq;
	if (first) {
		struct span body;

		if (mailbox_body(c->box, k->uid, &body, &e) == 0)
			k->content = number_of(c->box, k->uid);
		else	/* removed outside, which nobody has seen yet */
			k->content = 0;
	}
}

static void
leave(struct play *p, struct client *c)
{
	(void)p;
	mailbox_close(c->box);
	c->box = NULL;
	model_box_drop(c->of);
	c->of = NULL;
	c->count = 0;
}

/* The client's belief is the mailbox. */
static void
check_client(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	struct mailbox_view_state vs;
	int name = name_of(m, c->of);

	if (name == -1)
		return;
	model_absorb(m, name, true);
	mailbox_view_state(c->box, &vs);
	MODEL_CHECK(m, c->count == c->of->count, "%s: the client has %zu messages, not %zu", model_names[name], c->count,
	    c->of->count);
	MODEL_CHECK(m, vs.uidvalidity == c->of->uidvalidity && vs.uidnext == c->of->uidnext &&
	    vs.highestmodseq == c->of->highest, "%s: view (%u, %u, %llu)", model_names[name], vs.uidvalidity, vs.uidnext,
	    (unsigned long long)vs.highestmodseq);
	for (size_t i = 0; i < c->count; i++) {
		const struct known *k = &c->list[i];
		const struct model_msg *msg = &c->of->msgs[i];

		MODEL_CHECK(m, k->uid == msg->uid, "%s: number %zu is UID %u, not %u", model_names[name], i + 1, k->uid, msg->uid);
		MODEL_CHECK(m, k->flags == msg->flags[0] && k->keywords == msg->keywords, "%s: UID %u is believed to have %x %x, "
		    "not %x %x", model_names[name], k->uid, k->flags, k->keywords, msg->flags[0], msg->keywords);
		MODEL_CHECK(m, k->modseq == msg->modseq, "%s: UID %u: modseq %llu, not %llu", model_names[name], k->uid,
		    (unsigned long long)k->modseq, (unsigned long long)msg->modseq);
		MODEL_CHECK(m, k->content == msg->content || k->content == 0, "%s: UID %u is message %u, not %u",
		    model_names[name], k->uid, k->content, msg->content);
		MODEL_CHECK(m, mailbox_uid(c->box, (uint32_t)i + 1) == k->uid && mailbox_seq(c->box, k->uid) == i + 1 &&
		    mailbox_seq_from(c->box, k->uid) == i + 1, "%s: number %zu", model_names[name], i + 1);
	}
}

/* The numbers of the view are the client's, also when it may not yet be told of expunges. */
static void
check_numbers(struct play *p, struct client *c)
{
	MODEL_CHECK(&p->m, mailbox_count(c->box) == c->count, "%u messages in the view, %zu known", mailbox_count(c->box),
	    c->count);
	for (size_t i = 0; i < c->count; i++)
		MODEL_CHECK(&p->m, mailbox_uid(c->box, (uint32_t)i + 1) == c->list[i].uid, "number %zu is UID %u, not %u", i + 1,
		    mailbox_uid(c->box, (uint32_t)i + 1), c->list[i].uid);
}

static void
take_exists(struct play *p, struct client *c)
{
	uint32_t last = c->count == 0 ? 0 : c->list[c->count - 1].uid;

	for (; c->count < mailbox_count(c->box); c->count++) {
		struct known *k = &c->list[c->count];

		*k = (struct known){ .uid = mailbox_uid(c->box, (uint32_t)c->count + 1) };
		MODEL_CHECK(&p->m, k->uid > last, "UID %u comes behind %u", k->uid, last);
		last = k->uid;
		fetch(p, c, k, true);
	}
}

static void
client_sync(struct play *p, struct client *c, bool expunges)
{
	struct model *m = &p->m;
	struct view_changes vc;
	struct err e = ERR_INIT;

	model_note(m, "session %d syncs %d", (int)(c - p->c), expunges);
	if (mailbox_sync(c->box, expunges, &vc, &e) == -1) {
		MODEL_CHECK(m, c->doomed, "sync: %s", e.log);
		leave(p, c);
		return;
	}
	if (vc.gone) {
		MODEL_CHECK(m, c->doomed, "a mailbox that is there is told to be gone");
		leave(p, c);
		return;
	}
	MODEL_CHECK(m, vc.old_count == c->count, "%u messages before, %zu known", vc.old_count, c->count);
	MODEL_CHECK(m, expunges || vc.expunged_count == 0, "expunges where none may be told");
	for (size_t i = 0; i < vc.expunged_count; i++) {
		uint32_t seq = vc.expunged[i].seq;

		MODEL_CHECK(m, seq >= 1 && seq <= c->count && c->list[seq - 1].uid == vc.expunged[i].uid, "EXPUNGE %u of UID %u",
		    seq, vc.expunged[i].uid);
		memmove(c->list + seq - 1, c->list + seq, (c->count - seq) * sizeof(*c->list));
		c->count--;
	}
	MODEL_CHECK(m, vc.exists_changed == (mailbox_count(c->box) != c->count), "EXISTS %u is %stold, %zu known",
	    mailbox_count(c->box), vc.exists_changed ? "" : "not ", c->count);
	take_exists(p, c);
	for (size_t i = 0; i < vc.flags_count; i++) {
		uint32_t seq = mailbox_seq(c->box, vc.flags[i]);

		MODEL_CHECK(m, seq >= 1 && seq <= c->count && (i == 0 || vc.flags[i] > vc.flags[i - 1]), "flags of UID %u",
		    vc.flags[i]);
		fetch(p, c, &c->list[seq - 1], false);
	}
	mailbox_read_end(c->box);
	if (expunges) {
		check_client(p, c);
		return;
	}
	check_numbers(p, c);
	if (name_of(m, c->of) != -1)
		model_absorb(m, name_of(m, c->of), true);
}

static int
pick_name(struct play *p, bool there)
{
	int name = (int)model_roll(&p->m, MODEL_NAMES);

	for (int i = 0; i < MODEL_NAMES; i++, name = (name + 1) % MODEL_NAMES)
		if ((p->m.names[name] != NULL) == there)
			return name;
	return -1;
}

static void
enter(struct play *p, struct client *c, int name)
{
	struct err e = ERR_INIT;

	c->mode = model_roll(&p->m, 4) == 0 ? MAILBOX_READ : MAILBOX_WRITE;
	MUST(mailbox_open(c->st, span_str(model_names[name]), c->mode, &c->box, &e), &e);
	c->of = p->m.names[name];
	c->of->references++;
	c->doomed = false;
	c->count = 0;
}

static void
do_select(struct play *p, struct client *c)
{
	int name = pick_name(p, true);

	if (c->box != NULL)
		leave(p, c);
	model_note(&p->m, "session %d selects %s", (int)(c - p->c), model_names[name]);
	enter(p, c, name);
	take_exists(p, c);
	mailbox_read_end(c->box);
	check_client(p, c);
}

/* A client that comes back with what it knew (RFC 7162 section 3.2.5). */
static void
do_resync(struct play *p, struct client *c)
{
	struct bookmark *b = &p->marks[model_roll(&p->m, BOOKMARKS)];
	struct model *m = &p->m;
	struct mailbox_since since;
	struct err e = ERR_INIT;
	size_t n = 0;
	int name = b->of == NULL ? -1 : name_of(m, b->of);

	if (name == -1)
		return;
	if (c->box != NULL)
		leave(p, c);
	model_note(m, "session %d resynchronises %s from %llu", (int)(c - p->c), model_names[name],
	    (unsigned long long)b->modseq);
	enter(p, c, name);
	model_absorb(m, name, true);
	MODEL_CHECK(m, b->uidvalidity == c->of->uidvalidity, "UIDVALIDITY of a bookmark");
	MUST(mailbox_since(c->box, b->modseq, m->a, &since, &e), &e);
	/* VANISHED (EARLIER) */
	for (size_t i = 0; i < b->count; i++) {
		bool gone = false;

		for (size_t k = 0; k < since.expunged.count && since.complete; k++)
			gone = gone || since.expunged.uids[k] == b->list[i].uid;
		if (!since.complete)
			gone = mailbox_seq(c->box, b->list[i].uid) == 0;
		if (!gone)
			c->list[n++] = b->list[i];
	}
	c->count = n;
	/* FETCH of what changed, or is new to it */
	for (size_t i = 0; i < since.changed.count; i++) {
		uint32_t uid = since.changed.uids[i];
		size_t at = 0;

		while (at < c->count && c->list[at].uid < uid)
			at++;
		if (at == c->count)
			c->list[c->count++] = (struct known){ .uid = uid };
		MODEL_CHECK(m, c->list[at].uid == uid, "UID %u is told as changed, and is not known", uid);
		fetch(p, c, &c->list[at], c->list[at].content == 0);
	}
	mailbox_read_end(c->box);
	arena_reset(m->a);
	check_client(p, c);
}

static void
do_bookmark(struct play *p, struct client *c)
{
	struct bookmark *b = &p->marks[model_roll(&p->m, BOOKMARKS)];
	struct mailbox_view_state vs;

	client_sync(p, c, true);
	if (c->box == NULL)
		return;
	mailbox_view_state(c->box, &vs);
	model_box_drop(b->of);
	b->of = c->of;
	b->of->references++;
	b->uidvalidity = vs.uidvalidity;
	b->modseq = vs.highestmodseq;
	memcpy(b->list, c->list, c->count * sizeof(*c->list));
	b->count = c->count;
}

/* Hibernation: the view goes into another session, which is told the rest. */
static void
do_hibernate(struct play *p, struct client *c)
{
	struct uid_range runs[4 * MODEL_MOST];
	size_t n = 0, got;
	struct mailbox_view_state vs;
	struct err e = ERR_INIT;
	struct model_box *of = c->of;
	int name = name_of(&p->m, of);

	if (name == -1 || c->doomed)
		return;
	while ((got = mailbox_view_runs(c->box, n, runs + n, 3)) > 0)
		n += got;
	mailbox_view_state(c->box, &vs);
	model_note(&p->m, "session %d sleeps", (int)(c - p->c));
	mailbox_close(c->box);
	c->box = NULL;
	if (model_roll(&p->m, 2))
		model_outside(&p->m);
	MUST(mailbox_open(c->st, span_str(model_names[name]), c->mode, &c->box, &e), &e);
	MUST(mailbox_view_restore(c->box, runs, n, vs.uidnext, vs.highestmodseq, &e), &e);
	check_numbers(p, c);
	client_sync(p, c, true);
}

/* ---- changes ---- */

static uint64_t
keyword_mask(struct play *p, struct mailbox *box, unsigned keywords)
{
	struct span names[MODEL_KEYWORDS];
	static const char *const words[] = { "k0", "k1", "k2", "k3", "k4", "k5" };
	struct err e = ERR_INIT;
	uint64_t mask;
	size_t n = 0;

	(void)p;
	for (unsigned i = 0; i < MODEL_KEYWORDS; i++)
		if (keywords >> i & 1)
			names[n++] = span_str(words[i]);
	MUST(mailbox_keyword_mask(box, names, n, true, &mask, &e), &e);
	return mask;
}

static void
do_save(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	int name = pick_name(p, true);
	struct model_box *b = m->names[name];
	struct mailbox *box;
	struct err e = ERR_INIT;
	unsigned keywords = model_roll(m, 3) == 0 ? model_roll(m, 1 << MODEL_KEYWORDS) : 0, many = 1 + model_roll(m, 3);
	struct save_params sp = { .flags = model_roll(m, 2) ? model_roll(m, 64) : 0, .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	uint32_t validity;

	if (b->count + b->arrived_count > MODEL_MOST)
		return;
	MUST(mailbox_open(c->st, span_str(model_names[name]), MAILBOX_SAVE, &box, &e), &e);
	sp.keywords = keyword_mask(p, box, keywords);
	model_absorb(m, name, false);
	MUST(saver_new(box, &s, &e), &e);
	for (unsigned i = 0; i < many; i++) {
		char text[200];

		snprintf(text, sizeof(text), "From: a@example.org\r\nSubject: Number %u\r\n\r\nBody\r\n", m->next_content + i);
		MUST(saver_begin(s, &sp, &e), &e);
		MUST(saver_write(s, span_str(text), &e), &e);
		MUST(saver_finish(s, &e), &e);
	}
	MUST(saver_commit(s, m->a, &validity, &uids, &e), &e);
	saver_free(s);
	mailbox_close(box);
	model_note(m, "session %d saves %u from UID %u into %s", (int)(c - p->c), many, uids.uids[0], model_names[name]);
	MODEL_CHECK(m, uids.count == many, "%zu UIDs for %u messages", uids.count, many);
	MODEL_CHECK(m, b->uidvalidity == 0 || validity == b->uidvalidity, "UIDVALIDITY of APPENDUID");
	/* What came from outside was seen first, perhaps. */
	for (unsigned i = 0; i < many; i++) {
		struct model_msg *msg = model_add(m, b, uids.uids[i], m->next_content++);

		msg->flags[0] = sp.flags;
		msg->keywords = keywords;
	}
	arena_reset(m->a);
	model_absorb(m, name, false);
}

/* Some of what the client knows. */
static size_t
pick_uids(struct play *p, struct client *c, uint32_t *uids, size_t most)
{
	size_t n = 0;
	unsigned every = 1 + model_roll(&p->m, 12);

	for (size_t i = 0; i < c->count && n < most; i++)
		if (model_roll(&p->m, every) == 0)
			uids[n++] = c->list[i].uid;
	return n;
}

static bool
is_in(const struct uid_list *l, uint32_t uid)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->uids[i] == uid)
			return true;
	return false;
}

static void
do_store(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	struct model_box *b = c->of;
	uint32_t uids[8];
	size_t n = pick_uids(p, c, uids, 8);
	unsigned keywords = model_roll(m, 3) == 0 ? model_roll(m, 1 << MODEL_KEYWORDS) : 0;
	struct flag_change fc = { .op = (enum flag_op)model_roll(m, 3), .flags = model_roll(m, 64) };
	struct uid_list modified, changed;
	struct err e = ERR_INIT;
	bool was_lost = b->lost;
	int name = name_of(m, b);

	if (c->doomed || name == -1 || c->mode == MAILBOX_READ || n == 0)
		return;
	fc.keywords = keyword_mask(p, c->box, keywords);
	model_absorb(m, name, false);
	if (model_roll(m, 3) == 0) {
		fc.conditional = true;
		fc.unchanged_since = model_roll(m, 2) && b->count > 0 ? b->msgs[model_roll(m, (unsigned)b->count)].modseq :
		    b->highest - model_roll(m, 20) % b->highest;
	}
	MUST(mailbox_store(c->box, uids, n, &fc, m->a, &modified, &changed, &e), &e);
	model_note(m, "session %d stores %d %x %x at %zu of %s from UID %u: %zu changed, %zu failed", (int)(c - p->c),
	    (int)fc.op, fc.flags, keywords, n, model_names[name], uids[0], changed.count, modified.count);
	for (size_t i = 0; i < n; i++) {
		struct model_msg *msg = model_find(b, uids[i]);

		if (msg == NULL) {
			MODEL_CHECK(m, !is_in(&modified, uids[i]) && !is_in(&changed, uids[i]), "STORE of UID %u, which is gone",
			    uids[i]);
			continue;
		}
		if (is_in(&modified, uids[i])) {
			MODEL_CHECK(m, fc.conditional && (was_lost || msg->choices > 1 || msg->modseq > fc.unchanged_since),
			    "UID %u failed UNCHANGEDSINCE %llu with modseq %llu", uids[i],
			    (unsigned long long)fc.unchanged_since, (unsigned long long)msg->modseq);
			continue;
		}
		MODEL_CHECK(m, !fc.conditional || was_lost || msg->file_gone || msg->modseq <= fc.unchanged_since,
		    "UID %u passed UNCHANGEDSINCE %llu with modseq %llu", uids[i], (unsigned long long)fc.unchanged_since,
		    (unsigned long long)msg->modseq);
		/* What an outside program wrote into a name that nobody has seen yet counts less than a change made here. */
		if (!was_lost && is_in(&changed, uids[i]))
			msg->choices = 1;
		for (unsigned k = 0; k < (was_lost ? msg->choices : 1); k++)
			msg->flags[k] = fc.op == FLAGS_ADD ? msg->flags[k] | fc.flags :
			    fc.op == FLAGS_REMOVE ? msg->flags[k] & ~fc.flags : fc.flags;
		msg->keywords = fc.op == FLAGS_ADD ? msg->keywords | keywords :
		    fc.op == FLAGS_REMOVE ? msg->keywords & ~keywords : keywords;
		msg->touched = true;
	}
	arena_reset(m->a);
	model_absorb(m, name, false);
}

static void
do_expunge(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	struct model_box *b = c->of;
	uint32_t uids[6];
	size_t n = pick_uids(p, c, uids, b->count > MODEL_MOST / 2 ? 6 : 2);
	bool any = model_roll(m, 2), maybe[6] = { false };
	struct err e = ERR_INIT;
	int name = name_of(m, b);

	if (c->doomed || name == -1 || c->mode == MAILBOX_READ || n == 0)
		return;
	model_note(m, "session %d expunges %zu of %s from UID %u%s", (int)(c - p->c), n, model_names[name], uids[0],
	    any ? "" : ", if deleted");
	/* It may go; whether it must, is known where its flags are. */
	for (size_t i = 0; i < n; i++) {
		struct model_msg *msg = model_find(b, uids[i]);

		if (msg == NULL)
			continue;
		if (any || (msg->choices == 1 && msg->flags[0] & MSG_DELETED))
			model_remove(b, msg);
		else if (msg->choices == 2 && !msg->file_gone && (msg->flags[0] | msg->flags[1]) & MSG_DELETED)
			msg->file_gone = maybe[i] = true;
	}
	MUST(mailbox_expunge(c->box, uids, n, any, &e), &e);
	model_absorb(m, name, false);
	for (size_t i = 0; i < n; i++) {
		struct model_msg *msg = model_find(b, uids[i]);

		/* A flag that was not seen when it was asked for: the message stays. */
		if (msg != NULL && maybe[i])
			msg->file_gone = false;
	}
}

static void
do_copy(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	int name = name_of(m, c->of), to = pick_name(p, true);
	struct model_box *b = c->of, *target = m->names[to];
	bool move = model_roll(m, 2) && c->mode == MAILBOX_WRITE;
	uint32_t uids[5];
	size_t n = pick_uids(p, c, uids, 5);
	struct copy_result r = { 0 };
	struct mailbox *box;
	struct err e = ERR_INIT;

	if (c->doomed || name == -1 || n == 0 || target->count + target->arrived_count > MODEL_MOST)
		return;
	MUST(mailbox_open(c->st, span_str(model_names[to]), MAILBOX_SAVE, &box, &e), &e);
	MUST(mailbox_copy(c->box, uids, n, box, move, m->a, &r, &e), &e);
	mailbox_close(box);
	model_note(m, "session %d %s %zu of %zu from %s UID %u to %s UID %u", (int)(c - p->c), move ? "moves" : "copies",
	    r.from.count, n, model_names[name], uids[0], model_names[to], r.to.count == 0 ? 0 : r.to.uids[0]);
	MODEL_CHECK(m, r.from.count == r.to.count, "COPYUID of %zu and %zu", r.from.count, r.to.count);
	for (size_t i = 0; i < n; i++) {
		struct model_msg *msg = model_find(b, uids[i]);

		MODEL_CHECK(m, is_in(&r.from, uids[i]) || msg == NULL || msg->file_gone, "UID %u was not copied", uids[i]);
	}
	for (size_t i = 0; i < r.from.count; i++) {
		struct model_msg *msg = model_find(b, r.from.uids[i]), copy, *made;

		MODEL_CHECK(m, msg != NULL, "UID %u was copied, and is not there", r.from.uids[i]);
		copy = *msg;
		made = model_add(m, target, r.to.uids[i], copy.content);
		memcpy(made->flags, copy.flags, sizeof(made->flags));
		made->choices = copy.choices;
		made->keywords = copy.keywords;
		if (move)
			model_remove(b, model_find(b, r.from.uids[i]));
	}
	arena_reset(m->a);
	model_absorb(m, name, false);
	model_absorb(m, to, false);
}

/* ---- mailboxes ---- */

static void
do_mailbox(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	int from = pick_name(p, true), to = pick_name(p, false);
	unsigned what = model_roll(m, 8);
	struct err e = ERR_INIT;

	if (what < 3 && to != -1) {
		model_note(m, "%s is made", model_names[to]);
		MUST(storage_create(c->st, span_str(model_names[to]), false, &e), &e);
		m->names[to] = model_box_new(m);
		return;
	}
	if (from <= 0 || (what > 3 && to == -1) || what < 3)
		return;
	for (int i = 0; i < SESSIONS; i++)
		if (p->c[i].of == m->names[from]) {
			p->c[i].doomed = true;
			/* An mbox is known by its path, which may be another's in a moment. */
			if (m->mbox)
				leave(p, &p->c[i]);
		}
	if (what == 3) {
		model_note(m, "%s is deleted", model_names[from]);
		MUST(storage_delete(c->st, span_str(model_names[from]), &e), &e);
		if (m->names[from]->uidvalidity > m->validity_before[from])
			m->validity_before[from] = m->names[from]->uidvalidity;
		model_box_drop(m->names[from]);
	} else {
		model_note(m, "%s is renamed to %s", model_names[from], model_names[to]);
		MUST(storage_rename(c->st, span_str(model_names[from]), span_str(model_names[to]), &e), &e);
		m->names[to] = m->names[from];
		m->names[to]->renamed = true;
	}
	m->names[from] = NULL;
	if (what != 3)
		model_absorb(m, to, false);
}

static void
do_status(struct play *p, struct client *c)
{
	struct model *m = &p->m;
	int name = pick_name(p, true);
	struct model_box *b = m->names[name];
	struct mailbox_status st;
	struct err e = ERR_INIT;
	uint32_t unseen = 0, deleted = 0;

	MUST(storage_status(c->st, span_str(model_names[name]), STATUS_MESSAGES | STATUS_UNSEEN | STATUS_UIDNEXT |
	    STATUS_UIDVALIDITY | STATUS_HIGHESTMODSEQ | STATUS_DELETED, &st, &e), &e);
	model_absorb(m, name, true);
	for (size_t i = 0; i < b->count; i++) {
		unseen += (b->msgs[i].flags[0] & MSG_SEEN) == 0;
		deleted += (b->msgs[i].flags[0] & MSG_DELETED) != 0;
	}
	MODEL_CHECK(m, st.messages == b->count && st.unseen == unseen && st.deleted == deleted && st.uidnext == b->uidnext &&
	    st.uidvalidity == b->uidvalidity && st.highestmodseq == b->highest,
	    "STATUS %s: MESSAGES %u UNSEEN %u DELETED %u UIDNEXT %u UIDVALIDITY %u HIGHESTMODSEQ %llu", model_names[name],
	    st.messages, st.unseen, st.deleted, st.uidnext, st.uidvalidity, (unsigned long long)st.highestmodseq);
}

static void
do_prune(struct play *p, struct client *c)
{
	int name = name_of(&p->m, c->of);
	struct index *ix = c->box->store->ix;
	struct index_txn *t;
	struct idx_state st;
	struct err e = ERR_INIT;

	if (name == -1 || c->doomed || c->of->lost)
		return;
	MUST(index_write(ix, &t, &e), &e);
	if (index_state_get(t, c->box->id, &st, &e) == 1 && index_prune(t, &st, model_roll(&p->m, 6), &e) == 0) {
		model_note(&p->m, "the log of %s is pruned to %llu", model_names[name], (unsigned long long)st.pruned_to);
		MUST(index_commit(t, &e), &e);
	} else {
		index_abort(t);
	}
}

static void
do_maintain(struct play *p, struct client *c)
{
	struct err e = ERR_INIT;

	model_note(&p->m, "session %d writes behind", (int)(c - p->c));
	if (storage_maintain(c->st, &e) == -1)
		MODEL_CHECK(&p->m, c->doomed, "maintain: %s", e.log);
	for (int i = 0; i < MODEL_NAMES; i++)
		model_absorb(&p->m, i, false);
}

static void
step(struct play *p)
{
	struct client *c = &p->c[model_roll(&p->m, SESSIONS)];
	unsigned what = model_roll(&p->m, 100);

	if (what < 18)
		model_outside(&p->m);
	else if (what < 28)
		do_save(p, c);
	else if (what < 32)
		do_status(p, c);
	else if (what < 34)
		do_mailbox(p, c);
	else if (what < 36)
		do_maintain(p, c);
	else if (what < 40)
		do_resync(p, c);
	else if (model_roll(&p->m, 600) == 0)
		model_lose_index(&p->m);
	else if (c->box == NULL || what < 43)
		do_select(p, c);
	else if (what < 50)
		client_sync(p, c, false);
	else if (what < 62)
		client_sync(p, c, true);
	else if (what < 74)
		do_store(p, c);
	else if (what < 84)
		do_expunge(p, c);
	else if (what < 92)
		do_copy(p, c);
	else if (what < 94)
		do_bookmark(p, c);
	else if (what < 96)
		do_hibernate(p, c);
	else if (what < 98)
		leave(p, c);
	else
		do_prune(p, c);
}

static void
run(uint64_t seed, uint64_t steps, bool mbox)
{
	struct play *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	model_begin(&p->m, seed, mbox);
	for (int i = 0; i < SESSIONS; i++)
		p->c[i].st = fixture_storage(&p->m.f);
	for (p->m.steps = 1; p->m.steps <= steps; p->m.steps++)
		step(p);
	for (int i = 0; i < SESSIONS; i++) {
		if (p->c[i].box != NULL)
			client_sync(p, &p->c[i], true);
		if (p->c[i].box != NULL) {
			check_counts(p->c[i].box);
			leave(p, &p->c[i]);
		}
		storage_close(p->c[i].st);
	}
	for (int i = 0; i < BOOKMARKS; i++)
		model_box_drop(p->marks[i].of);
	model_end(&p->m);
	free(p);
}

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

static void
test_fixed(void **state)
{
	(void)state;
	if (getenv("VIEW_MODEL_SEED") != NULL || getenv("VIEW_MODEL_STEPS") != NULL)
		return;
	run(1, SUITE_STEPS, false);
	run(2, SUITE_STEPS, false);
	run(3, SUITE_STEPS / 3, true);
}

static void
test_random(void **state)
{
	uint64_t seed = number_from("VIEW_MODEL_SEED", (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20);
	uint64_t steps = number_from("VIEW_MODEL_STEPS", SUITE_STEPS);

	(void)state;
	print_message("VIEW_MODEL_SEED=%llu VIEW_MODEL_STEPS=%llu\n", (unsigned long long)seed, (unsigned long long)steps);
	run(seed, steps, getenv("VIEW_MODEL_MBOX") != NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
