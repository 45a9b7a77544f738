/* SPDX-License-Identifier: MIT */
#include "adm/replay.h"

#include <stdio.h>
#include "lib/hash.h"
#include "lib-mail/header.h"
#include "lib-storage/mailbox.h"

#define TEXT_MAX ((size_t)65536)
#define FIELDS_MAX 5000		/* of a header that are compared */
#define FIELD_OCTETS ((size_t)1 << 20)
#define FIELDS_SHOWN 10
#define FIELD_SHOWN 100		/* octets */
#define VALUE_MAX 300		/* octets of a name or an address that are shown */

static const struct {
	unsigned flag;
	const char *name;
} names[] = {
	{ MSG_ANSWERED, "\\Answered" }, { MSG_FLAGGED, "\\Flagged" }, { MSG_DELETED, "\\Deleted" }, { MSG_SEEN, "\\Seen" },
	{ MSG_DRAFT, "\\Draft" }, { MSG_PASSED, "$Forwarded" },
};

static bool
has_keyword(const struct replay_flags *f, struct span name)
{
	for (size_t i = 0; i < f->keyword_count; i++)
		if (span_ieq(f->keywords[i], name))
			return true;
	return false;
}

struct span
replay_flag_words(const struct replay_flags *f, struct arena *a)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct span out;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((f->flags & names[i].flag) != 0)
			buf_addf(&text, "%s ", names[i].name);
	for (size_t i = 0; i < f->keyword_count; i++)
		buf_addf(&text, "%.*s ", SPAN_ARG(f->keywords[i]));
	out = arena_dup(a, span_trim(buf_span(&text)));
	buf_clear(&text);
	return out;
}

/* The filter's flags as the storage has them: $Forwarded is a bit there. */
static bool
take_flags(const struct filter_flags *from, struct arena *a, struct replay_flags *out)
{
	*out = (struct replay_flags){ .flags = from->flags };
	out->keywords = arena_alloc(a, from->keyword_count + 1, sizeof(*out->keywords));
	if (out->keywords == NULL)
		return false;
	for (size_t i = 0; i < from->keyword_count; i++) {
		if (span_ieq(from->keywords[i], SPAN("$Forwarded")))
			out->flags |= MSG_PASSED;
		else if (!has_keyword(out, from->keywords[i]))
			out->keywords[out->keyword_count++] = from->keywords[i];
	}
	return true;
}

/* "+a -b"; nothing where they are the same. */
static void
put_difference(struct buf *out, const struct replay_flags *was, const struct replay_flags *is)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((was->flags & names[i].flag) != (is->flags & names[i].flag))
			buf_addf(&text, " %c%s", (is->flags & names[i].flag) != 0 ? '+' : '-', names[i].name);
	for (size_t i = 0; i < is->keyword_count; i++)
		if (!has_keyword(was, is->keywords[i]))
			buf_addf(&text, " +%.*s", SPAN_ARG(is->keywords[i]));
	for (size_t i = 0; i < was->keyword_count; i++)
		if (!has_keyword(is, was->keywords[i]))
			buf_addf(&text, " -%.*s", SPAN_ARG(was->keywords[i]));
	if (text.n > 0)
		buf_addf(out, "%sflags", out->n > 0 ? ", " : "");
	buf_add(out, buf_span(&text));
	buf_clear(&text);
}

struct planner {
	const struct replay_at *at;
	const struct replay_host *host;
	struct arena *a;
	struct replay_plan *plan;
	struct buf notes;		/* of what is done besides saving */
};

static void
note(struct planner *p, const char *what, struct span value)
{
	buf_addf(&p->notes, "%s%s%.*s%s", p->notes.n > 0 ? "; " : "", what, SPAN_ARG(span_sub(value, 0, VALUE_MAX)),
	    span_ends(span_str(what), SPAN("<")) ? ">" : "");
}

/* The next field as a line; what makes no sense as one is passed over. */
static bool
next_line(struct header_iter *it, struct buf *line)
{
	struct header_field f;

	while (header_next(it, &f)) {
		if (f.name.n == 0)
			continue;
		buf_reset(line);
		buf_addf(line, "%.*s: ", SPAN_ARG(f.name));
		header_unfold(line, f.value);
		return true;
	}
	return false;
}

