/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/expand.h"

#include <stdio.h>
#include "lib/array.h"
#include "lib/hash.h"
#include "lib/sys.h"

#define STEPS_MAX 10000
#define LOOP_TEXT "The address leads back to itself"
#define DEPTH_MOST 100		/* whatever the setting says: it is the depth of a recursion */

/* An address that is being looked for, and those that led to it. */
struct chain {
	const struct chain *before;
	struct span key, text, local, domain;
	bool by_alias;			/* what it leads to is an alias's */
};

/* How an address was come by. */
struct origin {
	const struct chain *chain;	/* NULL: it is the recipient */
	unsigned depth;
	struct span sender;
	struct recipient_place place;
	bool included;			/* from an included file: addresses alone */
};

struct work {
	const struct recipient_expand_options *o;
	struct arena *a;
	struct hash *seen;
	struct array legs, steps;
	struct span rcpt_domain;
	struct recipient_expansion *out;
	struct err *e;
};

static int expand_target(struct work *w, const struct recipient_target *t, const struct origin *from);

static void
step(struct work *w, const struct origin *from, struct span address, const struct recipient_place *place, const char *what)
{
	struct recipient_step *s = w->o->explain ? array_push(&w->steps) : NULL;

	if (s == NULL)
		return;
	s->depth = from->depth;
	s->address = address;
	s->what = span_str(what);
	if (place != NULL)
		s->place = *place;
}

static struct recipient_leg *
leg(struct work *w, enum recipient_end end, struct span text, const struct origin *from)
{
	struct recipient_leg *l = array_push(&w->legs);

	if (l == NULL) {
		err_set(w->e, ERR_LIMIT, "more than %zu targets", w->o->max_targets);
		return NULL;
	}
	l->end = end;
	l->text = text;
	l->sender = from->sender;
	l->place = from->place;
	return l;
}

static int
fail(struct work *w, struct span text, const struct origin *from, unsigned code, const char *status, const char *why)
{
	struct recipient_leg *l = leg(w, RECIPIENT_END_FAIL, text, from);

	if (l == NULL)
		return -1;
	l->reply.code = code;
	snprintf(l->reply.status, sizeof(l->reply.status), "%s", status);
	l->reply.text = span_str(why);
	step(w, from, text, NULL, why);
	return 0;
}

/* 1 once for each text, then 0; -1: there are too many. */
static int
note(struct work *w, struct span text)
{
	if (text.p == NULL)
		return err_set(w->e, ERR_TEMP, "out of memory");
	if (hash_get(w->seen, text) != NULL)
		return 0;
	return hash_set(w->seen, text, w) ? 1 : err_set(w->e, ERR_LIMIT, "it leads to too many addresses");
}

/* The same of what text stands for; what came before is a step of the explanation. */
static int
note_step(struct work *w, struct span key, const struct origin *from, struct span text)
{
	int rc = note(w, key);

	if (rc == 0)
		step(w, from, text, NULL, "is among them already");
	return rc;
}

/* Whether users of that domain are here. */
static bool
is_ours(const struct work *w, struct span domain)
{
	struct span rest = w->o->domains, word;

	if (domain.n == 0 || span_ieq(domain, w->rcpt_domain) || span_ieq(domain, w->o->hostname) || span_ieq(domain, SPAN("localhost")))
		return true;
	while (set_list_next(&rest, &word))
		if (span_ieq(word, domain))
			return true;
	return false;
}

/* Whether aliases are for it: where no domains are named they are for all that is here. */
static bool
has_aliases(const struct work *w, struct span domain)
{
	struct span rest = w->o->domains, word;

	if (domain.n == 0 || w->o->domains.n == 0)
		return is_ours(w, domain);
	while (set_list_next(&rest, &word))
		if (span_ieq(word, domain))
			return true;
	return span_ieq(domain, w->o->hostname) || span_ieq(domain, SPAN("localhost"));
}

/* Names that belong to a list, where - ends the user: mail for list-request is not for the list (as Postfix has it). */
static bool
is_whole(struct span local, char delimiter)
{
	static const struct span owner = { "owner-", 6 }, request = { "-request", 8 };

	return delimiter == '-' && (span_istarts(local, owner) ||
	    (local.n > request.n && span_ieq(span_from(local, local.n - request.n), request)));
}

