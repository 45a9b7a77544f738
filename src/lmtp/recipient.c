/* SPDX-License-Identifier: MIT */
/*
 * Recipients where there are tables: an address of RCPT may be refused, thrown away, or lead to several ends, each of which is
 * delivered to on its own, with one answer for all of them.
 *
 * What can be known at RCPT is answered there, before anything is done.  Behind the message the answer is 250 when every end
 * has taken it; 4xx when one may still do so: what the others have done they know when the message comes again; 5xx with the
 * name of the end when one refuses it for good, whatever the others did.
 */
#include "lmtp/session.h"

#include <stdio.h>
#include "lib/log.h"

#define FAILURES_MAX 8000
#define LEGS_MAX 10000	/* ends of one transaction: a client with more recipients sends the rest in another */

/* The text behind the code: enhanced code, the address, what the table says. */
static void
put_reply(struct lmtp_session *l, const struct recipient_reply *reply, struct span address)
{
	stream_putf(l->s, "%u %s <%.*s> %.*s\r\n", reply->code, reply->status, SPAN_ARG(address), SPAN_ARG(reply->text));
}

/* Whether the entry decides that it is not to be; what it decides is logged with its place. */
static bool
is_refused(struct lmtp_session *l, const struct recipient_access_entry *en, const struct recipient_place *place, const char *what,
    struct span address, struct lmtp_fate *fate)
{
	static const char *const words[] = { [RECIPIENT_REJECT] = "is refused", [RECIPIENT_DISCARD] = "is discarded",
		[RECIPIENT_QUARANTINE] = "goes into quarantine" };

	if (en == NULL || en->verdict == RECIPIENT_OK || en->verdict == RECIPIENT_UNDECIDED)
		return false;
	log_info("%s <%.*s> from %.*s %s: %.*s line %u: %.*s", what, SPAN_ARG(address), SPAN_ARG(l->rip.n > 0 ? l->rip : SPAN("local")),
	    words[en->verdict], SPAN_ARG(place->path), place->line, SPAN_ARG(en->key));
	if (en->verdict == RECIPIENT_DISCARD) {
		fate->discard = true;
		return false;
	}
	if (en->verdict == RECIPIENT_QUARANTINE) {
		if (!fate->quarantine)
			fate->reason = en->reason;
		fate->quarantine = true;
		return false;
	}
	put_reply(l, &en->reply, address);
	return true;
}

static bool
is_usable(struct lmtp_session *l)
{
	if (recipient_tables_usable(l->o->recipients->tables))
		return true;
	lmtp_reply(l, "451 4.3.0 The tables of recipients can not be read now");
	return false;
}

bool
lmtp_recipient_refuses(struct lmtp_session *l, const struct smtp_path *sender)
{
	const struct recipient_expand_options *o = l->o->recipients;
	const struct recipient_access_entry *en;
	struct recipient_place place = { SPAN(""), 0 };

	if (!is_usable(l))
		return true;
	l->t.fate = (struct lmtp_fate){ .discard = false };
	en = recipient_tables_client(o->tables, span_str(l->client_name), l->rip, &place);
	if (is_refused(l, en, &place, "mail of", sender->text, &l->t.fate))
		return true;
	en = recipient_tables_address(o->tables, RECIPIENT_FROM, sender->local, sender->domain, o->delimiters, &place);
	return is_refused(l, en, &place, "mail of", sender->text, &l->t.fate);
}