/* The fields of `of' that are not in `in', which may have the same one several times. */
static void
put_fields(char sign, struct span of, struct span in, struct buf *out)
{
	struct hash *counts = hash_new(FIELDS_MAX);
	struct buf line = BUF_INIT(FIELD_OCTETS);
	struct header_iter it;
	size_t more = 0;
	void **count;

	header_begin(&it, in, FIELDS_MAX, FIELD_OCTETS);
	while (counts != NULL && next_line(&it, &line) && (count = hash_slot(counts, buf_span(&line))) != NULL)
		*count = (void *)((uintptr_t)*count + 1);
	header_begin(&it, of, FIELDS_MAX, FIELD_OCTETS);
	while (counts != NULL && next_line(&it, &line)) {
		uintptr_t left = (uintptr_t)hash_get(counts, buf_span(&line));

		if (left > 0 && (count = hash_slot(counts, buf_span(&line))) != NULL)
			*count = (void *)(left - 1);
		else if (more++ < FIELDS_SHOWN)
			buf_addf(out, " %c%.*s", sign, SPAN_ARG(span_sub(buf_span(&line), 0, FIELD_SHOWN)));
	}
	if (more > FIELDS_SHOWN)
		buf_addf(out, " %c%zu more", sign, more - FIELDS_SHOWN);
	hash_free(counts);
	buf_clear(&line);
}

/* Whether they differ in more than how lines end: recipes have LF. */
static bool
differ(struct span x, struct span y)
{
	size_t i = 0, k = 0;

	while (i < x.n && k < y.n) {
		i += x.p[i] == '\r' && i + 1 < x.n && x.p[i + 1] == '\n';
		k += y.p[k] == '\r' && k + 1 < y.n && y.p[k + 1] == '\n';
		if (x.p[i++] != y.p[k++])
			return true;
	}
	return i < x.n || k < y.n;
}

static void
note_changes(struct planner *p, struct span now)
{
	struct span was = p->at->text;
	size_t was_n = header_size(was), now_n = header_size(now);
	struct buf fields = BUF_INIT(TEXT_MAX);

	put_fields('-', span_sub(was, 0, was_n), span_sub(now, 0, now_n), &fields);
	put_fields('+', span_sub(now, 0, now_n), span_sub(was, 0, was_n), &fields);
	if (fields.n > 0)
		buf_addf(&p->notes, "%sheader%.*s", p->notes.n > 0 ? "; " : "", SPAN_ARG(buf_span(&fields)));
	if (fields.n == 0 || differ(span_from(was, was_n), span_from(now, now_n)))
		note(p, "its text changed", SPAN(""));
	buf_clear(&fields);
}

/* The same mailbox twice is one place: the later flags count, as they would where a message is flagged twice. */
static bool
add_place(struct planner *p, struct span mailbox, bool make, const struct filter_action *x)
{
	bool here = span_eq(mailbox, p->at->mailbox);
	struct replay_place **at = &p->plan->places, *place;

	while (*at != NULL && !span_eq((*at)->mailbox, mailbox))
		at = &(*at)->next;
	if (*at == NULL) {
		place = arena_alloc(p->a, 1, sizeof(*place));
		if (place == NULL)
			return false;
		*place = (struct replay_place){ .mailbox = mailbox, .here = here, .make = make };
		*at = place;
	}
	place = *at;
	p->plan->stays |= here;
	place->set_flags |= x->flags.given;
	return !x->flags.given || take_flags(&x->flags, p->a, &place->flags);
}

static bool
save(struct planner *p, const struct filter_action *x)
{
	struct span name = p->host->keep.n > 0 ? p->host->keep : p->at->mailbox;
	bool make = false;

	if (x->own) {
		note(p, "copy of an answer to ", x->target);
		return true;
	}
	if (!x->keep && !p->host->place(p->host->ctx, x, &name, &make)) {
		/* A delivery would take INBOX; what lies somewhere already is better off where it is. */
		note(p, "there is no mailbox ", x->target);
		name = p->at->mailbox;
	}
	if (x->message.p != NULL)
		note_changes(p, x->message);
	return add_place(p, name, make, x);
}

