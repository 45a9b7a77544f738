/* SPDX-License-Identifier: MIT */
/*
 * Whether what was found may be so.  A message's place and flags are those behind the last step that was acknowledged, or
 * those behind the one that was begun; what belongs together is all the one or all the other.  When the power was cut and
 * flags are not synced they may be those of any earlier time, but mail that was acknowledged is there.
 */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>

#define ABSENT (-1)

const struct seen_box *
seen_box(const struct seen *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->box[i].name, name) == 0)
			return &s->box[i];
	return NULL;
}

static const struct want_box *
box_in(const struct want *w, const char *name)
{
	for (unsigned i = 0; i < w->count; i++)
		if (strcmp(w->box[i].name, name) == 0)
			return &w->box[i];
	return NULL;
}

void
want_from_seen(struct want *out, const struct seen *s)
{
	*out = (struct want){ .count = s->count, .subscribed_count = s->subscribed_count, .origins = s->count };
	memcpy(out->subscribed, s->subscribed, sizeof(out->subscribed));
	for (unsigned i = 0; i < s->count; i++) {
		struct want_box *b = &out->box[i];

		memcpy(b->name, s->box[i].name, sizeof(b->name));
		b->origin = i + 1;
		b->count = s->box[i].count;
		for (unsigned k = 0; k < b->count; k++)
			b->m[k] = (struct want_msg){ s->box[i].m[k].number, s->box[i].m[k].flags, s->box[i].m[k].keywords };
	}
}

/* Flags and keywords as a number; ABSENT. */
static int
wanted(const struct want *w, const char *name, unsigned number)
{
	const struct want_box *b = box_in(w, name);

	for (unsigned i = 0; b != NULL && i < b->count; i++)
		if (b->m[i].number == number)
			return b->m[i].flags | b->m[i].keywords << 8;
	return ABSENT;
}

struct judging {
	const struct world *w;
	const struct verdict_of *v;
	const struct seen *s;
	char *why;
	size_t why_n;
	/* Groups of what belongs together, when a step was begun and not acknowledged. */
	struct group {
		unsigned id;
		bool can_be_old, can_be_new;
	} group[MESSAGES * 2];
	unsigned groups;
};

static bool
wrong(struct judging *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->why, j->why_n, fmt, ap);
	va_end(ap);
	return false;
}

/* Of its allowed states the first one back from what was acknowledged. */
static unsigned
oldest_allowed(const struct judging *j, const char *name, unsigned number)
{
	unsigned at = j->v->acked;

	if (!j->v->may_be_older)
		return at;
	if (wanted(&j->w->want[at], name, number) == ABSENT)
		return 0;
	while (at > 0 && wanted(&j->w->want[at - 1], name, number) != ABSENT)
		at--;
	return at;
}

static void
note_group(struct judging *j, unsigned number, bool is_old, bool is_new)
{
	/* A power cut may take the note with it that tells a half (lib-index/batch.c). */
	enum whole whole = j->v->power ? WHOLE_MESSAGE : j->w->op->whole;
	unsigned id = whole == WHOLE_STEP ? 0 : whole == WHOLE_BOX ? number / 100 : number, i = 0;

	while (i < j->groups && j->group[i].id != id)
		i++;
	if (i == j->groups)
		j->group[j->groups++] = (struct group){ id, true, true };
	j->group[i].can_be_old &= is_old;
	j->group[i].can_be_new &= is_new;
}

static bool
judge_message(struct judging *j, const char *name, unsigned number)
{
	const struct seen_box *b = seen_box(j->s, name);
	int have = ABSENT, old = wanted(&j->w->want[j->v->acked], name, number),
	    new = wanted(&j->w->want[j->v->begun], name, number);
	unsigned copies = 0;
	bool allowed = false;

	for (unsigned i = 0; b != NULL && i < b->count; i++) {
		if (b->m[i].number != number)
			continue;
		copies++;
		have = b->m[i].flags | b->m[i].keywords << 8;
	}
	if (copies > 1)
		return wrong(j, "%s has message number %u %u times", name, number, copies);
	for (unsigned k = oldest_allowed(j, name, number); k <= j->v->begun; k++)
		allowed = allowed || have == wanted(&j->w->want[k], name, number);
	if (j->v->may_be_older && j->w->op->prep == PREP_DIRTY)
		allowed = allowed || have == wanted(&j->w->before, name, number);
	if (!allowed)
		return wrong(j, "%s: message number %u is %d, and may be %d or %d (flags; %d: not there)", name, number, have, old,
		    new, ABSENT);
	if (old != new)
		note_group(j, number, have == old, have == new);
	return true;
}

/* Whatever may have become of its place: a message that is never meant to be gone is somewhere. */
static bool
judge_loss(struct judging *j, unsigned number)
{
	unsigned from = j->v->acked, total = 0;
	bool always = true;

	for (unsigned i = 0; i < j->s->count; i++)
		for (unsigned k = 0; k < j->s->box[i].count; k++)
			total += j->s->box[i].m[k].number == number;
	for (unsigned k = from; k <= j->v->begun; k++) {
		bool here = false;

		for (unsigned i = 0; i < j->w->want[k].count; i++)
			here = here || wanted(&j->w->want[k], j->w->want[k].box[i].name, number) != ABSENT;
		always = always && here;
	}
	return !always || total > 0 ? true : wrong(j, "message number %u is lost", number);
}

