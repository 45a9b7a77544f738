/* SPDX-License-Identifier: MIT */
#include "imap/event.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/ipc-types.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/event.h"
#include "lib-filter/sieve/imapsieve.h"
#include "lib-storage/metadata.h"

#define RULES_MEMORY (256 << 10)
#define PATIENCE_MS 500		/* a command waits for scripts */
#define ROOM_MS 1000		/* and where the way there is full */
#define FLAG_EVENTS_MAX 10000	/* messages of one STORE */

enum { FLAG_SCRIPTS = 1 << 0, FLAG_SPAM = 1 << 1, FLAG_HAM = 1 << 2 };

struct imap_events {
	bool spam, ham;		/* is learned */
	bool scripts;
	struct span junk;	/* spam_junk_mailbox; empty: the special use */
	struct arena *a;	/* of the rules */
	struct imapsieve_rules rules;
	struct span url;
	int sock;		/* of the process behind; -1: there is none yet */
	uint32_t last, done;	/* ids: of the last event with scripts, and of the last that it is through with */
	bool late;		/* it took too long: nobody waits, until it has caught up */
	bool full;		/* it did not take in what was sent: nobody waits, until it does again */
	imap_event_sink *sink;
	void *sink_ctx;
};

struct imap_events *
imap_events_new(const struct session_start *ss, struct err *e)
{
	const struct set_view *v = ss->view;
	bool scanner = set_enum(v, SET_spam_scanner) != 0, spam = scanner && set_bool(v, SET_spam_learn_spam),
	    ham = scanner && set_bool(v, SET_spam_learn_ham), scripts = deliver_event_wanted(v);
	struct imap_events *ev;

	if (!spam && !ham && !scripts)
		return NULL;
	ev = calloc(1, sizeof(*ev));
	if (ev == NULL || (ev->a = arena_new(RULES_MEMORY)) == NULL) {
		free(ev);
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	ev->spam = spam;
	ev->ham = ham;
	ev->scripts = scripts;
	ev->junk = set_str(v, SET_spam_junk_mailbox);
	ev->sock = -1;
	/* Wrong rules are the administrator's mistake, and no reason to keep users from their mail. */
	if (scripts && deliver_event_rules(v, ev->a, &ev->rules, &ev->url, e) == -1) {
		log_error("%s", e->log);
		*e = (struct err)ERR_INIT;
		ev->scripts = false;
	}
	return ev;
}

void
imap_events_free(struct imap_events *ev)
{
	if (ev == NULL)
		return;
	if (ev->sock != -1)
		close(ev->sock);
	arena_free(ev->a);
	free(ev);
}

bool
imap_events_have_scripts(const struct imap_events *ev)
{
	return ev != NULL && ev->scripts;
}

struct span
imap_events_url(const struct imap_events *ev)
{
	return ev == NULL || !ev->scripts ? SPAN("") : ev->url;
}

void
imap_events_to(struct imap_events *ev, imap_event_sink *sink, void *ctx)
{
	ev->sink = sink;
	ev->sink_ctx = ctx;
}

/* ---- frames ---- */

void
imap_event_write(struct ipc_out *o, const struct imap_event *event)
{
	struct buf uids = BUF_INIT((IMAP_EVENT_UIDS + 1) * 4);

	buf_add_be32(&uids, event->uidvalidity);
	for (size_t i = 0; i < event->count; i++)
		buf_add_be32(&uids, event->uids[i]);
	ipc_begin(o, MSG_EVENT);
	ipc_put_u32(o, F_ID, event->id);
	ipc_put_u32(o, F_CODE, event->cause);
	ipc_put_u32(o, F_FLAGS, (event->scripts ? FLAG_SCRIPTS : 0) | (event->learn == SPAM_LEARN_SPAM ? FLAG_SPAM : 0) |
	    (event->learn == SPAM_LEARN_HAM ? FLAG_HAM : 0));
	ipc_put_bytes(o, F_NAME, event->mailbox);
	ipc_put_bytes(o, F_DETAIL, event->from.p == NULL ? SPAN("") : event->from);
	ipc_put_bytes(o, F_TEXT, event->changed_flags.p == NULL ? SPAN("") : event->changed_flags);
	ipc_put_bytes(o, F_DATA, buf_span(&uids));
	buf_clear(&uids);
}

int
imap_event_read(struct ipc_msg *m, uint32_t room[IMAP_EVENT_UIDS], struct imap_event *out, struct err *e)
{
	uint32_t flags;
	struct span uids;

	*out = (struct imap_event){ .id = ipc_u32(m, F_ID), .cause = ipc_u32(m, F_CODE) };
	flags = ipc_u32(m, F_FLAGS);
	out->scripts = (flags & FLAG_SCRIPTS) != 0;
	out->learn = (flags & FLAG_SPAM) != 0 ? SPAM_LEARN_SPAM : (flags & FLAG_HAM) != 0 ? SPAM_LEARN_HAM : SPAM_CHECK;
	out->mailbox = ipc_bytes(m, F_NAME, IMAP_EVENT_NAME);
	out->from = ipc_bytes(m, F_DETAIL, IMAP_EVENT_NAME);
	out->changed_flags = ipc_bytes(m, F_TEXT, IMAP_EVENT_NAME);
	uids = ipc_bytes(m, F_DATA, (IMAP_EVENT_UIDS + 1) * 4);
	if (!ipc_end(m) || uids.n < 8 || uids.n % 4 != 0 || out->mailbox.n == 0 ||
	    (out->cause != IMAPSIEVE_APPEND && out->cause != IMAPSIEVE_COPY && out->cause != IMAPSIEVE_FLAG))
		return err_set(e, ERR_SYNTAX, "malformed event");
	out->uidvalidity = be32_get(uids.p);
	for (size_t i = 4; i < uids.n; i += 4)
		room[out->count++] = be32_get(uids.p + i);
	out->uids = room;
	return 0;
}

/* ---- the process behind ---- */

static void
let_go(struct imap_events *ev)
{
	if (ev->sock != -1)
		close(ev->sock);
	ev->sock = -1;
	ev->done = ev->last;
	ev->late = false;
}

/* Asks the parent for it.  What is sent before it is there waits in the socket. */
static int
call_behind(struct imap_session *s, struct err *e)
{
	struct imap_events *ev = s->events;
	struct ipc_out o;
	int pair[2], rc;

	if (s->start->parent_fd == -1 || s->parent_gone)
		return err_set(e, ERR_EOF, "the service's parent is not there");
	if (ipc_pair(pair, e) == -1)
		return -1;
	ipc_begin(&o, MSG_BEHIND);
	ipc_put_fd(&o, pair[1]);
	rc = ipc_send(s->start->parent_fd, &o, e);
	if (rc == -1)
		ipc_out_clear(&o);
	close(pair[1]);
	if (rc == -1 || fd_nonblock(pair[0], true) == -1) {
		close(pair[0]);
		return -1;
	}
	ev->sock = pair[0];
	return 0;
}

/* What it is through with.  False: it has gone. */
static bool
take_answers(struct imap_events *ev, int timeout_ms)
{
	int64_t until = clock_ms() + timeout_ms;
	struct err e = ERR_INIT;
	struct ipc_msg m;
	bool there = true;

	if (ev->sock == -1 || ipc_msg_init(&m, &e) == -1)
		return ev->sock != -1;
	while (there) {
		int64_t left = until - clock_ms();
		int rc = ipc_recv_wait(ev->sock, &m, left < 0 ? 0 : (int)left, &e);

		if (rc == -1 && e.code == ERR_TIMEOUT)
			break;
		there = rc == 1 && m.type == MSG_DONE;
		if (there)
			ev->done = ipc_u32(&m, F_ID);
		if (ev->done == ev->last && timeout_ms > 0)
			break;
	}
	ipc_msg_clear(&m);
	if (!there)
		let_go(ev);
	return there;
}

static bool
wait_for_room(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLOUT };

	return poll(&p, 1, ROOM_MS) == 1;
}

