/* SPDX-License-Identifier: MIT */
#include "lib-deliver/perform.h"

#include <openssl/evp.h>
#include <stdio.h>
#include "lib/encode.h"
#include "lib/log.h"
#include "lib-deliver/filter-program.h"
#include "lib-deliver/rejection.h"
#include "lib-deliver/save.h"
#include "lib-deliver/smtp-path.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/header.h"

#define REDIRECT_MEMORY_S 43200	/* Dovecot's default, 12 hours */
#define REDIRECT_MEMORY_MOST ((int64_t)365 * 86400)
#define HEADER_MAX ((size_t)1 << 20)
#define WHY_MAX 400
#define WHERE_MAX 8192

struct work {
	const struct deliver_request *r;
	struct deliver_host *host;
	struct performed *out;
	bool kept;			/* where kept messages go */
};

static void
say(struct work *w, const struct filter_action *a, const char *what)
{
	deliver_log(w->r, w->host->by, what);
	deliver_host_note(w->host, a, "%s", what);
}

static void
remember(struct work *w, const struct filter_action *a)
{
	if (a->mark.n > 0)
		deliver_host_mark(w->host, a->mark, a->mark_seconds);
}

/* Failures of one action that others make good.  A full mailbox is nobody's mistake. */
static void
complain(struct work *w, const struct filter_action *a, const struct err *e)
{
	bool full = e->code == ERR_QUOTA || e->code == ERR_OVERQUOTA || e->code == ERR_TOOBIG;
	struct buf where = BUF_INIT(WHERE_MAX);
	char text[WHY_MAX];

	filter_action_where(&where, a);
	snprintf(text, sizeof(text), "%s%.*s%s%s", w->host->by, SPAN_ARG(buf_span(&where)), where.n > 0 ? ": " : "", e->log);
	buf_clear(&where);
	if (full)
		log_info("%s", text);
	else
		log_error("%s", text);
	deliver_host_note(w->host, a, "failed: %s", e->log);
}

struct span
deliver_place_of(struct deliver_host *host, const struct filter_action *a)
{
	struct span found;
	struct err e = ERR_INIT;

	if (a->keep)
		return deliver_place(host->r);
	if (a->mailbox_id.n > 0 && storage_mailbox_by_id(host->r->storage, a->mailbox_id, host->a, &found, &e) == 0)
		return found;
	if (a->special_use.n > 0 &&
	    deliver_special_use(host->r->storage, SPAN_NONE, a->special_use, host->a, &found))
		return found;
	return a->target;
}

static int
do_save(struct work *w, const struct filter_action *a, struct err *e)
{
	struct span wanted = deliver_place_of(w->host, a), place;
	char what[WHY_MAX];

	place = wanted;
	if ((w->r->stays ? deliver_save(w->r, wanted, a, e) : deliver_save_or_inbox(w->r, wanted, a, &place, e)) == -1)
		return -1;
	/* A message of the filter's own (a copy of an answer) is no copy of the one that came. */
	if (a->own) {
		remember(w, a);
		return 0;
	}
	w->out->stored = true;
	w->kept = w->kept || span_eq(place, deliver_place(w->r)) || span_ieq(place, SPAN("INBOX"));
	snprintf(what, sizeof(what), "stored mail into mailbox '%.*s'", SPAN_ARG(span_sub(place, 0, 300)));
	say(w, a, what);
	if (!span_eq(place, wanted))
		deliver_host_note(w->host, a, "%.*s could not be had", SPAN_ARG(span_sub(wanted, 0, 300)));
	remember(w, a);
	return 0;
}

/* The message as the filter had it, for a program or a file. */
static struct span
text_of(const struct filter_action *a, const struct filter_message *m)
{
	return a->message.p != NULL ? a->message : m->text;
}

/* Keeps the message where it is kept, once. */
static int
keep(struct work *w, const struct filter_action *why, struct err *e)
{
	struct filter_action a = { .kind = FILTER_SAVE, .keep = true, .script = why->script, .line = why->line,
				   .message = why->message };

	if (w->r->stays)
		w->out->must_keep = true;
	return w->kept || w->r->stays ? 0 : do_save(w, &a, e);
}

