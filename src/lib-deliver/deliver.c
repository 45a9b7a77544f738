/* SPDX-License-Identifier: MIT */
#include "lib-deliver/deliver.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-deliver/forward.h"
#include "lib-deliver/perform.h"
#include "lib-deliver/recipes.h"
#include "lib-deliver/rejection.h"
#include "lib-deliver/save.h"
#include "lib-deliver/sieve.h"
#include "lib-mail/header.h"
#include "lib-storage/quota.h"

#define FILTER_MEMORY ((size_t)96 << 20)	/* a script may use 64 MB, and what performs it some */
#define REJECTION_MEMORY ((size_t)1 << 20)
#define HEADER_OCTETS (1 << 20)

struct span
deliver_own_domain(const struct deliver_request *r)
{
	struct span domain = span_from(r->recipient, span_chr(r->recipient, '@') + 1);

	if (domain.n == 0)
		domain = set_str(r->view, SET_hostname);
	return domain.n > 0 ? domain : span_str(host_name());
}

struct span
deliver_place(const struct deliver_request *r)
{
	if (r->mailbox.n > 0)
		return r->mailbox;
	if (r->junk.n > 0)
		return r->junk;
	if (r->detail.n > 0 && set_bool(r->view, SET_lmtp_save_to_detail_mailbox))
		return r->detail;
	return SPAN("INBOX");
}

struct span
deliver_detail(const struct deliver_request *r)
{
	struct span address = r->orig_recipient.n > 0 ? r->orig_recipient : r->recipient, delimiters;
	size_t at;

	if (r->detail.n > 0)
		return r->detail;
	delimiters = set_str(r->view, SET_recipient_delimiter);
	address = span_sub(address, 0, span_chr(address, '@'));
	for (at = 1; at < address.n && span_chr(delimiters, address.p[at]) == delimiters.n; at++)
		;
	return span_from(address, at + 1);
}

struct span
deliver_junk_place(struct storage *st, const struct set_view *view, struct arena *a)
{
	struct span name = set_str(view, SET_spam_junk_mailbox), found;

	if (name.n > 0)
		return name;
	if (deliver_special_use(st, SPAN_NONE, SPAN("\\Junk"), a, &found))
		return found;
	log_info("spam goes where other mail goes: there is no mailbox with the special use \\Junk");
	return SPAN("");
}

/* Received fields in the message; the one that was put in front does not count. */
static bool
is_loop(const struct deliver_request *r)
{
	struct header_iter it;
	struct header_field f;
	uint64_t hops = 0;

	if (r->max_hops == 0)
		return false;
	header_begin(&it, r->message, DELIVER_HOPS_FIELDS, HEADER_OCTETS);
	while (hops <= r->max_hops && header_next(&it, &f))
		hops += span_ieq(f.name, SPAN("received"));
	return hops > r->max_hops;
}