/* user+detail, user+*, user. */
static const struct recipient_alias *
find_alias(struct work *w, struct span local, struct span *name_out, struct recipient_place *place)
{
	const struct recipient_alias *alias = recipient_tables_alias(w->o->tables, local, place);
	struct span user, detail;
	char *wild;

	*name_out = local;
	if (alias != NULL || !smtp_detail_split(local, w->o->delimiters, &user, &detail) || is_whole(local, local.p[user.n]))
		return alias;
	wild = arena_printf(w->a, "%.*s%c*", SPAN_ARG(user), local.p[user.n]);
	alias = wild == NULL ? NULL : recipient_tables_alias(w->o->tables, span_str(wild), place);
	*name_out = user;
	return alias != NULL ? alias : recipient_tables_alias(w->o->tables, user, place);
}

/* Who is told of failures from here on: what owner-NAME leads to where that is one address, or itself (as sendmail does). */
static struct span
owner_of(struct work *w, struct span name, struct span domain)
{
	const struct recipient_alias *owner;
	struct recipient_place place;
	char *text = span_istarts(name, SPAN("owner-")) ? arena_printf(w->a, "owner-owner") :
	    arena_printf(w->a, "owner-%.*s", SPAN_ARG(name));
	struct span local = text == NULL ? SPAN_NONE : recipient_lower(span_str(text), w->a);

	owner = local.p == NULL ? NULL : recipient_tables_alias(w->o->tables, local, &place);
	if (owner == NULL)
		return SPAN_NONE;
	if (owner->targets.count == 1 && owner->targets.list[0].kind <= RECIPIENT_USER) {
		const struct recipient_target *t = &owner->targets.list[0];

		local = t->local;
		if (t->domain.n > 0)
			domain = t->domain;
	}
	if (domain.n == 0)
		domain = w->rcpt_domain.n > 0 ? w->rcpt_domain : w->o->hostname;
	return recipient_address_text(local, domain, w->a);
}

static struct span
key_of(struct work *w, struct span local, struct span domain)
{
	char *text = arena_printf(w->a, "%.*s@%.*s", SPAN_ARG(local), SPAN_ARG(domain));
	struct span key = span_str(text);

	for (size_t i = 0; i < key.n; i++)
		text[i] = ascii_lower(text[i]);
	return key;
}

static int
end_at(struct work *w, struct span text, struct span local, struct span domain, const struct origin *from)
{
	/* The recipient was handed over for a user of ours, whatever its domain. */
	bool ours = from->depth == 0 || is_ours(w, domain);
	int fresh = note_step(w, span_str(arena_printf(w->a, "=%.*s", SPAN_ARG(key_of(w, local, domain)))), from, text);
	struct recipient_leg *l;

	if (fresh != 1)
		return fresh;
	l = leg(w, ours ? RECIPIENT_END_USER : RECIPIENT_END_REMOTE, text, from);
	if (l == NULL)
		return -1;
	l->local = local;
	l->domain = domain;
	step(w, from, text, NULL, ours ? "a user here" : "an address elsewhere: passed on");
	return 0;
}

static int
expand_list(struct work *w, const struct recipient_targets *list, const struct origin *from)
{
	for (size_t i = 0; i < list->count; i++)
		if (expand_target(w, &list->list[i], from) == -1)
			return -1;
	return 0;
}

static int
expand_virtual(struct work *w, const struct recipient_virtual_match *m, const struct origin *from, bool *itself)
{
	for (size_t i = 0; i < m->entry->targets.count; i++) {
		struct recipient_target t;

		if (!recipient_virtual_target(m, i, w->a, &t)) {
			if (fail(w, m->entry->targets.list[i].text, from, 550, "5.1.3", "The address that this leads to is none") == -1)
				return -1;
			continue;
		}
		if (t.kind == RECIPIENT_ADDRESS && span_eq(key_of(w, t.local, t.domain), from->chain->key))
			*itself = true;
		else if (expand_target(w, &t, from) == -1)
			return -1;
	}
	return 0;
}

/* What an address leads to, which nobody has looked for before. */
static int
look_up(struct work *w, struct span text, struct span local, struct span domain, const struct origin *from, struct chain *chain)
{
	struct origin next = { .chain = chain, .depth = from->depth + 1, .sender = from->sender, .included = false };
	struct recipient_virtual_match m;
	const struct recipient_alias *alias;
	struct span name, owner;
	bool itself = false;

	if (domain.n > 0 &&
	    recipient_tables_virtual(w->o->tables, local, domain, w->o->delimiters, has_aliases(w, domain), &m, &next.place)) {
		step(w, from, text, &next.place, "virtual");
		w->out->changed = true;
		if (expand_virtual(w, &m, &next, &itself) == -1)
			return -1;
		/* It stands in its own list: there the search goes on as if this table were not there. */
		if (!itself)
			return 0;
	}
	alias = has_aliases(w, domain) ? find_alias(w, local, &name, &next.place) : NULL;
	if (alias == NULL)
		return end_at(w, text, local, domain, from);
	step(w, from, text, &next.place, "alias");
	w->out->changed = true;
	chain->by_alias = true;
	owner = owner_of(w, name, domain);
	if (owner.p != NULL) {
		next.sender = owner;
		step(w, &next, owner, &next.place, "the sender of the envelope from here on (owner-)");
	}
	return expand_list(w, &alias->targets, &next);
}