static int
do_program(struct work *w, const struct filter_action *a, const struct filter_message *m, struct err *e)
{
	const struct deliver_means *means = w->r->means;
	char what[WHY_MAX];

	if (a->kind == FILTER_PIPE) {
		if (deliver_pipe(w->host, a, text_of(a, m), e) == -1)
			return -1;
	} else if (means == NULL || means->file == NULL) {
		return err_set(e, ERR_NOTFOUND, "files are not written");
	} else if (means->file(means->ctx, a, text_of(a, m), e) == -1) {
		return -1;
	}
	w->out->stored = true;
	snprintf(what, sizeof(what), "%s %.*s", a->kind == FILTER_PIPE ? "piped message to program" : "stored mail into",
	    SPAN_ARG(span_sub(a->target.n > 0 ? a->target : a->socket, 0, 300)));
	say(w, a, what);
	remember(w, a);
	return 0;
}

static int
submit(struct work *w, const struct outgoing *o, struct err *e)
{
	const struct deliver_means *means = w->r->means;

	if (means == NULL || means->submit == NULL)
		return err_set(e, ERR_NOTFOUND, "mail is not sent from here");
	return means->submit(means->ctx, o, e);
}

/* What other hosts had: not what was put in front here, and not what recipes have made of it. */
static struct span
came(const struct deliver_request *r)
{
	return r->came.p != NULL ? r->came : r->message;
}

/*
 * The same octets to the same address twice within hours are one message that came again: what was answered with 4xx after it
 * had been passed on already.  A loop's message is another each time, by its trace fields.
 */
static struct span
redirect_mark(struct work *w, const struct filter_action *a)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf hex = BUF_INIT(2 * EVP_MAX_MD_SIZE + 1);
	char *text = NULL;
	unsigned n;

	if (EVP_Digest(w->r->message.n == 0 ? "" : w->r->message.p, w->r->message.n, digest, &n, EVP_sha256(), NULL) == 1) {
		hex_encode(&hex, span_of(digest, n));
		text = arena_printf(w->host->a, "redirect %.*s %.*s", SPAN_ARG(buf_span(&hex)), SPAN_ARG(a->target));
	}
	buf_clear(&hex);
	return span_str(text);
}

/* sieve_redirect_duplicate_period: how long it is known that a message was passed on; 0: not at all. */
static int64_t
redirect_memory(struct work *w)
{
	uint64_t s = sieve_setting_time(&w->host->table, "sieve_redirect_duplicate_period", REDIRECT_MEMORY_S);

	return s > REDIRECT_MEMORY_MOST ? REDIRECT_MEMORY_MOST : (int64_t)s;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0x80) != 0)
			return false;
	return true;
}

/*
 * What the script asks for (RFC 6009), and with it who the message was for at first and how its sender calls it, so that a
 * report means something to the sender.
 */
static struct outgoing_dsn
dsn_of(struct work *w, const struct filter_action *a)
{
	const struct deliver_request *r = w->r;
	struct span first = r->orig_recipient.n > 0 ? r->orig_recipient : r->recipient, none = SPAN("");
	struct outgoing_dsn d = { .notify = a->dsn_notify, .ret = a->dsn_ret, .by = a->by }, without = d;
	char *text;

	if (a->dsn_notify.n == 0 && a->dsn_ret.n == 0)
		return d;
	if (d.ret.n == 0)
		d.ret = r->ret;
	d.envid = r->envid;
	text = is_ascii(first) ? arena_printf(w->host->a, "rfc822;%.*s", SPAN_ARG(smtp_xtext_encode(first, w->host->a))) : NULL;
	d.orcpt = text != NULL ? span_str(text) : none;
	/* An odd one of another's envelope is no reason not to pass the message on. */
	return outgoing_dsn_is_valid(&d) ? d : without;
}

