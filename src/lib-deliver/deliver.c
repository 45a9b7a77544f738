/* SPDX-License-Identifier: MIT */
#include "lib-deliver/deliver.h"

#include <stdio.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib-config/vars.h"
#include "lib-mail/header.h"
#include "lib-storage/quota.h"

#define ARENA_MAX (1 << 20)
#define LOG_VALUE_MAX 200	/* of a header field in the log */
#define HEADER_OCTETS (1 << 20)

void
deliver_decide(const struct deliver_request *r, struct deliver_action out[DELIVER_ACTIONS], size_t *count_out)
{
	out[0] = (struct deliver_action){ .kind = DELIVER_SAVE, .mailbox = SPAN("INBOX") };
	if (r->mailbox.n > 0)
		out[0].mailbox = r->mailbox;
	else if (r->detail.n > 0 && set_bool(r->view, SET_lmtp_save_to_detail_mailbox))
		out[0].mailbox = r->detail;
	out[0].may_fall_back = !span_ieq(out[0].mailbox, SPAN("INBOX"));
	*count_out = 1;
}

static int
open_target(const struct deliver_request *r, struct span name, struct mailbox **out, struct err *e)
{
	struct err create = ERR_INIT;

	if (mailbox_open(r->storage, name, MAILBOX_POST, out, e) == 0)
		return 0;
	if (e->code != ERR_NOTFOUND || !set_bool(r->view, SET_lda_mailbox_autocreate))
		return -1;
	/* Another delivery may be quicker: then it is there, which is all that is wanted. */
	if (storage_create(r->storage, name, false, &create) == -1 && create.code != ERR_EXISTS) {
		*e = create;
		return -1;
	}
	if (set_bool(r->view, SET_lda_mailbox_autosubscribe) &&
	    storage_subscribe(r->storage, name, true, &create) == -1)
		log_error("subscribing to %.*s: %s", SPAN_ARG(name), create.log);
	return mailbox_open(r->storage, name, MAILBOX_POST, out, e);
}