/* One end into r, whose place in the transaction it is not yet.  False: no memory. */
static bool
take_leg(struct lmtp_session *l, struct lmtp_rcpt *r, const struct recipient_leg *leg)
{
	struct arena *a = l->t.arena;

	/* A bounce has no owner to go to: its sender stays nobody (RFC 5321 section 6.1). */
	if (leg->sender.p != NULL && r->sender.n > 0)
		r->sender = arena_dup(a, leg->sender);
	switch (leg->end) {
	case RECIPIENT_END_USER:
		r->leg = LMTP_LEG_USER;
		r->path.text = arena_dup(a, leg->text);
		r->path.local = arena_dup(a, leg->local);
		r->path.domain = arena_dup(a, leg->domain);
		return r->sender.p != NULL && r->path.text.p != NULL && r->path.local.p != NULL && r->path.domain.p != NULL;
	case RECIPIENT_END_REMOTE:
	case RECIPIENT_END_PROGRAM:
	case RECIPIENT_END_FILE: {
		struct recipient_leg *own = arena_alloc(a, 1, sizeof(*own));

		r->leg = LMTP_LEG_OUT;
		if (own == NULL)
			return false;
		*own = *leg;
		own->text = arena_dup(a, leg->text);
		r->out = own;
		return own->text.p != NULL;
	}
	case RECIPIENT_END_DISCARD:
		r->leg = LMTP_LEG_DISCARD;
		return true;
	case RECIPIENT_END_FAIL:
		r->leg = LMTP_LEG_FAIL;
		r->failed = leg->reply;
		r->failed.text = arena_dup(a, leg->reply.text);
		r->path.text = arena_dup(a, leg->text);
		return r->failed.text.p != NULL && r->path.text.p != NULL;
	}
	return false;
}

static void
set_failed(struct lmtp_rcpt *r, unsigned code, const char *status, const char *text)
{
	r->leg = LMTP_LEG_FAIL;
	r->failed.code = code;
	snprintf(r->failed.status, sizeof(r->failed.status), "%s", status);
	r->failed.text = span_str(text);
}

/* A user who is one of several: nobody by that name is a failure of this end alone. */
static enum lmtp_lookup
look_up_one(struct lmtp_session *l, struct lmtp_rcpt *r)
{
	enum lmtp_lookup found = lmtp_rcpt_look_up(l, r, false);

	if (found == LMTP_UNKNOWN)
		set_failed(r, 550, "5.1.1", "User doesn't exist");
	else if (found == LMTP_DISABLED)
		set_failed(r, 550, "5.2.1", "Mailbox is disabled");
	return found;
}

/* An end that an earlier RCPT leads to as well gets one message; two addresses of one user that no table changes get two. */
static void
find_same(const struct lmtp_transaction *t, struct lmtp_rcpt *r, bool changed)
{
	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct lmtp_rcpt *other = &t->rcpts[i];
		bool same = false;

		if (other->leg != r->leg || other->number == r->number || other->quarantined || r->quarantined)
			continue;
		if (r->leg == LMTP_LEG_USER)
			same = (changed || other->changed || lmtp_rcpt_is_twin(other, r)) && span_eq(other->user, r->user) &&
			    span_eq(other->detail, r->detail);
		else if (r->leg == LMTP_LEG_OUT)
			same = other->out->end == r->out->end && span_eq(other->out->text, r->out->text);
		if (same) {
			r->leg = LMTP_LEG_SAME;
			r->same = i;
			return;
		}
	}
}

/* That it can not be quarantined is nobody's fault but the server's: it comes again, and its sender hears nothing. */
static void
refuse_quarantined(struct lmtp_session *l, const struct lmtp_rcpt *r)
{
	log_error("<%.*s>: recipient_quarantine takes no mail now", SPAN_ARG(r->asked_for));
	stream_putf(l->s, "451 4.3.5 <%.*s> Temporary internal error\r\n", SPAN_ARG(r->asked_for));
}

/* The ends of one RCPT, which begin at rcpts[from], are all there.  What can not be helped later is told now. */
static void
finish(struct lmtp_session *l, size_t from)
{
	struct lmtp_transaction *t = &l->t;
	struct lmtp_rcpt *bad = NULL;
	size_t good = 0;

	for (size_t i = from; i < t->rcpt_count; i++) {
		struct lmtp_rcpt *r = &t->rcpts[i];

		r->once = t->rcpt_count - from > 1;
		if (r->leg != LMTP_LEG_FAIL)
			good++;
		else if (bad == NULL || r->failed.code < 500)
			bad = r;
	}
	if (bad != NULL && good == 0 && bad->quarantined) {
		refuse_quarantined(l, bad);
		t->rcpt_count = from;
		return;
	}
	/* What may work later must not keep others from it now, nor be done for them twice: all of it comes again. */
	if (bad != NULL && (good == 0 || bad->failed.code < 500)) {
		put_reply(l, &bad->failed, bad->asked_for);
		t->rcpt_count = from;
		return;
	}
	if (bad != NULL)
		log_warning("<%.*s>: <%.*s> gets nothing: %.*s", SPAN_ARG(bad->asked_for), SPAN_ARG(bad->path.text),
		    SPAN_ARG(bad->failed.text));
	t->numbers++;
	lmtp_reply(l, "250 2.1.5 OK");
}