static int
send_event(struct imap_session *s, struct imap_event *event, struct err *e)
{
	struct imap_events *ev = s->events;

	for (int attempt = 0;; attempt++) {
		struct ipc_out o;
		int rc;

		if (ev->sock == -1 && call_behind(s, e) == -1)
			return -1;
		imap_event_write(&o, event);
		rc = ipc_send(ev->sock, &o, e);
		/* It looks a few times a second, whatever it is at; a client that is quicker than that is slowed down. */
		if (rc == -1 && e->code == ERR_INUSE && !ev->full && wait_for_room(ev->sock))
			rc = ipc_send(ev->sock, &o, e);
		ev->full = rc == -1 && e->code == ERR_INUSE;
		if (rc == 0)
			return 0;
		ipc_out_clear(&o);
		/* One without work ends after a while: then it is asked for anew. */
		if (e->code != ERR_EOF || attempt > 0)
			return e->code == ERR_INUSE ? err_set(e, ERR_LIMIT, "too much is waiting") : -1;
		let_go(ev);
	}
}

/* Scripts have a moment: what a quick one does is there when the command is answered. */
static void
wait_for_scripts(struct imap_events *ev)
{
	if (ev->sock == -1 || ev->done == ev->last)
		return;
	take_answers(ev, ev->late ? 0 : PATIENCE_MS);
	ev->late = ev->done != ev->last;
}