static bool
judge_messages(struct judging *j)
{
	/* Every name and number of any state. */
	for (unsigned k = 0; k <= j->v->begun; k++) {
		const struct want *w = &j->w->want[k];

		for (unsigned i = 0; i < w->count; i++)
			for (unsigned m = 0; m < w->box[i].count; m++)
				if (!judge_message(j, w->box[i].name, w->box[i].m[m].number) ||
				    !judge_loss(j, w->box[i].m[m].number))
					return false;
	}
	for (unsigned i = 0; i < j->s->count; i++) {
		const struct seen_box *b = &j->s->box[i];

		for (unsigned m = 0; m < b->count; m++) {
			bool known = false;

			for (unsigned k = 0; k <= j->v->begun; k++)
				known = known || wanted(&j->w->want[k], b->name, b->m[m].number) != ABSENT;
			if (!known)
				return wrong(j, "%s has message number %u, which never was there", b->name, b->m[m].number);
			if (m > 0 && b->m[m].uid <= b->m[m - 1].uid)
				return wrong(j, "%s: UIDs do not ascend", b->name);
		}
	}
	/* A move between mbox files is a copy, then an expunge: a message may be in both. */
	for (unsigned i = 0; i < j->groups && !j->v->may_be_older && !(j->w->format->one_file &&
	    j->w->op->whole == WHOLE_MESSAGE); i++)
		if (!j->group[i].can_be_old && !j->group[i].can_be_new)
			return wrong(j, "a step was done by half (group %u)", j->group[i].id);
	return true;
}

static bool
judge_boxes(struct judging *j)
{
	unsigned from = j->v->may_be_older ? 0 : j->v->acked;

	for (unsigned i = 0; i < j->s->count; i++) {
		bool known = false;

		for (unsigned k = from; k <= j->v->begun; k++)
			known = known || box_in(&j->w->want[k], j->s->box[i].name) != NULL;
		if (!known && strcmp(j->s->box[i].name, "INBOX") != 0)
			return wrong(j, "there is a mailbox %s", j->s->box[i].name);
	}
	for (unsigned i = 0; i < j->w->want[j->v->acked].count; i++) {
		const char *name = j->w->want[j->v->acked].box[i].name;
		bool always = true;

		for (unsigned k = from; k <= j->v->begun; k++)
			always = always && box_in(&j->w->want[k], name) != NULL;
		if (always && seen_box(j->s, name) == NULL)
			return wrong(j, "the mailbox %s is gone", name);
	}
	return true;
}

/* The same mailbox under that name all the time? */
static bool
same_origin(const struct judging *j, const char *name, unsigned from)
{
	const struct want_box *first = box_in(&j->w->want[from], name);

	for (unsigned k = from; k <= j->v->begun; k++) {
		const struct want_box *b = box_in(&j->w->want[k], name);

		if (b == NULL || first == NULL || b->origin != first->origin)
			return false;
	}
	return true;
}

static bool
judge_told_box(struct judging *j, const struct seen_box *told, const struct seen_box *b, bool same)
{
	if (told->validity != b->validity)
		return same ? wrong(j, "%s: UIDVALIDITY was %u and is %u", b->name, told->validity, b->validity) : true;
	if (same && told->id != 0 && told->id != b->id)
		return wrong(j, "%s: MAILBOXID was %u and is %u", b->name, told->id, b->id);
	/* Two mailboxes may have the same UIDVALIDITY. */
	if (told->id != b->id && strcmp(told->name, b->name) != 0)
		return true;
	if (b->uidnext < told->uidnext)
		return wrong(j, "%s: UIDNEXT was %u and is %u", b->name, told->uidnext, b->uidnext);
	if (b->modseq < told->modseq)
		return wrong(j, "%s: HIGHESTMODSEQ was %llu and is %llu", b->name, (unsigned long long)told->modseq,
		    (unsigned long long)b->modseq);
	for (unsigned i = 0; i < b->count; i++) {
		bool was_there = false;

		for (unsigned k = 0; k < told->count; k++) {
			const struct seen_msg *a = &told->m[k], *m = &b->m[i];

			if (a->uid == m->uid && a->number != m->number)
				return wrong(j, "%s: UID %u was number %u and is number %u", b->name, a->uid, a->number, m->number);
			was_there = was_there || a->number == m->number;
			/* An expunged one that a power cut brought back may be a new one. */
			if (a->number == m->number && a->uid != m->uid && oldest_allowed(j, b->name, m->number) == j->v->acked)
				return wrong(j, "%s: number %u had UID %u and has %u", b->name, a->number, a->uid, m->uid);
		}
		if (!was_there && b->m[i].uid < told->uidnext && !j->v->may_be_older) {
			/* Told of at an earlier time, perhaps; else it came in below UIDNEXT. */
			bool ever = false;

			for (unsigned n = 0; n < j->w->told_count; n++)
				for (unsigned k = 0; k < j->w->told[n].count; k++)
					ever = ever || (j->w->told[n].validity == b->validity &&
					    j->w->told[n].m[k].number == b->m[i].number);
			if (!ever)
				return wrong(j, "%s: number %u came as UID %u, below UIDNEXT %u", b->name, b->m[i].number, b->m[i].uid,
				    told->uidnext);
		}
	}
	return true;
}