static int
do_redirect(struct work *w, const struct filter_action *a, struct err *e)
{
	struct outgoing o = { .kind = OUTGOING_REDIRECT, .user = w->r->user, .sender = a->sender, .recipient = a->target,
			      .keep_for = w->r->recipient, .dsn = dsn_of(w, a) };
	int64_t memory = redirect_memory(w);
	struct span mark = memory > 0 ? redirect_mark(w, a) : SPAN(""), whole = a->message;
	struct span me = set_plugin(w->r->view, "sieve_user_email");
	struct buf head = BUF_INIT(HEADER_MAX);
	char what[WHY_MAX];
	int rc;

	/* What is in the user's mailbox has been delivered to the user. */
	if ((!w->r->stays && outgoing_is_loop(came(w->r), w->r->recipient)) || outgoing_is_loop(came(w->r), a->target) ||
	    (me.n > 0 && outgoing_is_loop(came(w->r), me)))
		return err_set(e, ERR_LIMIT, "not passed on to <%.*s>: the message has been there, it is in a loop",
		    SPAN_ARG(span_sub(a->target, 0, 100)));
	if (mark.n > 0 && deliver_host_is_marked(w->host, mark, memory)) {
		snprintf(what, sizeof(what), "not forwarded to <%.*s> again", SPAN_ARG(span_sub(a->target, 0, 300)));
		say(w, a, what);
		return 0;
	}
	/* Recipes may have moved what was put in front into the middle. */
	if (whole.p == NULL && w->r->came.p != NULL && w->r->header.n == 0)
		whole = w->r->message;
	if (whole.p != NULL) {
		/* The filter had the header that was put in front, and has given it back changed with the rest. */
		size_t n = header_size(whole);

		outgoing_redirect_header(&head, span_sub(whole, 0, n), w->r->recipient);
		buf_adds(&head, "\r\n");
		o.parts[o.part_count++] = buf_span(&head);
		o.parts[o.part_count++] = span_from(whole, n);
	} else {
		outgoing_redirect_header(&head, w->r->header, w->r->recipient);
		o.parts[o.part_count++] = buf_span(&head);
		o.parts[o.part_count++] = w->r->message;
	}
	rc = head.failed ? err_set(e, ERR_LIMIT, "the header is too large") : submit(w, &o, e);
	buf_clear(&head);
	if (rc == -1)
		return err_wrap(e, "redirect to <%.*s>", SPAN_ARG(span_sub(a->target, 0, 100)));
	if (mark.n > 0)
		deliver_host_mark(w->host, mark, memory);
	snprintf(what, sizeof(what), "forwarded to <%.*s>", SPAN_ARG(span_sub(a->target, 0, 300)));
	say(w, a, what);
	remember(w, a);
	return 0;
}

static int
do_send(struct work *w, const struct filter_action *a, struct err *e)
{
	const struct outgoing o = { .kind = OUTGOING_SEND, .user = w->r->user, .sender = a->sender, .recipient = a->target,
				    .parts = { a->text }, .part_count = 1 };
	char what[WHY_MAX];

	if (a->target.n == 0)
		return err_set(e, ERR_SYNTAX, "a message to nobody");
	if (submit(w, &o, e) == -1)
		return err_wrap(e, "message to <%.*s>", SPAN_ARG(span_sub(a->target, 0, 100)));
	snprintf(what, sizeof(what), "sent a message to <%.*s>", SPAN_ARG(span_sub(a->target, 0, 300)));
	say(w, a, what);
	remember(w, a);
	return 0;
}

/* Rejection. */

static bool
fits_reply(struct span reason)
{
	if (reason.n > 200)
		return false;
	for (size_t i = 0; i < reason.n; i++)
		if ((reason.p[i] < ' ' && reason.p[i] != '\n' && reason.p[i] != '\r') || (unsigned char)reason.p[i] > '~')
			return false;
	return true;
}

/*
 * Who hands the message over tells the sender, where that can be: then no message of ours goes to an address that may be
 * forged (RFC 5429 section 2.1).
 */