/* False: that was too much, or it can not be told; the log has it. */
static bool
raise_event(struct imap_session *s, struct imap_event event)
{
	struct imap_events *ev = s->events;
	const uint32_t *uids = event.uids;
	size_t count = event.count;
	struct err e = ERR_INIT;

	if (event.mailbox.n > IMAP_EVENT_NAME || event.from.n > IMAP_EVENT_NAME)
		return false;
	if (ev->sink == NULL)
		take_answers(ev, 0);
	for (size_t at = 0; at < count; at += IMAP_EVENT_UIDS) {
		event.uids = uids + at;
		event.count = count - at < IMAP_EVENT_UIDS ? count - at : IMAP_EVENT_UIDS;
		if (event.scripts)
			event.id = ++ev->last;
		if (ev->sink != NULL) {
			ev->sink(ev->sink_ctx, &event);
			ev->done = ev->last;
		} else if (send_event(s, &event, &e) == -1) {
			ev->last = event.scripts ? event.id - 1 : ev->last;
			log_error("%zu messages in %.*s: %s%s%s not done: %s", count - at, SPAN_ARG(event.mailbox),
			    event.scripts ? "scripts" : "", event.scripts && event.learn != SPAM_CHECK ? " and " : "",
			    event.learn != SPAM_CHECK ? "learning" : "", e.log);
			return false;
		}
	}
	wait_for_scripts(ev);
	return true;
}

/* ---- what is told ---- */

/* The user's own, which the metadata of the mailbox names, or the server's. */
static bool
names_script(struct imap_session *s, struct span mailbox)
{
	static const struct span name = { DELIVER_EVENT_ENTRY, sizeof(DELIVER_EVENT_ENTRY) - 1 };
	struct metadata *found;
	struct err e = ERR_INIT;
	size_t count;

	if (storage_metadata_get(s->st, mailbox, &name, 1, 0, s->arena, &found, &count, &e) == 0)
		return count > 0 && found[0].value.n > 0;
	log_error("%s", e.log);
	return false;
}

static bool
has_scripts(struct imap_session *s, const struct imapsieve_event *what)
{
	const struct imap_events *ev = s->events;
	struct span locations[1];
	size_t before;

	return ev->scripts && (imapsieve_select(&ev->rules, what, locations, 1, &before) > 0 ||
	    (ev->url.n > 0 && (names_script(s, what->mailbox) || names_script(s, SPAN("")))));
}

static bool
has_use(struct imap_session *s, struct span name, unsigned use)
{
	struct mailbox_info info;
	struct err e = ERR_INIT;

	return storage_mailbox_info(s->st, name, &info, &e) == 0 && (info.attrs & use) != 0;
}

static bool
is_junk(struct imap_session *s, struct span name)
{
	return s->events->junk.n > 0 ? span_eq(name, s->events->junk) : has_use(s, name, MBOX_USE_JUNK);
}

/* Trash, INBOX.Trash */
static bool
is_trash(struct imap_session *s, struct span name)
{
	static const struct span trash = { "Trash", 5 };
	size_t at = name.n - trash.n;

	return has_use(s, name, MBOX_USE_TRASH) || span_ieq(name, trash) || (name.n > trash.n &&
	    name.p[at - 1] == storage_separator(s->st, name) && span_ieq(span_from(name, at), trash));
}

/* Junk that is thrown away is junk still. */
static enum spam_task
lesson(struct imap_session *s, struct span from, struct span to)
{
	bool was;

	if (!s->events->spam && !s->events->ham)
		return SPAM_CHECK;
	was = is_junk(s, from);
	if (was == is_junk(s, to))
		return SPAM_CHECK;
	if (!was)
		return s->events->spam ? SPAM_LEARN_SPAM : SPAM_CHECK;
	return s->events->ham && !is_trash(s, to) ? SPAM_LEARN_HAM : SPAM_CHECK;
}