/* Text of the configuration, names of files and mailboxes: no octet of them may end the reply line. */
static void
make_printable(char *text)
{
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static void
fail(const struct deliver_request *r, const struct err *e, struct deliver_result *out)
{
	int address = r->recipient.n > 150 ? 150 : (int)r->recipient.n;

	out->code = e->code;
	if (e->code == ERR_OVERQUOTA) {
		struct span words = storage_quota_words(r->storage);

		out->permanent = !set_bool(r->view, SET_quota_full_tempfail);
		out->reply = out->permanent ? 552 : 452;
		snprintf(out->text, sizeof(out->text), "%d.2.2 <%.*s> %.*s", out->permanent ? 5 : 4, address, r->recipient.p,
		    words.n > 100 ? 100 : (int)words.n, words.p);
		make_printable(out->text);
	} else if (e->code == ERR_TOOBIG) {
		out->permanent = true;
		out->reply = 552;
		snprintf(out->text, sizeof(out->text), "5.2.3 <%.*s> Mail size is larger than the maximum size allowed",
		    address, r->recipient.p);
	} else if (e->code == ERR_QUOTA) {
		out->reply = 452;
		snprintf(out->text, sizeof(out->text), "4.3.1 <%.*s> Out of disk space", address, r->recipient.p);
	} else {
		bool verbose = set_bool(r->view, SET_lmtp_verbose_replies);

		out->reply = 451;
		snprintf(out->text, sizeof(out->text), "%s <%.*s> Temporary internal error%s%.100s",
		    e->code == ERR_INUSE || e->code == ERR_DENIED ? "4.2.0" : "4.3.0", address, r->recipient.p,
		    verbose ? ": " : "", verbose ? e->log : "");
		make_printable(out->text);
	}
}

/*
 * For good, and who hands the message over can not tell the sender (culver-lda without -e): a message of ours does.  Where that may
 * not be, it stays with the caller's exit status: mail must not go to nobody.
 */
static void
tell_sender(const struct deliver_request *r, const struct err *why, struct deliver_result *out)
{
	bool full = why->code == ERR_OVERQUOTA;
	struct span reason = full ? storage_quota_words(r->storage) : SPAN("Mail size is larger than the maximum size allowed");
	struct deliver_host host;
	struct arena *a;
	struct err e = ERR_INIT;
	char what[300];
	int rc;

	if (r->says_why || r->sender.n == 0 || deliver_is_automatic(r->message) || (a = arena_new(REJECTION_MEMORY)) == NULL)
		return;
	deliver_host_begin(&host, r, a);
	rc = deliver_rejection_send(&host, reason, span_sub(r->message, 0, header_size(r->message)), full ? SPAN("5.2.2") : SPAN("5.2.3"),
	    &e);
	if (rc == 0) {
		snprintf(what, sizeof(what), "rejected: %.*s", SPAN_ARG(span_sub(reason, 0, 200)));
		deliver_log(r, "", what);
		deliver_host_note(&host, NULL, "%s", what);
		*out = (struct deliver_result){ .reply = 250 };
		snprintf(out->text, sizeof(out->text), "2.0.0 <%.*s> Rejected, and the sender is told",
		    r->recipient.n > 150 ? 150 : (int)r->recipient.n, r->recipient.p);
	} else {
		log_error("rejection to <%.*s>: %s", SPAN_ARG(span_sub(r->sender, 0, 100)), e.log);
		*out = (struct deliver_result){ .code = ERR_TEMP, .reply = 451 };
		snprintf(out->text, sizeof(out->text), "4.3.0 <%.*s> The sender can not be told now",
		    r->recipient.n > 150 ? 150 : (int)r->recipient.n, r->recipient.p);
	}
	deliver_host_end(&host);
	arena_free(a);
}

/* host: NULL where nothing is written down. */
static int
save_plainly(const struct deliver_request *r, struct deliver_host *host, struct err *e)
{
	struct span saved;
	char what[512];

	if (deliver_save_or_inbox(r, deliver_place(r), NULL, &saved, e) == -1)
		return -1;
	snprintf(what, sizeof(what), "saved mail to %.*s", SPAN_ARG(saved));
	deliver_log(r, "", what);
	if (host != NULL)
		deliver_host_note(host, NULL, "stored mail into mailbox '%.*s'", SPAN_ARG(span_sub(saved, 0, 300)));
	return 0;
}

/* What the filter gets to see: the header that is put in front is a part of the message. */
static int
message_for_filter(const struct deliver_request *r, struct buf *text, struct filter_message *m, struct err *e)
{
	buf_init(text, r->header.n + r->message.n + 1);
	buf_grow(text, r->header.n + r->message.n + 1);
	buf_add(text, r->header);
	buf_add(text, r->message);
	if (text->failed)
		return err_set(e, ERR_TEMP, "out of memory");
	filter_message_init(m, buf_span(text));
	m->sender = r->sender;
	m->recipient = r->recipient;
	m->orig_recipient = r->orig_recipient;
	m->notify = r->notify;
	m->envid = r->envid;
	m->ret = r->ret;
	return 0;
}

/* The reason is the user's text: one line of it, and no octet that a reply can not have. */
static void
refuse(const struct deliver_request *r, struct span reason, struct deliver_result *out)
{
	int address = r->recipient.n > 100 ? 100 : (int)r->recipient.n, n;
	bool blank = true;

	out->code = ERR_DENIED;
	out->permanent = out->rejected = true;
	out->reply = 550;
	n = snprintf(out->text, sizeof(out->text), "5.7.1 <%.*s> ", address, r->recipient.p);
	for (size_t i = 0; i < reason.n && (size_t)n + 1 < sizeof(out->text); i++) {
		char c = reason.p[i] <= ' ' && reason.p[i] >= 0 ? ' ' : reason.p[i];

		if (c == ' ' && blank)
			continue;
		blank = c == ' ';
		out->text[n++] = c;
	}
	while (n > 0 && out->text[n - 1] == ' ')
		n--;
	out->text[n] = '\0';
	make_printable(out->text);
}

static int
filter(const struct deliver_request *r, struct deliver_host *host, struct deliver_result *out, struct err *e)
{
	struct buf text;
	struct filter_message m;
	struct filter_action *actions;
	struct performed done;
	int rc;

	if (message_for_filter(r, &text, &m, e) == -1) {
		buf_clear(&text);
		return -1;
	}
	rc = deliver_filter_run(r->filter, &m, host, &actions, e);
	if (rc == 0)
		rc = deliver_perform(r, actions, &m, host, &done, e);
	if (rc == 0 && done.rejected)
		refuse(r, done.reason, out);
	buf_clear(&text);
	return rc;
}

/* What becomes of mail without recipes, or behind them. */
static int
filter_or_save(const struct deliver_request *r, struct deliver_host *host, struct deliver_result *out, struct err *e)
{
	return r->filter != NULL ? filter(r, host, out, e) : save_plainly(r, host, e);
}

static int
recipes_or_filter(const struct deliver_request *r, struct deliver_host *host, struct deliver_result *out, struct err *e)
{
	return r->recipes != NULL ? deliver_recipes_run(r->recipes, r, host, filter_or_save, out, e) : filter_or_save(r, host, out, e);
}

/* deliver_duplicate_period: what is known of a message that was delivered; empty where it can not be known. */
static struct span
delivery_mark(const struct deliver_request *r, struct arena *a)
{
	struct span id;

	if (!header_get(r->message, SPAN("message-id"), &id) || id.n == 0)
		return SPAN("");
	return span_str(arena_printf(a, "delivered %.*s+%.*s %.*s", SPAN_ARG(r->recipient), SPAN_ARG(r->detail), SPAN_ARG(id)));
}

struct span
deliver_once_mark(struct span origin, struct span target, struct span message, struct arena *a)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf hex = BUF_INIT(2 * EVP_MAX_MD_SIZE + 1);
	struct header_iter it;
	struct header_field f;
	size_t body = header_size(message);
	char *text = NULL;
	unsigned n;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	/* A scanner may find other words for it the next time. */
	header_begin(&it, span_sub(message, 0, body), DELIVER_HOPS_FIELDS, HEADER_OCTETS);
	while (ok && header_next(&it, &f))
		if (!span_istarts(f.name, SPAN("x-spam-")))
			ok = EVP_DigestUpdate(ctx, f.raw.p, f.raw.n) == 1;
	if (ok && message.n > body)
		ok = EVP_DigestUpdate(ctx, message.p + body, message.n - body) == 1;
	if (ok && EVP_DigestFinal_ex(ctx, digest, &n) == 1) {
		hex_encode(&hex, span_of(digest, n));
		text = arena_printf(a, "target %.*s %.*s %.*s", SPAN_ARG(buf_span(&hex)), SPAN_ARG(origin), SPAN_ARG(target));
	}
	EVP_MD_CTX_free(ctx);
	buf_clear(&hex);
	return span_str(text);
}