static const struct chain *
find_in(const struct chain *c, struct span key)
{
	while (c != NULL && !span_eq(c->key, key))
		c = c->before;
	return c;
}

/* An address leads back to first, which led to it: those on the way may be users. */
static int
loop(struct work *w, const struct chain *first, struct span text, const struct origin *from)
{
	struct smtp_path *users;
	struct recipient_leg *l;
	size_t count = 1, n = 0;

	for (const struct chain *c = from->chain; c != first; c = c->before)
		count++;
	users = arena_alloc(w->a, count, sizeof(*users));
	if (users == NULL)
		return err_set(w->e, ERR_TEMP, "out of memory");
	/* From the last one to the first; asked for the other way round. */
	for (const struct chain *c = from->chain; count > 0; c = c->before) {
		count--;
		if (c->before == NULL || is_ours(w, c->domain))
			users[n++] = (struct smtp_path){ c->text, c->local, c->domain };
	}
	for (size_t i = 0; i < n / 2; i++) {
		struct smtp_path other = users[i];

		users[i] = users[n - 1 - i];
		users[n - 1 - i] = other;
	}
	if (n == 0)
		return fail(w, text, from, 554, "5.4.6", LOOP_TEXT);
	l = leg(w, RECIPIENT_END_LOOP, text, from);
	if (l == NULL)
		return -1;
	l->reply = (struct recipient_reply){ .code = 554, .status = "5.4.6", .text = SPAN(LOOP_TEXT) };
	l->users = users;
	l->user_count = n;
	step(w, from, text, NULL, "leads back: whoever on the way is a user has it");
	return 0;
}

static int
expand_address(struct work *w, struct span text, struct span local, struct span domain, const struct origin *from)
{
	struct chain chain = { from->chain, key_of(w, local, domain), text, local, domain, false };
	const struct chain *first;
	int fresh;

	if (chain.key.p == NULL)
		return err_set(w->e, ERR_TEMP, "out of memory");
	first = find_in(from->chain, chain.key);
	if (first != NULL)
		return loop(w, first, text, from);
	if (from->depth > w->o->max_depth || from->depth > DEPTH_MOST)
		return fail(w, text, from, 554, "5.4.6", "Too many addresses lead from one to the next");
	fresh = note_step(w, chain.key, from, text);
	return fresh == 1 ? look_up(w, text, local, domain, from, &chain) : fresh;
}

static int
expand_include(struct work *w, const struct recipient_target *t, const struct origin *from)
{
	const struct recipient_targets *list = recipient_tables_include(w->o->tables, t->text);
	struct origin next = *from;
	int fresh = note_step(w, span_str(arena_printf(w->a, ":include:%.*s", SPAN_ARG(t->text))), from, t->text);

	if (fresh != 1)
		return fresh;
	if (list == NULL)
		return fail(w, t->text, from, 451, "4.3.0", "The list can not be read now");
	if (from->depth > w->o->max_depth || from->depth > DEPTH_MOST)
		return fail(w, t->text, from, 554, "5.4.6", "Too many addresses lead from one to the next");
	next.place = (struct recipient_place){ t->text, 0 };
	step(w, from, t->text, &next.place, "included");
	next.depth++;
	next.included = true;
	return expand_list(w, list, &next);
}

/* A program or a file. */
static int
expand_special(struct work *w, const struct recipient_target *t, const struct origin *from)
{
	bool file = t->kind == RECIPIENT_FILE;
	int fresh;

	if (file && span_eq(t->text, SPAN("/dev/null"))) {
		step(w, from, t->text, NULL, "thrown away");
		return leg(w, RECIPIENT_END_DISCARD, t->text, from) == NULL ? -1 : 0;
	}
	if (from->included)
		return fail(w, t->text, from, 550, "5.7.1", "An included list may have addresses alone");
	if (file ? !w->o->files : !w->o->programs)
		return fail(w, t->text, from, 550, "5.7.1", file ? "Mail to files is switched off" : "Mail to programs is switched off");
	fresh = note_step(w, span_str(arena_printf(w->a, "%c%.*s", file ? '/' : '|', SPAN_ARG(t->text))), from, t->text);
	if (fresh != 1)
		return fresh;
	step(w, from, t->text, NULL, file ? "a file" : "a program");
	return leg(w, file ? RECIPIENT_END_FILE : RECIPIENT_END_PROGRAM, t->text, from) == NULL ? -1 : 0;
}