void
imap_event_appended(struct imap_session *s, struct mailbox *box, uint32_t uidvalidity, const struct uid_list *uids)
{
	const struct imapsieve_event what = { .cause = IMAPSIEVE_APPEND, .mailbox = mailbox_name(box) };
	struct imap_event event = { .cause = IMAPSIEVE_APPEND, .mailbox = what.mailbox, .uidvalidity = uidvalidity,
				    .uids = uids->uids, .count = uids->count, .scripts = has_scripts(s, &what),
				    .learn = SPAM_CHECK };

	/* Programs that keep a copy of the mailboxes bring what was moved there so. */
	if (s->events->spam && is_junk(s, what.mailbox))
		event.learn = SPAM_LEARN_SPAM;
	if (event.scripts || event.learn != SPAM_CHECK)
		raise_event(s, event);
}

void
imap_event_copied(struct imap_session *s, struct span to, const struct copy_result *cr)
{
	const struct imapsieve_event what = { .cause = IMAPSIEVE_COPY, .mailbox = to, .from = mailbox_name(s->box) };
	struct imap_event event = { .cause = IMAPSIEVE_COPY, .mailbox = to, .from = what.from, .uidvalidity = cr->uidvalidity,
				    .uids = cr->to.uids, .count = cr->to.count, .scripts = has_scripts(s, &what),
				    .learn = lesson(s, what.from, to) };

	if (event.scripts || event.learn != SPAM_CHECK)
		raise_event(s, event);
}

struct flags_of {
	uint32_t uid;
	unsigned flags;
	uint64_t keywords;
};

struct imap_flags_before {
	size_t count;
	struct flags_of v[];
};

struct imap_flags_before *
imap_event_flags_before(struct imap_session *s, const struct uid_list *uids)
{
	const struct imapsieve_event what = { .cause = IMAPSIEVE_FLAG, .mailbox = mailbox_name(s->box) };
	size_t count = uids->count < FLAG_EVENTS_MAX ? uids->count : FLAG_EVENTS_MAX;
	struct imap_flags_before *b;
	struct msg_rec rec;
	struct err e = ERR_INIT;

	if (!has_scripts(s, &what) || (b = arena_alloc(s->arena, 1, sizeof(*b) + count * sizeof(b->v[0]))) == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (mailbox_get(s->box, uids->uids[i], &rec, &e) == 0)
			b->v[b->count++] = (struct flags_of){ rec.uid, rec.flags, rec.keywords };
	mailbox_read_end(s->box);
	if (count < uids->count)
		log_warning("scripts run on the first %zu of %zu messages whose flags are changed", count, uids->count);
	return b;
}

/* What did change: b's flags become that, where its messages are among changed; 0 and 0: nothing. */
static void
differences(struct imap_session *s, struct imap_flags_before *b, const struct uid_list *changed)
{
	size_t at = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct flags_of *f = &b->v[i];
		struct msg_rec now = { .flags = f->flags, .keywords = f->keywords };
		struct err e = ERR_INIT;

		while (at < changed->count && changed->uids[at] < f->uid)
			at++;
		if (at < changed->count && changed->uids[at] == f->uid && mailbox_get(s->box, f->uid, &now, &e) == -1)
			now = (struct msg_rec){ .flags = f->flags, .keywords = f->keywords };
		f->flags ^= now.flags;
		f->keywords ^= now.keywords;
	}
	mailbox_read_end(s->box);
}

/* All messages with the same change are one event. */
void
imap_event_flags(struct imap_session *s, struct imap_flags_before *b, const struct uid_list *changed)
{
	struct imap_event event = { .cause = IMAPSIEVE_FLAG, .mailbox = mailbox_name(s->box), .scripts = true };
	uint32_t *uids = arena_alloc(s->arena, b->count + 1, sizeof(*uids));
	struct buf words = BUF_INIT(IMAP_EVENT_NAME);
	struct mailbox_view_state vs;
	bool goes_on = uids != NULL;

	mailbox_view_state(s->box, &vs);
	event.uidvalidity = vs.uidvalidity;
	event.uids = uids;
	differences(s, b, changed);
	for (size_t i = 0; i < b->count && goes_on; i++) {
		const struct msg_rec what = { .flags = b->v[i].flags, .keywords = b->v[i].keywords };

		if (what.flags == 0 && what.keywords == 0)
			continue;
		event.count = 0;
		for (size_t k = i; k < b->count; k++) {
			struct flags_of *f = &b->v[k];

			if (f->flags != what.flags || f->keywords != what.keywords)
				continue;
			uids[event.count++] = f->uid;
			f->flags = 0;
			f->keywords = 0;
		}
		buf_reset(&words);
		deliver_event_flag_words(s->box, &what, &words);
		event.changed_flags = buf_span(&words);
		goes_on = raise_event(s, event);
	}
	mailbox_read_end(s->box);
	buf_clear(&words);
}
