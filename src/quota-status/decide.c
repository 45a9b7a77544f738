/* SPDX-License-Identifier: MIT */
#include "quota-status/decide.h"

/* POLICY_ASK: nothing in the way. */
static enum policy_decision
judge(const struct recipient_access_entry *en, struct policy_answer *out)
{
	if (en == NULL || en->verdict == RECIPIENT_OK || en->verdict == RECIPIENT_UNDECIDED)
		return POLICY_ASK;
	/* It is taken, and thrown away when it comes, or put somewhere else: for who is full as well. */
	if (en->verdict == RECIPIENT_DISCARD || en->verdict == RECIPIENT_QUARANTINE)
		return POLICY_PASS;
	out->reply = en->reply;
	return POLICY_REFUSE;
}

/* In the order in which they are asked at MAIL and RCPT: who throws away leaves the word to who refuses. */
static enum policy_decision
ask_access(const struct recipient_expand_options *o, const struct policy_request *r, const struct smtp_path *rcpt, struct arena *a,
    struct policy_answer *out)
{
	struct smtp_path sender = { SPAN(""), SPAN(""), SPAN("") };
	struct recipient_place place;
	enum policy_decision client, from = POLICY_ASK, to;
	const char *why;

	client = judge(recipient_tables_client(o->tables, r->client_name, r->client_address, &place), out);
	if (client == POLICY_REFUSE)
		return client;
	if (r->has_sender && (r->sender.n == 0 || smtp_address_parse(r->sender, a, &sender, &why) == 0))
		from = judge(recipient_tables_address(o->tables, RECIPIENT_FROM, sender.local, sender.domain, o->delimiters, &place), out);
	if (from == POLICY_REFUSE)
		return from;
	to = judge(recipient_tables_address(o->tables, RECIPIENT_TO, rcpt->local, rcpt->domain, o->delimiters, &place), out);
	if (to != POLICY_ASK)
		return to;
	return client == POLICY_PASS || from == POLICY_PASS ? POLICY_PASS : POLICY_ASK;
}

/* As LMTP answers a RCPT: what may work later before all, and what fails for good when nothing else is left. */
static enum policy_decision
judge_ends(const struct recipient_expansion *x, struct policy_answer *out)
{
	const struct recipient_leg *bad = NULL;
	size_t good = 0;

	for (size_t i = 0; i < x->leg_count; i++) {
		const struct recipient_leg *leg = &x->legs[i];

		if (leg->end != RECIPIENT_END_FAIL)
			good++;
		else if (bad == NULL || (bad->reply.code >= 500 && leg->reply.code < 500))
			bad = leg;
	}
	if (bad != NULL && (good == 0 || bad->reply.code < 500)) {
		out->reply = bad->reply;
		return POLICY_REFUSE;
	}
	if (x->leg_count == 1 && x->legs[0].end == RECIPIENT_END_LOOP) {
		out->users = x->legs[0].users;
		out->user_count = x->legs[0].user_count;
		out->local = out->users[0].local;
		out->domain = out->users[0].domain;
		out->reply = x->legs[0].reply;
		return POLICY_ASK;
	}
	if (x->leg_count > 1 || x->legs[0].end != RECIPIENT_END_USER)
		return POLICY_PASS;
	out->local = x->legs[0].local;
	out->domain = x->legs[0].domain;
	return POLICY_ASK;
}

enum policy_decision
policy_decide(const struct recipient_expand_options *o, const struct policy_request *r, struct arena *a, struct policy_answer *out,
    struct err *e)
{
	struct recipient_expansion x;
	struct smtp_path rcpt;
	enum policy_decision d;
	const char *why;

	if (r->recipient.n > SMTP_PATH_MAX || smtp_address_parse(r->recipient, a, &rcpt, &why) == -1)
		return POLICY_NOBODY;
	out->local = rcpt.local;
	out->domain = rcpt.domain;
	out->users = NULL;
	out->user_count = 0;
	if (o->tables == NULL)
		return POLICY_ASK;
	if (!recipient_tables_usable(o->tables)) {
		err_set(e, ERR_TEMP, "the tables of recipients can not be read");
		return POLICY_LATER;
	}
	d = ask_access(o, r, &rcpt, a, out);
	if (d != POLICY_ASK)
		return d;
	if (recipient_expand(o, &rcpt, a, &x, e) == -1)
		return POLICY_LATER;
	return judge_ends(&x, out);
}