/* "bob: bob, alice": the mailbox that the mail was for. */
static bool
is_itself(struct work *w, const struct recipient_target *t, const struct chain *parent)
{
	if (t->kind > RECIPIENT_USER || !parent->by_alias || !span_ieq(t->local, parent->local))
		return false;
	return t->domain.n == 0 || span_ieq(t->domain, parent->domain) || (has_aliases(w, t->domain) && parent->domain.n == 0);
}

static int
expand_target(struct work *w, const struct recipient_target *t, const struct origin *from)
{
	struct origin here = *from;
	struct recipient_leg *l;
	bool itself = is_itself(w, t, from->chain);

	here.place.line = t->line;
	switch (t->kind) {
	case RECIPIENT_ADDRESS:
		if (itself)
			return end_at(w, from->chain->text, from->chain->local, from->chain->domain, &here);
		return expand_address(w, t->text, t->local, t->domain, &here);
	case RECIPIENT_USER:
		if (itself)
			return end_at(w, from->chain->text, from->chain->local, from->chain->domain, &here);
		return end_at(w, t->text, t->local, t->domain, &here);
	case RECIPIENT_PROGRAM:
	case RECIPIENT_FILE:
		return expand_special(w, t, &here);
	case RECIPIENT_INCLUDE:
		return expand_include(w, t, &here);
	case RECIPIENT_ERROR:
		break;
	}
	l = leg(w, RECIPIENT_END_FAIL, t->text, &here);
	if (l == NULL)
		return -1;
	l->reply = t->reply;
	if (l->reply.text.n == 0)
		l->reply.text = SPAN("Mail to this address is refused");
	step(w, &here, t->text, NULL, "refused");
	return 0;
}

bool
recipient_user_may_act(const struct set_view *view)
{
	return set_str(view, SET_recipient_user).n > 0;
}

void
recipient_expand_settings(const struct set_view *view, const struct recipient_tables *t, struct recipient_expand_options *out)
{
	*out = (struct recipient_expand_options){
		.tables = t,
		.delimiters = set_str(view, SET_recipient_delimiter),
		.domains = set_str(view, SET_recipient_domains),
		.hostname = set_str(view, SET_hostname),
		.quarantine = set_str(view, SET_recipient_quarantine),
		.max_depth = (size_t)set_num(view, SET_recipient_max_depth),
		.max_targets = (size_t)set_num(view, SET_recipient_max_targets),
		.files = recipient_user_may_act(view) && set_bool(view, SET_recipient_files),
		.programs = recipient_user_may_act(view) && set_str(view, SET_recipient_program_dir).n > 0,
	};
	if (out->hostname.n == 0)
		out->hostname = span_str(host_name());
}

int
recipient_expand(const struct recipient_expand_options *o, const struct smtp_path *rcpt, struct arena *a,
    struct recipient_expansion *out, struct err *e)
{
	struct work w = { .o = o, .a = a, .rcpt_domain = rcpt->domain, .out = out, .e = e,
		.legs = ARRAY_INIT(struct recipient_leg, o->max_targets), .steps = ARRAY_INIT(struct recipient_step, STEPS_MAX),
		/* More addresses lead to the ends than there are ends. */
		.seen = hash_new(o->max_targets * 4 + 100) };
	const struct origin from = { .sender = SPAN_NONE, .place = { SPAN(""), 0 } };
	int rc;

	*out = (struct recipient_expansion){ .legs = NULL };
	rc = w.seen == NULL ? err_set(e, ERR_TEMP, "out of memory") : expand_address(&w, rcpt->text, rcpt->local, rcpt->domain, &from);
	if (rc == 0 && w.legs.n == 0)
		rc = fail(&w, rcpt->text, &from, 550, "5.1.1", "The address leads to nobody");
	if (rc == 0) {
		out->legs = arena_alloc(a, w.legs.n, sizeof(*out->legs));
		out->steps = arena_alloc(a, w.steps.n + 1, sizeof(*out->steps));
		if (out->legs == NULL || out->steps == NULL)
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	if (rc == 0) {
		out->leg_count = w.legs.n;
		memcpy(out->legs, w.legs.p, w.legs.n * sizeof(*out->legs));
		out->step_count = w.steps.n;
		if (w.steps.n > 0)
			memcpy(out->steps, w.steps.p, w.steps.n * sizeof(*out->steps));
	}
	array_clear(&w.legs);
	array_clear(&w.steps);
	hash_free(w.seen);
	return rc;
}