static void
take_all(struct lmtp_session *l, struct lmtp_rcpt *r, const struct recipient_expansion *x)
{
	struct lmtp_transaction *t = &l->t;
	const struct lmtp_rcpt base = *r;
	size_t from = t->rcpt_count;

	for (size_t i = 0; i < x->leg_count; i++) {
		enum lmtp_lookup found = LMTP_FOUND;

		r = t->rcpt_count >= LEGS_MAX ? NULL : lmtp_rcpt_new(t);
		if (r != NULL) {
			*r = base;
			if (!take_leg(l, r, &x->legs[i]))
				r = NULL;
		}
		if (r == NULL) {
			t->rcpt_count = from;
			lmtp_reply(l, "452 4.5.3 Too many recipients");
			return;
		}
		if (r->leg == LMTP_LEG_USER && x->leg_count == 1)
			found = lmtp_rcpt_look_up(l, r, true);
		else if (r->leg == LMTP_LEG_USER)
			found = look_up_one(l, r);
		if (found != LMTP_FOUND && (x->leg_count == 1 || found == LMTP_TEMP)) {
			t->rcpt_count = from;
			if (r->quarantined)
				refuse_quarantined(l, r);
			else
				lmtp_rcpt_refuse(l, r, found);
			return;
		}
		r->changed = x->changed;
		find_same(t, r, x->changed);
		/* Of several ends some may be taken back yet: their servers are asked when the message is there. */
		if (x->leg_count == 1 && lmtp_rcpt_is_remote(r) &&
		    (found = l->backend->ask(l->backend->ctx, t, r)) != LMTP_FOUND) {
			t->rcpt_count = from;
			lmtp_rcpt_refuse(l, r, found);
			return;
		}
		t->rcpt_count++;
	}
	finish(l, from);
}

/* Somebody looks at it there, and needs to know for whom it was. */
static int
lead_to_quarantine(struct lmtp_session *l, struct lmtp_rcpt *r, const struct lmtp_fate *fate, struct err *e)
{
	struct span address = arena_dup(l->t.arena, l->o->recipients->quarantine);
	const char *why = "out of memory";

	if (address.p == NULL || smtp_address_parse(address, l->t.arena, &r->path, &why) == -1)
		return err_set(e, ERR_TEMP, "recipient_quarantine: %s", why);
	r->quarantined = true;
	r->reason = fate->reason;
	return 0;
}

void
lmtp_recipient_take(struct lmtp_session *l, struct lmtp_rcpt *r)
{
	const struct recipient_expand_options *o = l->o->recipients;
	const struct recipient_access_entry *en;
	struct recipient_place place = { SPAN(""), 0 };
	struct recipient_expansion x;
	struct err e = ERR_INIT;
	struct lmtp_fate fate = l->t.fate;

	if (!is_usable(l))
		return;
	en = recipient_tables_address(o->tables, RECIPIENT_TO, r->path.local, r->path.domain, o->delimiters, &place);
	if (is_refused(l, en, &place, "recipient", r->path.text, &fate))
		return;
	if (fate.discard) {
		r->leg = LMTP_LEG_DISCARD;
		l->t.rcpt_count++;
		l->t.numbers++;
		lmtp_reply(l, "250 2.1.5 OK");
		return;
	}
	if (fate.quarantine && lead_to_quarantine(l, r, &fate, &e) == -1) {
		log_error("<%.*s>: %s", SPAN_ARG(r->asked_for), e.log);
		stream_putf(l->s, "451 4.3.5 <%.*s> Temporary internal error\r\n", SPAN_ARG(r->asked_for));
		return;
	}
	if (recipient_expand(o, &r->path, l->t.arena, &x, &e) == -1) {
		log_error("<%.*s>: %s", SPAN_ARG(r->path.text), e.log);
		stream_putf(l->s, "451 4.3.0 <%.*s> Temporary internal error\r\n", SPAN_ARG(r->path.text));
		return;
	}
	if (x.changed)
		log_info("<%.*s> leads to %zu (%.*s line %u)", SPAN_ARG(r->path.text), x.leg_count, SPAN_ARG(x.legs[0].place.path),
		    x.legs[0].place.line);
	take_all(l, r, &x);
}