/* With what is remembered of other deliveries. */
static int
deliver_knowing(const struct deliver_request *r, struct arena *a, struct deliver_result *out, struct err *e)
{
	int64_t period = (int64_t)(set_ms(r->view, SET_deliver_duplicate_period) / 1000);
	struct span mark = period > 0 ? delivery_mark(r, a) : SPAN("");
	struct span once = r->origin.n > 0 ? deliver_once_mark(r->origin, r->recipient, r->message, a) : SPAN("");
	struct deliver_host host;
	int rc = 0;

	deliver_host_begin(&host, r, a);
	if (once.n > 0 && deliver_host_is_marked(&host, once, DELIVER_ONCE_S)) {
		deliver_log(r, "", "came again for others: it is there already");
		deliver_host_note(&host, NULL, "came again for others: it is there already");
	} else if (mark.n > 0 && deliver_host_is_marked(&host, mark, period)) {
		deliver_log(r, "", "duplicate: it is there already");
		deliver_host_note(&host, NULL, "duplicate: it is there already");
	} else {
		if (r->junk.n > 0 && r->mailbox.n == 0)
			deliver_host_note(&host, NULL, "it is taken for spam: without other rules it belongs into mailbox '%.*s'",
			    SPAN_ARG(span_sub(r->junk, 0, 300)));
		rc = r->forward != NULL ? deliver_forward_run(r->forward, r, &host, recipes_or_filter, out, e) :
		    recipes_or_filter(r, &host, out, e);
		if (rc == -1)
			deliver_host_note(&host, NULL, "not delivered: %s", e->log);
		if (rc == 0 && !out->rejected && mark.n > 0)
			deliver_host_mark(&host, mark, period);
		if (rc == 0 && !out->rejected && once.n > 0)
			deliver_host_mark(&host, once, DELIVER_ONCE_S);
	}
	deliver_host_end(&host);
	return rc;
}