static bool
action(struct planner *p, const struct filter_action *x)
{
	char what[64];

	switch (x->kind) {
	case FILTER_SAVE:
		return save(p, x);
	case FILTER_REDIRECT:
		note(p, "redirected to <", x->target);
		break;
	case FILTER_REJECT:
		note(p, x->quiet_bounce ? "refused: " : "rejected: ", span_sub(x->text, 0, span_chr(x->text, '\n')));
		break;
	case FILTER_SEND:
	case FILTER_ANSWER:
		snprintf(what, sizeof(what), "%s to <", x->verb == NULL ? "message" : x->verb);
		note(p, what, x->target);
		break;
	case FILTER_PIPE:
		note(p, x->verb != NULL && strcmp(x->verb, "program") == 0 ? "not run: " : "piped to ", x->target);
		break;
	case FILTER_FILE:
		note(p, "written to ", x->target);
		break;
	case FILTER_MARK:
	case FILTER_DISCARD:
		break;
	}
	return true;
}

static bool
add_rules(struct planner *p, const struct filter_action *actions)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	for (const struct filter_action *x = actions; x != NULL; x = x->next)
		if (x->line > 0 && x->kind != FILTER_MARK && (x->kind != FILTER_DISCARD || p->plan->places == NULL)) {
			struct buf one = BUF_INIT(TEXT_MAX);

			filter_action_where(&one, x);
			if (!span_ends(buf_span(&text), buf_span(&one)))	/* it was told just now */
				buf_addf(&text, "%s%.*s", text.n > 0 ? "; " : "", SPAN_ARG(buf_span(&one)));
			buf_clear(&one);
		}
	p->plan->rules = arena_dup(p->a, buf_span(&text));
	buf_clear(&text);
	return p->plan->rules.p != NULL;
}

/* A place that takes the message from where it is comes first. */
static void
put_places(struct planner *p, struct buf *out)
{
	bool moved = p->plan->stays;

	for (struct replay_place *x = p->plan->places; x != NULL; x = x->next) {
		struct buf one = BUF_INIT(TEXT_MAX);

		x->there = !x->here && moved && !x->make && p->host->has != NULL && p->host->has(p->host->ctx, x->mailbox);
		if (x->there)
			continue;
		if (!x->here) {
			buf_addf(&one, "%s to %.*s%s", moved ? "copied" : "moved", SPAN_ARG(x->mailbox), x->make ? " (made)" : "");
			moved = true;
		}
		if (x->set_flags)
			put_difference(&one, &p->at->flags, &x->flags);
		if (one.n > 0 && out->n > 0)
			buf_adds(out, "; ");
		buf_add(out, buf_span(&one));
		buf_clear(&one);
	}
}

bool
replay_plan(const struct filter_action *actions, const struct replay_at *at, const struct replay_host *host, struct arena *a,
    struct replay_plan *out)
{
	struct planner p = { .at = at, .host = host, .a = a, .plan = out, .notes = BUF_INIT(TEXT_MAX) };
	struct buf text = BUF_INIT(TEXT_MAX);
	bool ok = true;

	*out = (struct replay_plan){ .places = NULL };
	for (const struct filter_action *x = actions; x != NULL && ok; x = x->next)
		ok = action(&p, x);
	put_places(&p, &text);
	out->changes = text.n > 0 || p.notes.n > 0 || out->places == NULL;
	if (out->places == NULL)
		buf_adds(&text, p.notes.n > 0 ? "not kept" : "discarded");
	else if (text.n == 0)
		buf_adds(&text, "kept");
	if (p.notes.n > 0)
		buf_addf(&text, "; %.*s", SPAN_ARG(buf_span(&p.notes)));
	out->what = arena_dup(a, buf_span(&text));
	ok = ok && out->what.p != NULL && add_rules(&p, actions);
	buf_clear(&p.notes);
	buf_clear(&text);
	return ok;
}
