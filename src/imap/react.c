/* SPDX-License-Identifier: MIT */
#include "imap/react.h"

#include <stdlib.h>
#include "lib/log.h"
#include "lib-deliver/event.h"

#define ANSWER_MEMORY ((size_t)64 << 10)

struct imap_react {
	struct imap_react_params p;
	struct deliver_events *scripts;	/* NULL: none can run */
};

int
imap_react_new(const struct imap_react_params *p, struct imap_react **out, struct err *e)
{
	const struct deliver_event_user u = { .storage = p->storage, .view = p->view, .user = p->user, .home = p->home,
					      .session = p->session, .means = p->means };
	struct imap_react *r = calloc(1, sizeof(*r));
	struct err one = ERR_INIT;

	if (r == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	r->p = *p;
	if (deliver_event_wanted(p->view) && deliver_events_open(&u, &r->scripts, &one) == -1)
		log_error("imapsieve: %s", one.log);
	*out = r;
	return 0;
}

void
imap_react_free(struct imap_react *r)
{
	if (r == NULL)
		return;
	deliver_events_close(r->scripts);
	free(r);
}

static bool
is_told_to_end(const struct imap_react *r)
{
	return r->p.told_to_end != NULL && r->p.told_to_end();
}

/* The mailbox as it was then; another of that name is none of the event's business. */
static int
open_box(struct imap_react *r, const struct imap_event *event, enum mailbox_mode mode, struct mailbox **out, struct err *e)
{
	struct mailbox_view_state vs;

	if (mailbox_open(r->p.storage, event->mailbox, mode, out, e) == -1)
		return -1;
	mailbox_view_state(*out, &vs);
	if (vs.uidvalidity == event->uidvalidity)
		return 0;
	mailbox_close(*out);
	*out = NULL;
	return err_set(e, ERR_GONE, "%.*s is another mailbox now", SPAN_ARG(event->mailbox));
}

void
imap_react_scripts(struct imap_react *r, const struct imap_event *event, size_t *next)
{
	const struct imapsieve_event what = { .cause = event->cause, .mailbox = event->mailbox, .from = event->from,
					      .changed_flags = event->changed_flags };
	struct mailbox *box = NULL;
	struct err e = ERR_INIT;

	if (r->scripts == NULL || !event->scripts) {
		*next = event->count;
		return;
	}
	if (open_box(r, event, MAILBOX_CHANGE, &box, &e) == -1) {
		log_error("imapsieve: %s", e.log);
		*next = event->count;
		return;
	}
	while (*next < event->count && !is_told_to_end(r)) {
		uint32_t uid = event->uids[(*next)++];
		struct err one = ERR_INIT;

		if (deliver_events_run(r->scripts, &what, box, uid, &one) == 0)
			continue;
		/* Who expunges it meanwhile wants no more of it. */
		if (one.code == ERR_GONE)
			log_debug("imapsieve: %s", one.log);
		else
			log_error("imapsieve: %.*s UID %u: %s", SPAN_ARG(event->mailbox), uid, one.log);
	}
	mailbox_close(box);
}

static int
teach(struct imap_react *r, const struct imap_event *event, uint32_t uid, struct arena *a, struct spam_verdict *v, struct err *e)
{
	struct spam_question q = { .task = event->learn, .user = r->p.user };
	struct mailbox *box = NULL;
	struct msg_rec rec;
	struct span text;
	int rc = -1;

	if (r->p.scan == NULL || !r->p.scan->on)
		return err_set(e, ERR_NOTFOUND, "the service's settings name no scanner that may be taught");
	if (open_box(r, event, MAILBOX_READ, &box, e) == -1)
		return -1;
	if (mailbox_get(box, uid, &rec, e) == -1)
		goto out;
	/* Before it is read. */
	if (rec.physical_size > r->p.scan->max_size) {
		err_set(e, ERR_TOOBIG, "it is larger than spam_scanner_max_size");
		goto out;
	}
	rc = mailbox_body(box, uid, &text, e);
	mailbox_read_end(box);
	if (rc == 0)
		rc = spam_scan_ask(r->p.scan, &q, text, a, v, e);
out:
	mailbox_read_end(box);
	mailbox_close(box);
	return rc;
}

void
imap_react_teach(struct imap_react *r, const struct imap_event *event, struct imap_lessons *l)
{
	uint32_t uid = event->uids[l->next++];
	struct arena *a = arena_new(ANSWER_MEMORY);
	struct spam_verdict v;
	struct err e = ERR_INIT;

	if (a == NULL)
		err_set(&e, ERR_TEMP, "out of memory");
	if (a != NULL && teach(r, event, uid, a, &v, &e) == 0) {
		l->learned += v.nothing_new ? 0 : 1;
		l->nothing_new += v.nothing_new ? 1 : 0;
	} else {
		/* Hundreds that are moved at once fail for one reason, as a rule. */
		if (e.code != ERR_GONE && e.code != ERR_TOOBIG && is_told_to_end(r))
			l->next--;
		else if (e.code == ERR_GONE || e.code == ERR_TOOBIG)
			log_info("%.*s UID %u is not learned: %s", SPAN_ARG(event->mailbox), uid, e.log);
		else if (l->missed++ == 0)
			log_error("%.*s UID %u is not learned: %s", SPAN_ARG(event->mailbox), uid, e.log);
	}
	arena_free(a);
}

void
imap_react_teach_end(const struct imap_event *event, const struct imap_lessons *l)
{
	const char *what = event->learn == SPAM_LEARN_SPAM ? "spam" : "ham";

	if (l->missed > 1)
		log_error("%zu messages in %.*s are not learned as %s", l->missed, SPAN_ARG(event->mailbox), what);
	if (l->nothing_new > 0)
		log_info("%zu messages in %.*s as %s told the spam scanner nothing new, or it does not learn", l->nothing_new,
		    SPAN_ARG(event->mailbox), what);
	if (l->learned > 0)
		log_info("learned %zu messages as %s: from %.*s to %.*s", l->learned, what,
		    SPAN_ARG(event->from.n > 0 ? event->from : SPAN("the client")), SPAN_ARG(event->mailbox));
}
