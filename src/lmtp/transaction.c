/* SPDX-License-Identifier: MIT */
#include "lmtp/session.h"

#include <stdio.h>

#define ARENA_MAX ((size_t)64 << 20)

int
lmtp_transaction_init(struct lmtp_transaction *t, const struct lmtp_options *o, struct err *e)
{
	t->arena = arena_new(ARENA_MAX);
	message_init(&t->message, o->max_size);
	return t->arena == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

void
lmtp_transaction_reset(struct lmtp_session *l)
{
	struct lmtp_transaction *t = &l->t;

	if (l->backend->end != NULL)
		l->backend->end(l->backend->ctx);
	arena_reset(t->arena);
	message_clear(&t->message);
	t->rcpts = NULL;
	t->rcpt_count = t->rcpt_room = t->rcpt_tries = 0;
	t->numbers = 0;
	t->open = t->chunked = t->chunk_failed = t->junk = false;
	t->fate = (struct lmtp_fate){ .discard = false };
	t->declared_size = 0;
	t->envid = t->ret = SPAN("");
	t->utf8 = t->eight_bit = false;
	l->state = "READY";
}

static const char no_memory[] = "Out of memory";

static void
refuse_path(struct lmtp_session *l, const char *keyword, const char *why)
{
	if (why == no_memory) {
		lmtp_reply(l, "452 4.3.1 Out of memory");
		return;
	}
	l->bad++;
	stream_putf(l->s, "501 5.5.4 Invalid %s: %s\r\n", keyword, why);
}

/* The path behind "FROM:" or "TO:", and the parameters behind it; NULL, or the answer to a wrong one. */
static const char *
parse_path(struct lmtp_session *l, struct span args, struct span keyword, unsigned flags, struct smtp_path *out,
    struct span *params_out)
{
	const char *why;
	size_t used;

	if (!span_istarts(args, keyword))
		return "Wrong syntax";
	args = span_from(args, keyword.n);
	if (l->o->space_before_path)
		while (args.n > 0 && (args.p[0] == ' ' || args.p[0] == '\t'))
			args = span_from(args, 1);
	if (smtp_path_parse(args, flags | SMTP_PATH_UTF8 | l->o->path_flags, l->t.arena, out, &used, &why) == -1)
		return why;
	*params_out = span_from(args, used);
	out->text = arena_dup(l->t.arena, out->text);
	out->local = arena_dup(l->t.arena, out->local);
	out->domain = arena_dup(l->t.arena, out->domain);
	return out->text.p == NULL || out->local.p == NULL || out->domain.p == NULL ? no_memory : NULL;
}

/* Each takes one parameter's value.  NULL, or the answer. */
static const char *
take_size(struct lmtp_session *l, struct span value)
{
	if (!span_u64(value, UINT64_MAX, &l->t.declared_size))
		return "501 5.5.4 SIZE needs a number";
	return l->t.declared_size > l->o->max_size ? "552 5.3.4 Message too large" : NULL;
}

/* BINARYMIME: what has no lines can not be kept octet for octet in files of lines (RFC 3030 section 3). */
static const char *
take_body(struct lmtp_session *l, struct span value)
{
	l->t.eight_bit = span_ieq(value, SPAN("8BITMIME"));
	return l->t.eight_bit || span_ieq(value, SPAN("7BIT")) ? NULL : "501 5.5.4 BODY is 7BIT or 8BITMIME";
}

static const char *
keep(struct lmtp_session *l, struct span value, struct span *out)
{
	*out = arena_dup(l->t.arena, value);
	return out->p == NULL ? "452 4.3.1 Out of memory" : NULL;
}

static const char *
take_ret(struct lmtp_session *l, struct span value)
{
	return smtp_ret_is_valid(value) ? keep(l, value, &l->t.ret) : "501 5.5.4 RET is FULL or HDRS";
}

static const char *
take_envid(struct lmtp_session *l, struct span value)
{
	return smtp_envid_is_valid(value) ? keep(l, value, &l->t.envid) : "501 5.5.4 ENVID is not xtext";
}

static const char *
take_utf8(struct lmtp_session *l, struct span value)
{
	l->t.utf8 = true;
	return value.p == NULL ? NULL : "501 5.5.4 SMTPUTF8 takes no value";
}

static const char *
take_notify(struct lmtp_session *l, struct lmtp_rcpt *r, struct span value)
{
	return smtp_notify_is_valid(value) ? keep(l, value, &r->notify)
	    : "501 5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY";
}

static const char *
take_orcpt(struct lmtp_session *l, struct lmtp_rcpt *r, struct span value)
{
	struct span type, address;

	if (!smtp_orcpt_split(value, l->t.utf8, &type, &address))
		return "501 5.5.4 ORCPT is not a type, ';' and xtext";
	if (span_ieq(type, SPAN("rfc822")))
		r->orcpt = smtp_xtext_decode(address, l->t.arena);
	return NULL;
}

#define WORD(lit) { lit, sizeof(lit) - 1 }

/*
 * RFC 1870, RFC 6152, RFC 6531; and RFC 3461's for clients that send them unasked, which are for filters: success is told by the
 * reply, failure is the client's to tell.
 */
static const struct {
	struct span name;
	const char *(*take)(struct lmtp_session *l, struct span value);
} mail_params[] = {
	{ WORD("SIZE"), take_size }, { WORD("BODY"), take_body }, { WORD("SMTPUTF8"), take_utf8 }, { WORD("RET"), take_ret },
	{ WORD("ENVID"), take_envid },
};

static const struct {
	struct span name;
	const char *(*take)(struct lmtp_session *l, struct lmtp_rcpt *r, struct span value);
} rcpt_params[] = {
	{ WORD("NOTIFY"), take_notify }, { WORD("ORCPT"), take_orcpt },
};

static const char unsupported[] = "555 5.5.4 Unsupported parameter", twice[] = "501 5.5.4 A parameter came twice",
    malformed[] = "501 5.5.4 Malformed parameter";

/* NULL, or the answer. */
static const char *
take_mail_params(struct lmtp_session *l, struct span params)
{
	struct smtp_param p;
	unsigned seen = 0;
	int more;

	while ((more = smtp_param_next(&params, &p)) == 1) {
		const char *wrong;
		size_t i = 0;

		while (i < sizeof(mail_params) / sizeof(mail_params[0]) && !span_ieq(p.name, mail_params[i].name))
			i++;
		if (i == sizeof(mail_params) / sizeof(mail_params[0]))
			return unsupported;
		if ((seen & 1u << i) != 0)
			return twice;
		seen |= 1u << i;
		if ((wrong = mail_params[i].take(l, p.value)) != NULL)
			return wrong;
	}
	return more == -1 ? malformed : NULL;
}

static const char *
take_rcpt_params(struct lmtp_session *l, struct lmtp_rcpt *r, struct span params)
{
	struct smtp_param p;
	unsigned seen = 0;
	int more;

	while ((more = smtp_param_next(&params, &p)) == 1) {
		const char *wrong;
		size_t i = 0;

		while (i < sizeof(rcpt_params) / sizeof(rcpt_params[0]) && !span_ieq(p.name, rcpt_params[i].name))
			i++;
		if (i == sizeof(rcpt_params) / sizeof(rcpt_params[0]))
			return unsupported;
		if ((seen & 1u << i) != 0)
			return twice;
		seen |= 1u << i;
		if ((wrong = rcpt_params[i].take(l, r, p.value)) != NULL)
			return wrong;
	}
	return more == -1 ? malformed : NULL;
}

void
lmtp_cmd_mail(struct lmtp_session *l, struct span args)
{
	struct lmtp_transaction *t = &l->t;
	const char *wrong;
	struct span params;

	if (l->helo[0] == '\0') {
		lmtp_refuse(l, "503 5.5.1 LHLO needed first");
		return;
	}
	if (l->o->needs_tls && !l->tls) {
		lmtp_refuse(l, "530 5.7.0 STARTTLS needed first");
		return;
	}
	if (t->open) {
		lmtp_refuse(l, "503 5.5.1 There is a MAIL already");
		return;
	}
	/* Nothing stays of a MAIL that was refused: neither what it said nor the memory. */
	arena_reset(t->arena);
	t->declared_size = 0;
	t->envid = t->ret = SPAN("");
	t->utf8 = t->eight_bit = false;
	wrong = parse_path(l, args, SPAN("FROM:"), SMTP_PATH_NULL, &t->sender, &params);
	if (wrong != NULL) {
		refuse_path(l, "FROM", wrong);
		return;
	}
	wrong = take_mail_params(l, params);
	if (wrong != NULL) {
		lmtp_refuse(l, wrong);
		return;
	}
	if (!t->utf8 && smtp_path_is_utf8(&t->sender)) {
		lmtp_refuse(l, "553 5.6.7 This address needs SMTPUTF8");
		return;
	}
	if (l->backend->refresh != NULL)
		l->backend->refresh(l->backend->ctx);
	if (l->o->recipients != NULL && lmtp_recipient_refuses(l, &t->sender))
		return;
	t->open = true;
	t->rip = l->rip;
	t->number++;
	if (t->number == 1)
		snprintf(t->session, sizeof(t->session), "%s", l->id);
	else
		snprintf(t->session, sizeof(t->session), "%.*s:%u", LMTP_ID_MAX, l->id, t->number);
	lmtp_reply(l, "250 2.1.0 OK");
	l->state = "MAIL FROM";
}

/* user[@domain] of the path, without the detail. */
static enum lmtp_lookup
find_user(struct lmtp_session *l, struct lmtp_rcpt *r)
{
	struct span local = r->path.local, domain = r->path.domain;
	char *text;

	r->detail = SPAN_NONE;
	smtp_detail_split(local, l->o->delimiters, &local, &r->detail);
	/* Inside the user part these would make it another user's name. */
	if (span_chr(local, '@') < local.n || local.n + domain.n + 1 > USER_NAME_MAX)
		return LMTP_UNKNOWN;
	text = arena_printf(l->t.arena, "%.*s%s%.*s", SPAN_ARG(local), domain.n > 0 ? "@" : "", SPAN_ARG(domain));
	r->asked = span_str(text);
	return text == NULL ? LMTP_TEMP : LMTP_FOUND;
}

/* Room for one more; the array moves within the arena by doubling. */
struct lmtp_rcpt *
lmtp_rcpt_new(struct lmtp_transaction *t)
{
	if (t->rcpt_count == t->rcpt_room) {
		size_t room = t->rcpt_room == 0 ? 4 : t->rcpt_room * 2;
		struct lmtp_rcpt *more = arena_alloc(t->arena, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		if (t->rcpt_count > 0)
			memcpy(more, t->rcpts, t->rcpt_count * sizeof(*more));
		t->rcpts = more;
		t->rcpt_room = room;
	}
	t->rcpts[t->rcpt_count] = (struct lmtp_rcpt){ .leg = LMTP_LEG_USER, .number = t->numbers, .sender = t->sender.text };
	return &t->rcpts[t->rcpt_count];
}

enum lmtp_lookup
lmtp_rcpt_look_up(struct lmtp_session *l, struct lmtp_rcpt *r, bool fits)
{
	enum lmtp_lookup found = find_user(l, r);

	if (found == LMTP_FOUND)
		found = l->backend->lookup(l->backend->ctx, &l->t, r);
	if (found == LMTP_FOUND && fits && !lmtp_rcpt_is_remote(r) && l->backend->fits != NULL)
		found = l->backend->fits(l->backend->ctx, &l->t, r);
	return found;
}

void
lmtp_rcpt_refuse(struct lmtp_session *l, const struct lmtp_rcpt *r, enum lmtp_lookup found)
{
	struct span address = r->path.text;

	switch (found) {
	case LMTP_FOUND:
		break;
	case LMTP_UNKNOWN:
		stream_putf(l->s, "550 5.1.1 <%.*s> User doesn't exist: %.*s\r\n", SPAN_ARG(address),
		    SPAN_ARG(r->asked.n > 0 ? r->asked : address));
		break;
	case LMTP_DISABLED:
		stream_putf(l->s, "550 5.2.1 <%.*s> Mailbox is disabled\r\n", SPAN_ARG(address));
		break;
	case LMTP_REFUSED:
		stream_putf(l->s, "%u %s\r\n", r->code, r->reply);
		break;
	case LMTP_TEMP:
		stream_putf(l->s, "451 4.3.0 <%.*s> Temporary internal error\r\n", SPAN_ARG(address));
		break;
	}
}

bool
lmtp_rcpt_is_twin(const struct lmtp_rcpt *a, const struct lmtp_rcpt *b)
{
	return span_eq(a->path.text, b->path.text) && span_eq(a->orcpt, b->orcpt) && span_eq(a->notify, b->notify);
}

/* Who is named twice by the client gets the message once, and an answer for each. */
static bool
find_twin(const struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	for (size_t i = 0; i < t->rcpt_count; i++)
		if (t->rcpts[i].leg == LMTP_LEG_USER && lmtp_rcpt_is_twin(&t->rcpts[i], r)) {
			r->leg = LMTP_LEG_SAME;
			r->same = i;
			return true;
		}
	return false;
}

void
lmtp_cmd_rcpt(struct lmtp_session *l, struct span args)
{
	struct lmtp_transaction *t = &l->t;
	const char *wrong;
	struct span params;
	struct lmtp_rcpt *r;
	enum lmtp_lookup found;

	if (!t->open || t->chunked) {
		lmtp_refuse(l, t->open ? "503 5.5.1 BDAT has begun" : "503 5.5.1 MAIL needed first");
		return;
	}
	/* Those that were refused count too: they take memory until the transaction's end. */
	if (t->numbers >= l->o->max_recipients || t->rcpt_tries++ >= l->o->max_recipients * 4 + 100 ||
	    (r = lmtp_rcpt_new(t)) == NULL) {
		lmtp_reply(l, "452 4.5.3 Too many recipients");
		return;
	}
	wrong = parse_path(l, args, SPAN("TO:"), 0, &r->path, &params);
	if (wrong != NULL) {
		refuse_path(l, "TO", wrong);
		return;
	}
	if (!t->utf8 && smtp_path_is_utf8(&r->path)) {
		lmtp_refuse(l, "553 5.6.7 This address needs SMTPUTF8");
		return;
	}
	wrong = take_rcpt_params(l, r, params);
	if (wrong != NULL) {
		lmtp_refuse(l, wrong);
		return;
	}
	r->asked_for = r->path.text;
	l->state = "RCPT TO";
	if (l->o->recipients != NULL) {
		lmtp_recipient_take(l, r);
		return;
	}
	found = find_twin(t, r) ? LMTP_FOUND : lmtp_rcpt_look_up(l, r, true);
	if (found == LMTP_FOUND && lmtp_rcpt_is_remote(r))
		found = l->backend->ask(l->backend->ctx, t, r);
	if (found != LMTP_FOUND) {
		lmtp_rcpt_refuse(l, r, found);
		return;
	}
	t->rcpt_count++;
	t->numbers++;
	lmtp_reply(l, "250 2.1.5 OK");
}