static void
do_reject(struct work *w, const struct filter_action *a, const struct filter_message *m)
{
	struct err e = ERR_INIT;
	char what[WHY_MAX];

	w->out->rejected = true;
	w->out->reason = a->text;
	if (!a->quiet_bounce && w->r->sender.n > 0 && !(w->r->says_why && fits_reply(a->text)) && !deliver_is_automatic(m->header)) {
		if (deliver_rejection_send(w->host, a->text, m->header, SPAN(""), &e) == 0)
			w->out->rejected = false;	/* told already */
		else
			complain(w, a, &e);
	} else if (!a->quiet_bounce && w->r->sender.n == 0 && !w->r->says_why) {
		w->out->rejected = false;	/* there is nobody to tell */
	}
	snprintf(what, sizeof(what), "rejected message from <%.*s> (%s)", SPAN_ARG(span_sub(w->r->sender, 0, 300)),
	    a->quiet_bounce ? "ereject" : "reject");
	say(w, a, what);
	remember(w, a);
}

static void
save_all(struct work *w, const struct filter_action *actions, struct err *first)
{
	for (const struct filter_action *a = actions; a != NULL; a = a->next) {
		struct err one = ERR_INIT;

		if (a->kind != FILTER_SAVE || do_save(w, a, &one) == 0)
			continue;
		complain(w, a, &one);
		if (a->own)
			continue;
		w->out->must_keep = true;
		if (first->code == ERR_NONE)
			*first = one;
	}
}

/*
 * What saves.  A failure is of this action alone while there is another copy.  Programs and files come behind mailboxes: where
 * one of them fails it is known whether the message was kept.
 */
static int
store(struct work *w, const struct filter_action *actions, const struct filter_message *m, struct err *e)
{
	struct err first = ERR_INIT;

	save_all(w, actions, &first);
	for (const struct filter_action *a = actions; a != NULL; a = a->next) {
		struct err one = ERR_INIT;

		if ((a->kind != FILTER_FILE && a->kind != FILTER_PIPE) || do_program(w, a, m, &one) == 0)
			continue;
		complain(w, a, &one);
		if (a->or_keep && keep(w, a, &one) == 0)
			continue;
		if (first.code == ERR_NONE)
			first = one;
	}
	if (first.code == ERR_NONE || w->out->stored || w->r->stays)
		return 0;
	*e = first;
	return -1;
}

/* Where nothing is done: which line says so, if one does. */
static bool
is_discarded(const struct filter_action *a, const struct filter_action **by_out)
{
	*by_out = NULL;
	for (; a != NULL; a = a->next) {
		if (!filter_does_nothing(a->kind))
			return false;
		if (a->kind == FILTER_DISCARD)
			*by_out = a;
	}
	return true;
}

int
deliver_perform(const struct deliver_request *r, const struct filter_action *actions, const struct filter_message *m,
    struct deliver_host *host, struct performed *out, struct err *e)
{
	const struct filter_action *by;
	struct work w = { .r = r, .host = host, .out = out };

	*out = (struct performed){ .stored = false };
	if (store(&w, actions, m, e) == -1)
		return -1;
	for (const struct filter_action *a = actions; a != NULL; a = a->next) {
		struct err one = ERR_INIT;
		int rc;

		if (a->kind == FILTER_MARK)
			remember(&w, a);
		rc = a->kind == FILTER_REDIRECT ? do_redirect(&w, a, &one) : filter_sends(a->kind) ? do_send(&w, a, &one) : 0;

		if (rc == 0)
			continue;
		complain(&w, a, &one);
		if (out->failed++ == 0)
			out->first = one;
		if (a->or_keep && keep(&w, a, e) == -1)
			return -1;
	}
	for (const struct filter_action *a = actions; a != NULL; a = a->next)
		if (a->kind == FILTER_REJECT)
			do_reject(&w, a, m);
	if (is_discarded(actions, &by))
		say(&w, by, "discarded");
	return 0;
}