static int
deliver(const struct deliver_request *r, struct deliver_result *out, struct err *e)
{
	struct arena *a;
	int rc;

	if (r->forward == NULL && r->recipes == NULL && r->filter == NULL && r->origin.n == 0 && r->junk.n == 0 &&
	    set_ms(r->view, SET_deliver_duplicate_period) == 0)
		return save_plainly(r, NULL, e);
	a = arena_new(FILTER_MEMORY);
	rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : deliver_knowing(r, a, out, e);
	arena_free(a);
	return rc;
}

void
deliver_message(const struct deliver_request *r, struct deliver_result *out)
{
	struct err e = ERR_INIT;
	char what[512];

	memset(out, 0, sizeof(*out));
	if (is_loop(r)) {
		out->code = ERR_LIMIT;
		out->permanent = true;
		out->reply = 554;
		snprintf(out->text, sizeof(out->text), "5.4.6 Too many Received fields: the message is in a loop");
		deliver_log(r, "", "rejected: too many Received fields");
		return;
	}
	if (deliver(r, out, &e) == 0) {
		if (out->reply != 0)
			return;
		out->reply = 250;
		snprintf(out->text, sizeof(out->text), "2.0.0 <%.*s> %.*s Saved",
		    r->recipient.n > 150 ? 150 : (int)r->recipient.n, r->recipient.p, SPAN_ARG(r->session));
		return;
	}
	fail(r, &e, out);
	snprintf(what, sizeof(what), "failed: %s", e.log);
	if (e.code != ERR_QUOTA && e.code != ERR_OVERQUOTA && e.code != ERR_TOOBIG)
		log_error("%s", e.log);
	deliver_log(r, "", what);
	if (out->permanent && (e.code == ERR_OVERQUOTA || e.code == ERR_TOOBIG))
		tell_sender(r, &e, out);
}

void
deliver_fits(const struct deliver_request *r, uint64_t size, struct deliver_result *out)
{
	struct err e = ERR_INIT;
	struct span place = deliver_place(r);

	memset(out, 0, sizeof(*out));
	out->reply = 250;
	snprintf(out->text, sizeof(out->text), "2.1.5 OK");
	if (r->forward != NULL && !deliver_forward_keeps(r->forward, r))
		return;
	if (storage_quota_fits(r->storage, place, size, &e) == 0)
		return;
	/* A name that no mailbox can have: it goes to INBOX then. */
	if (deliver_is_about_mailbox(e.code) && storage_quota_fits(r->storage, SPAN("INBOX"), size, &e) == 0)
		return;
	fail(r, &e, out);
	if (e.code != ERR_OVERQUOTA && e.code != ERR_TOOBIG)
		log_error("%s", e.log);
}

void
deliver_log_prefix(const struct set_view *view, const char *service, struct span user, struct span session)
{
	struct var vars[VARS_USER_COUNT + 4];
	struct buf text = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct span s;
	char pid[16];
	size_t n = VARS_USER_COUNT;

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	vars_for_user(vars, user, SPAN(""));
	vars[n++] = (struct var){ 's', "service", span_str(service) };
	vars[n++] = (struct var){ 'p', "pid", span_str(pid) };
	vars[n++] = (struct var){ 0, "session", session };
	vars[n] = (struct var){ 0, NULL, SPAN_NONE };
	if (vars_expand(&text, set_str(view, SET_mail_log_prefix), vars, &e) == 0 && !text.failed) {
		/* The log adds ": " itself. */
		s = span_trim(buf_span(&text));
		if (s.n > 0 && s.p[s.n - 1] == ':')
			s.n--;
		log_prefix("%.*s", SPAN_ARG(s));
	} else
		log_prefix("%s(%.*s)", service, SPAN_ARG(user));
	buf_clear(&text);
}