/* The header that is put in front and the message are written one behind the other: nothing is copied together. */
static int
save(const struct deliver_request *r, struct span name, struct err *e)
{
	const struct save_params params = { .internal_date = INT64_MIN };
	struct arena *a = arena_new(ARENA_MAX);
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids;
	uint32_t uidvalidity;
	int rc = -1;

	if (a == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	/* What does not fit is not written first; what fits now is looked at again by the commit. */
	else if (storage_quota_fits(r->storage, name, r->header.n + r->message.n, e) == 0 &&
	    open_target(r, name, &box, e) == 0 && saver_new(box, &saver, e) == 0 &&
	    saver_begin(saver, &params, e) == 0 && saver_write(saver, r->header, e) == 0 &&
	    saver_write(saver, r->message, e) == 0 && saver_finish(saver, e) == 0 &&
	    saver_commit(saver, a, &uidvalidity, &uids, e) == 0)
		rc = 0;
	saver_free(saver);
	mailbox_close(box);
	arena_free(a);
	return rc;
}

/* Whether it was the mailbox's name or state that failed, so that INBOX may do. */
static bool
is_about_mailbox(enum err_code code)
{
	return code == ERR_NOTFOUND || code == ERR_DENIED || code == ERR_SYNTAX || code == ERR_LIMIT ||
	    code == ERR_EXISTS;
}

static int
perform(const struct deliver_request *r, const struct deliver_action *action, struct span *saved_out, struct err *e)
{
	struct err first = ERR_INIT;

	*saved_out = action->mailbox;
	if (save(r, action->mailbox, &first) == 0)
		return 0;
	if (!action->may_fall_back || !is_about_mailbox(first.code)) {
		*e = first;
		return err_wrap(e, "saving to %.*s", SPAN_ARG(action->mailbox));
	}
	log_debug("saving to %.*s: %s: INBOX is taken", SPAN_ARG(action->mailbox), first.log);
	*saved_out = SPAN("INBOX");
	return save(r, SPAN("INBOX"), e) == 0 ? 0 : err_wrap(e, "saving to INBOX");
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

/* A field for the log: one line, not too long. */
static struct span
log_value(const struct deliver_request *r, struct span name)
{
	struct span value;

	if (!header_get(r->message, name, &value))
		return SPAN("");
	value = span_sub(value, 0, LOG_VALUE_MAX);
	value.n = span_chr(value, '\n');
	return span_trim(value);
}

static void
log_outcome(const struct deliver_request *r, const char *what)
{
	struct buf line = BUF_INIT(4096);
	struct err e = ERR_INIT;
	char size[24];

	snprintf(size, sizeof(size), "%zu", r->header.n + r->message.n);
	if (vars_expand(&line, set_str(r->view, SET_deliver_log_format), (struct var[]){
		{ '$', NULL, span_str(what) },
		{ 'm', "msgid", log_value(r, SPAN("message-id")) },
		{ 's', "subject", log_value(r, SPAN("subject")) },
		{ 'f', "from", log_value(r, SPAN("from")) },
		{ 'e', "from_envelope", r->sender },
		{ 0, "to_envelope", r->recipient },
		{ 'p', "size", span_str(size) },
		{ 'w', "vsize", span_str(size) },
		{ 0, "session", r->session },
		{ 0, NULL, SPAN_NONE },
	}, &e) == -1)
		log_error("deliver_log_format: %s", e.log);
	log_info("%.*s", SPAN_ARG(buf_span(&line)));
	buf_clear(&line);
}

void
deliver_message(const struct deliver_request *r, struct deliver_result *out)
{
	struct deliver_action actions[DELIVER_ACTIONS];
	struct err e = ERR_INIT;
	struct span saved = SPAN("INBOX");
	char what[512];
	size_t count;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (is_loop(r)) {
		out->code = ERR_LIMIT;
		out->permanent = true;
		out->reply = 554;
		snprintf(out->text, sizeof(out->text), "5.4.6 Too many Received fields: the message is in a loop");
		log_outcome(r, "rejected: too many Received fields");
		return;
	}
	deliver_decide(r, actions, &count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = perform(r, &actions[i], &saved, &e);
	if (rc == 0) {
		out->reply = 250;
		snprintf(out->text, sizeof(out->text), "2.0.0 <%.*s> %.*s Saved",
		    r->recipient.n > 150 ? 150 : (int)r->recipient.n, r->recipient.p, SPAN_ARG(r->session));
		snprintf(what, sizeof(what), "saved mail to %.*s", SPAN_ARG(saved));
		log_outcome(r, what);
		return;
	}
	fail(r, &e, out);
	snprintf(what, sizeof(what), "failed: %s", e.log);
	if (e.code != ERR_QUOTA && e.code != ERR_OVERQUOTA && e.code != ERR_TOOBIG)
		log_error("%s", e.log);
	log_outcome(r, what);
}

void
deliver_fits(const struct deliver_request *r, uint64_t size, struct deliver_result *out)
{
	struct deliver_action actions[DELIVER_ACTIONS];
	struct err e = ERR_INIT;
	size_t count;

	memset(out, 0, sizeof(*out));
	out->reply = 250;
	snprintf(out->text, sizeof(out->text), "2.1.5 OK");
	deliver_decide(r, actions, &count);
	for (size_t i = 0; i < count; i++) {
		if (storage_quota_fits(r->storage, actions[i].mailbox, size, &e) == 0)
			continue;
		/* A name that no mailbox can have: it goes to INBOX then. */
		if (actions[i].may_fall_back && is_about_mailbox(e.code) &&
		    storage_quota_fits(r->storage, SPAN("INBOX"), size, &e) == 0)
			continue;
		fail(r, &e, out);
		if (e.code != ERR_OVERQUOTA && e.code != ERR_TOOBIG)
			log_error("%s", e.log);
		return;
	}
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