static bool
judge_numbers(struct judging *j)
{
	const struct world *w = j->w;

	for (unsigned i = 0; i < j->s->count; i++) {
		const struct seen_box *b = &j->s->box[i];

		for (unsigned k = 0; k < w->told_count; k++)
			if (!judge_told_box(j, &w->told[k], b, strcmp(w->told[k].name, b->name) == 0 && same_origin(j, b->name, 0)))
				return false;
		for (unsigned k = 0; k < w->sh->at.announced; k++)
			if (!judge_told_box(j, &w->sh->announced[k], b, strcmp(w->sh->announced[k].name, b->name) == 0 &&
			    same_origin(j, b->name, j->v->acked)))
				return false;
		for (unsigned k = 0; k < i; k++)
			if (j->s->box[k].validity == b->validity || j->s->box[k].id == b->id)
				return wrong(j, "%s and %s have the same UIDVALIDITY or MAILBOXID", j->s->box[k].name, b->name);
	}
	return true;
}

static bool
is_subscribed(const char (*names)[48], unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool
judge_subscriptions(struct judging *j)
{
	for (unsigned k = 0; k <= j->v->begun; k++) {
		const struct want *w = &j->w->want[k];

		for (unsigned i = 0; i < w->subscribed_count; i++) {
			const char *name = w->subscribed[i];
			bool have = is_subscribed(j->s->subscribed, j->s->subscribed_count, name), allowed = false;

			for (unsigned a = j->v->acked; a <= j->v->begun; a++)
				allowed = allowed ||
				    have == is_subscribed(j->w->want[a].subscribed, j->w->want[a].subscribed_count, name);
			if (!allowed)
				return wrong(j, "%s is%s subscribed", name, have ? "" : " not");
		}
	}
	return true;
}

/* An annotation is as it was before a step or behind it, and is in the place of its mailbox. */
static bool
judge_notes(struct judging *j)
{
	for (unsigned i = 0; i < j->s->count; i++) {
		const struct seen_box *b = &j->s->box[i];
		bool allowed = false, known = false;

		for (unsigned k = j->v->acked; k <= j->v->begun; k++)
			for (unsigned n = 0; n < j->w->want[k].count; n++)
				if (strcmp(j->w->want[k].box[n].name, b->name) == 0) {
					known = true;
					allowed = allowed || j->w->want[k].box[n].note == b->note;
				}
		if (known && !allowed)
			return wrong(j, "%s has the annotation %u", b->name, b->note);
	}
	return true;
}

bool
judge(const struct world *w, const struct verdict_of *v, char *why, size_t why_n)
{
	struct judging *j = must_alloc(sizeof(*j));
	bool ok;

	*j = (struct judging){ .w = w, .v = v, .s = &w->sh->seen, .why = why, .why_n = why_n };
	ok = judge_boxes(j) && judge_messages(j) && judge_numbers(j) && judge_subscriptions(j) && judge_notes(j);
	free(j);
	return ok;
}

bool
judge_same(const struct seen *a, const struct seen *b, char *why, size_t why_n)
{
	if (a->count != b->count)
		return snprintf(why, why_n, "%u mailboxes, then %u", a->count, b->count), false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct seen_box *x = &a->box[i], *y = seen_box(b, x->name);

		if (y == NULL || x->validity != y->validity || x->id != y->id || x->count != y->count || y->modseq < x->modseq ||
		    y->uidnext < x->uidnext || x->note != y->note)
			return snprintf(why, why_n, "%s: UIDVALIDITY %u, id %u, %u messages, UIDNEXT %u, MODSEQ %llu; "
			    "then %u, %u, %u, %u, %llu", x->name, x->validity, x->id, x->count, x->uidnext,
			    (unsigned long long)x->modseq, y == NULL ? 0 : y->validity, y == NULL ? 0 : y->id,
			    y == NULL ? 0 : y->count, y == NULL ? 0 : y->uidnext,
			    y == NULL ? 0 : (unsigned long long)y->modseq), false;
		for (unsigned k = 0; k < x->count; k++)
			if (x->m[k].uid != y->m[k].uid || x->m[k].number != y->m[k].number || x->m[k].flags != y->m[k].flags ||
			    x->m[k].keywords != y->m[k].keywords)
				return snprintf(why, why_n, "%s: UID %u number %u flags %x.%x, then %u %u %x.%x", x->name, x->m[k].uid,
				    x->m[k].number, x->m[k].flags, x->m[k].keywords, y->m[k].uid, y->m[k].number, y->m[k].flags,
				    y->m[k].keywords), false;
	}
	return true;
}