/* What an end that the backend has nothing to do with says for itself. */
static void
settle(const struct lmtp_session *l, struct lmtp_rcpt *r)
{
	if (r->leg == LMTP_LEG_DISCARD && r->code == 451) {
		r->code = 250;
		snprintf(r->reply, sizeof(r->reply), "2.0.0 <%.*s> %s Taken", SPAN_ARG(span_sub(r->asked_for, 0, 150)), l->t.session);
	} else if (r->leg == LMTP_LEG_SAME) {
		const struct lmtp_rcpt *other = &l->t.rcpts[r->same];

		r->code = other->code;
		memcpy(r->reply, other->reply, sizeof(r->reply));
	} else if (r->leg == LMTP_LEG_FAIL) {
		r->code = r->failed.code;
		snprintf(r->reply, sizeof(r->reply), "%s <%.*s> %.*s", r->failed.status, SPAN_ARG(span_sub(r->path.text, 0, 80)),
		    SPAN_ARG(r->failed.text));
	}
}

/* The owner of the address that led to these, and what has failed of them; false: nobody is to be told. */
static bool
failures(const struct lmtp_session *l, size_t from, size_t end, struct span *owner, struct buf *text)
{
	const struct lmtp_rcpt *r = l->t.rcpts;
	bool any = false;

	*owner = SPAN_NONE;
	for (size_t i = from; i < end; i++) {
		if (r[i].code >= 400 && r[i].code < 500)
			return false;	/* it all comes again */
		if (r[i].code < 500)
			continue;
		if (span_eq(r[i].sender, l->t.sender.text) || r[i].sender.n == 0)
			return false;	/* of this one the sender must know */
		*owner = r[i].sender;
		any = true;
		if (text->max - text->n > 400)
			buf_addf(text, "%u %s\n", r[i].code, r[i].reply);
	}
	return any;
}

void
lmtp_recipient_tell_owners(struct lmtp_session *l, int fd)
{
	struct lmtp_transaction *t = &l->t;

	for (size_t i = 0, end; i < t->rcpt_count; i = end) {
		struct buf text = BUF_INIT(FAILURES_MAX);
		struct span owner;

		for (end = i + 1; end < t->rcpt_count && t->rcpts[end].number == t->rcpts[i].number; end++)
			;
		for (size_t k = i; k < end; k++)
			settle(l, &t->rcpts[k]);
		if (end - i > 1 && l->backend->tell_owner != NULL && failures(l, i, end, &owner, &text) &&
		    l->backend->tell_owner(l->backend->ctx, t, i, owner, buf_span(&text), fd) == 0)
			for (size_t k = i; k < end; k++)
				t->rcpts[k].told = t->rcpts[k].code >= 500;
		buf_clear(&text);
	}
}

void
lmtp_recipient_answer(struct lmtp_session *l, size_t from, size_t end)
{
	struct lmtp_rcpt *r = &l->t.rcpts[from], *worst = NULL;

	for (size_t i = from; i < end; i++) {
		struct lmtp_rcpt *one = &l->t.rcpts[i];

		settle(l, one);
		if (one->code < 300 || one->told)
			continue;
		if (worst == NULL || (worst->code >= 500 && one->code < 500))
			worst = one;
	}
	if (worst != NULL)
		r = worst;
	if (worst != NULL || end - from == 1)
		stream_putf(l->s, "%u %s\r\n", r->code, r->reply);
	else
		stream_putf(l->s, "250 2.0.0 <%.*s> %s Saved for %zu\r\n", SPAN_ARG(span_sub(r->asked_for, 0, 150)), l->t.session,
		    end - from);
}
