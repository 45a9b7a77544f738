/* SPDX-License-Identifier: MIT */
#include "imap/notify-names.h"

#include <stdlib.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define POLL_ALONE_MS 1000	/* without hub's notices all is looked at this often, */
#define POLL_EACH_MS 20		/* and less often the more it is */

struct imap_notify {
	struct arena *a;
	struct imap_notify_request r;
	const struct imap_notify_group *selected;	/* NULL: nothing is told of it */
	bool others;			/* some group is not of the selected mailbox */
	struct names *names;		/* NULL: not others */
	bool list_due, selected_due;
	uint32_t server_id;		/* of the server's annotations */
	bool server_due;
	struct imap_notes *server;	/* NULL: they are not wanted */
	struct span own_mailbox;	/* whose annotations the command has changed: own_notes */
	struct imap_own_notes own_notes;
	int64_t looked_ms, synced_ms;	/* at all of it, without notices; at the selected mailbox */
	struct span own[2];
};

static bool
is_selected_group(const struct imap_notify_group *g)
{
	return g->filter == NOTIFY_SELECTED || g->filter == NOTIFY_SELECTED_DELAYED;
}

/* ---- watching, and what STATUS tells ---- */

static unsigned
items_of(const struct imap_session *s, const struct known *k)
{
	unsigned items = STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY;

	if ((k->events & NOTIFY_FLAG_CHANGE) != 0)
		items |= STATUS_UNSEEN | STATUS_HIGHESTMODSEQ;
	return s->condstore ? items | STATUS_HIGHESTMODSEQ : items;
}

static void
put_list(struct imap_session *s, const struct known *k, struct span old_name)
{
	imap_put_list(s, &(struct mailbox_info){ k->name, k->attrs, k->separator }, k->no_access, old_name);
}

static bool
is_the_selected(const struct imap_session *s, const struct known *k)
{
	/* Whatever it was called when it was selected. */
	return s->box != NULL && k->number == mailbox_number(s->box);
}

/* It could not be opened.  Names that may be known, of mailboxes that may not be read, are told (RFC 5465 sections 3.1, 5.9). */
static void
no_access(struct imap_session *s, struct known *k, const struct err *e)
{
	if (e->code == ERR_DENIED && !k->no_access) {
		k->no_access = true;
		put_list(s, k, SPAN_NONE);
	} else if (e->code != ERR_DENIED && e->code != ERR_NOTFOUND) {
		log_error("NOTIFY: %s", e->log);
	}
}

static void
watch_notes(struct imap_session *s, struct names *names, struct known *k)
{
	struct err e = ERR_INIT;

	if (storage_watch_metadata(s->st, k->name, &k->notes_id, &e) == 0 && (k->notes = imap_notes_read(s, k->name, &e)) != NULL) {
		notify_remember_watch(names, &k->notes_id, k);
		return;
	}
	storage_unwatch(s->st, k->notes_id);
	k->notes_id = 0;
	if (e.code != ERR_DENIED && e.code != ERR_NOTFOUND)
		log_error("NOTIFY: %s", e.log);
}

/* One that is not in the index yet, or is being renamed, has its number when it has been opened. */
static void
learn_number(struct imap_session *s, struct names *names, struct known *k)
{
	struct mailbox_status st;
	struct err e = ERR_INIT;

	if (k->number != 0 || !notify_can_open(k) || storage_status(s->st, k->name, STATUS_UIDVALIDITY, &st, &e) == -1)
		return;
	k->number = storage_mailbox_number(s->st, k->name);
	notify_remember_number(names, k);
}

static void
watch(struct imap_session *s, struct names *names, struct known *k, bool tells)
{
	struct err e = ERR_INIT;

	if (!notify_can_open(k))
		return;
	if ((k->events & NOTIFY_MAILBOX_METADATA) != 0 && k->notes == NULL)
		watch_notes(s, names, k);
	if ((k->events & NOTIFY_MESSAGE_EVENTS) == 0) {
		/* By its number a mailbox is known when it is renamed. */
		if ((k->events & NOTIFY_MAILBOX_NAME) != 0)
			learn_number(s, names, k);
		return;
	}
	if (k->watch_id != 0)
		return;
	if (storage_watch(s->st, k->name, items_of(s, k), &k->watch_id, &k->told, &e) == -1) {
		no_access(s, k, &e);
		return;
	}
	k->no_access = false;
	k->number = storage_mailbox_number(s->st, k->name);
	notify_remember_number(names, k);
	notify_remember_watch(names, &k->watch_id, k);
	if (tells && !is_the_selected(s, k))
		imap_put_status_of(s, k->name, items_of(s, k), &k->told);
}

static void
unwatch_all(struct imap_session *s, struct names *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < names->n; i++) {
		storage_unwatch(s->st, names->v[i].watch_id);
		storage_unwatch(s->st, names->v[i].notes_id);
	}
}

static bool
differs(const struct known *k, const struct mailbox_status *st)
{
	const struct mailbox_status *told = &k->told;

	return st->messages != told->messages || st->uidnext != told->uidnext || st->uidvalidity != told->uidvalidity ||
	    ((k->events & NOTIFY_FLAG_CHANGE) != 0 && st->highestmodseq != told->highestmodseq);
}

static void
tell_status(struct imap_session *s, struct known *k)
{
	struct mailbox_status st;
	struct err e = ERR_INIT;

	/* The view tells of it; when it is left, it is looked at again. */
	if (is_the_selected(s, k) || k->watch_id == 0)
		return;
	if (storage_status(s->st, k->name, items_of(s, k), &st, &e) == -1) {
		no_access(s, k, &e);
		return;
	}
	k->no_access = false;
	if (!differs(k, &st))
		return;
	k->told = st;
	imap_put_status_of(s, k->name, items_of(s, k), &st);
}

static void
tell_notes(struct imap_session *s, struct span mailbox, struct imap_notes **notes)
{
	static const struct imap_own_notes none = { NULL, 0 };
	struct imap_notify *n = s->notify;
	bool own = n->own_notes.count > 0 && span_eq(n->own_mailbox, mailbox);
	struct err e = ERR_INIT;
	struct imap_notes *now = imap_notes_read(s, mailbox, &e);

	if (now == NULL) {
		if (e.code != ERR_DENIED && e.code != ERR_NOTFOUND)
			log_error("NOTIFY: %s", e.log);
		return;
	}
	imap_notes_tell(s, mailbox, *notes, now, own ? &n->own_notes : &none);
	free(*notes);
	*notes = now;
}

/* ---- names that changed ---- */

static bool
is_at_or_below(struct span name, struct span top, char separator)
{
	return span_eq(name, top) || (span_starts(name, top) && name.n > top.n && name.p[top.n] == separator);
}

/* The client's own command did this: to the mailbox, what is below it, or what was made above it. */
static bool
is_own(const struct imap_notify *n, const struct known *k)
{
	for (size_t i = 0; i < 2; i++)
		if (n->own[i].n > 0 && (is_at_or_below(k->name, n->own[i], k->separator) ||
		    is_at_or_below(n->own[i], k->name, k->separator)))
			return true;
	return false;
}

static bool
is_there(const struct known *k)
{
	return k != NULL && (k->attrs & (MBOX_EXISTS | MBOX_NOSELECT)) != 0;
}

/* What k was called before, when it is a new name; NULL: it is new. */
static struct known *
old_of(const struct names *before, const struct names *now, const struct known *k)
{
	struct known *old = notify_numbered(before, k->number);

	return old == NULL || is_there(hash_get(now->by_name, old->name)) ? NULL : old;
}

/* The watch and what was told go on under k's name. */
static void
inherit(struct names *now, struct known *k, struct known *old)
{
	if ((k->events & NOTIFY_MESSAGE_EVENTS) != 0 && old->watch_id != 0) {
		k->watch_id = old->watch_id;
		k->told = old->told;
		old->watch_id = 0;
		notify_remember_watch(now, &k->watch_id, k);
	}
	if ((k->events & NOTIFY_MAILBOX_METADATA) != 0 && old->notes != NULL) {
		k->notes_id = old->notes_id;
		k->notes = old->notes;
		old->notes_id = 0;
		old->notes = NULL;
		notify_remember_watch(now, &k->notes_id, k);
	}
	k->no_access = old->no_access;
	notify_make_due(now, k, old->due, old->notes_due);
}

static void
compare_name(struct imap_session *s, struct names *before, struct names *now, struct known *k)
{
	struct imap_notify *n = s->notify;
	struct known *old = hash_get(before->by_name, k->name), *renamed = NULL;
	bool is_new = is_there(k) && !is_there(old), same;

	if (k->events != 0 && is_there(k))
		learn_number(s, now, k);
	/* What is listed and can not be opened is renamed or deleted just now: the next look tells. */
	if (old != NULL && k->number == 0) {
		k->number = old->number;
		notify_remember_number(now, k);
	}
	same = old != NULL && (old->number == k->number || old->number == 0);
	if (is_new && k->events != 0)
		renamed = old_of(before, now, k);
	if (renamed != NULL)
		inherit(now, k, renamed);
	else if (same)
		inherit(now, k, old);
	if (is_own(n, k))
		return;
	/* One that was there is another now: deleted and made again. */
	if ((k->events & NOTIFY_MAILBOX_NAME) != 0 && (is_new || (is_there(k) && (!same ||
	    ((old->attrs ^ k->attrs) & MBOX_NOSELECT) != 0)))) {
		put_list(s, k, renamed == NULL ? SPAN_NONE : renamed->name);
		if (renamed != NULL)
			renamed->renamed = true;
	} else if (((k->events | (old == NULL ? 0 : old->events)) & NOTIFY_SUBSCRIPTION_CHANGE) != 0 &&
	    (((old == NULL ? 0 : old->attrs) ^ k->attrs) & MBOX_SUBSCRIBED) != 0) {
		put_list(s, k, SPAN_NONE);
	}
}

static void
compare_gone(struct imap_session *s, const struct names *now, struct known *old)
{
	struct known *k = hash_get(now->by_name, old->name);
	struct known gone = { .name = old->name, .separator = old->separator };
	bool wants_name = (old->events & NOTIFY_MAILBOX_NAME) != 0;
	bool wants_subscription = (old->events & NOTIFY_SUBSCRIPTION_CHANGE) != 0;

	if (is_own(s->notify, old) || (k != NULL && (is_there(k) || !is_there(old))))
		return;
	if (k != NULL)
		gone.attrs = k->attrs;	/* a subscription stays, or it is a name above others */
	if ((is_there(old) && !old->renamed && wants_name) ||
	    (((old->attrs ^ gone.attrs) & MBOX_SUBSCRIBED) != 0 && wants_subscription))
		put_list(s, &gone, SPAN_NONE);
}

static void
overflow(struct imap_session *s)
{
	imap_untagged(s, "OK [NOTIFICATIONOVERFLOW] More mailboxes than may be watched: nothing is told any more.");
	unwatch_all(s, s->notify->names);
	storage_watch_lists(s->st, false);
	notify_names_free(s->notify->names);
	s->notify->names = NULL;
	s->notify->others = false;
	s->notify->selected = NULL;
	storage_unwatch(s->st, s->notify->server_id);
	free(s->notify->server);
	s->notify->server = NULL;
	s->notify->server_id = 0;
}

static void
tell_names(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct names *before = n->names, *now;
	struct err e = ERR_INIT;

	n->list_due = false;
	now = notify_names_new(s, &n->r, &e);
	if (now == NULL) {
		if (e.code == ERR_LIMIT)
			overflow(s);
		else
			log_error("NOTIFY: %s", e.log);
		return;
	}
	n->names = now;
	for (size_t i = 0; i < now->n && !s->io.failed; i++)
		compare_name(s, before, now, &now->v[i]);
	for (size_t i = 0; i < before->n && !s->io.failed; i++)
		compare_gone(s, now, &before->v[i]);
	unwatch_all(s, before);
	notify_names_free(before);
	for (size_t i = 0; i < now->n && !s->io.failed; i++)
		watch(s, now, &now->v[i], !is_own(n, &now->v[i]));
}

/* ---- the session's side ---- */

static void
notify_free(struct imap_notify *n)
{
	if (n == NULL)
		return;
	notify_names_free(n->names);
	free(n->server);
	arena_free(n->a);
	free(n);
}

static void
watch_server(struct imap_session *s, struct imap_notify *n)
{
	struct err e = ERR_INIT;

	if (storage_watch_metadata(s->st, SPAN(""), &n->server_id, &e) == -1 || (n->server = imap_notes_read(s, SPAN(""), &e)) == NULL)
		log_error("NOTIFY: %s", e.log);
}

int
imap_notify_set(struct imap_session *s, const struct imap_notify_request *r, struct arena **a, struct err *e)
{
	struct imap_notify *n = calloc(1, sizeof(*n)), *old = s->notify;

	if (n == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	n->r = *r;
	n->looked_ms = n->synced_ms = clock_ms();
	for (size_t i = 0; i < r->group_count; i++) {
		if (is_selected_group(&n->r.groups[i]))
			n->selected = &n->r.groups[i];
		else
			n->others = n->others || (n->r.groups[i].events & ~(unsigned)NOTIFY_SERVER_METADATA) != 0;
	}
	if (n->others && (n->names = notify_names_new(s, r, e)) == NULL) {
		notify_free(n);
		return -1;
	}
	if (old != NULL) {
		unwatch_all(s, old->names);
		storage_unwatch(s->st, old->server_id);
		if (!n->others)
			storage_watch_lists(s->st, false);
		notify_free(old);
	}
	n->a = *a;
	*a = NULL;
	s->notify = n;
	for (size_t i = 0; n->names != NULL && i < n->names->n && !s->io.failed; i++)
		watch(s, n->names, &n->names->v[i], r->status);
	if ((r->events & NOTIFY_SERVER_METADATA) != 0)
		watch_server(s, n);
	return 0;
}

void
imap_notify_free(struct imap_session *s)
{
	notify_free(s->notify);
	s->notify = NULL;
}

bool
imap_notify_wants(const struct imap_session *s, unsigned events)
{
	return s->notify == NULL || (s->notify->selected != NULL && (s->notify->selected->events & events) != 0);
}

const struct fetch_items *
imap_notify_items(const struct imap_session *s)
{
	const struct imap_notify_group *g = s->notify == NULL ? NULL : s->notify->selected;

	return g != NULL && g->fetches ? &g->items : NULL;
}

void
imap_notify_notice(void *session, uint32_t id)
{
	struct imap_session *s = session;
	struct imap_notify *n = s->notify;
	struct known *k;

	if (n == NULL)
		return;
	if (s->box != NULL && id == mailbox_watch_id(s->box))
		n->selected_due = true;
	if (id == n->server_id)
		n->server_due = n->server != NULL;
	if (n->names == NULL)
		return;
	if (id == STORAGE_LIST_CHANGED)
		n->list_due = true;
	else if ((k = notify_watched(n->names, id)) != NULL)
		notify_make_due(n->names, k, id == k->watch_id, id == k->notes_id);
}

void
imap_notify_look_at_all(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n == NULL)
		return;
	n->looked_ms = clock_ms();
	n->selected_due = true;
	n->list_due = n->names != NULL;
	n->server_due = n->server != NULL;
	for (size_t i = 0; n->names != NULL && i < n->names->n; i++)
		notify_make_due(n->names, &n->names->v[i], true, true);
}

void
imap_notify_new_hub(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct mailbox_status st;
	struct err server_e = ERR_INIT;

	if (n == NULL)
		return;
	if (n->names != NULL)
		storage_watch_lists(s->st, true);
	for (size_t i = 0; n->names != NULL && i < n->names->n; i++) {
		struct known *k = &n->names->v[i];
		struct err e = ERR_INIT;

		if (k->watch_id != 0 && storage_watch(s->st, k->name, STATUS_UIDVALIDITY, &k->watch_id, &st, &e) == -1)
			log_debug("NOTIFY: %s", e.log);
		if (k->notes_id != 0 && storage_watch_metadata(s->st, k->name, &k->notes_id, &e) == -1)
			log_debug("NOTIFY: %s", e.log);
	}
	if (n->server_id != 0 && storage_watch_metadata(s->st, SPAN(""), &n->server_id, &server_e) == -1)
		log_debug("NOTIFY: %s", server_e.log);
	imap_notify_look_at_all(s);
}

void
imap_notify_left(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct mailbox_view_state vs;
	struct known *k;

	if (n == NULL || n->names == NULL || s->box == NULL || (k = notify_numbered(n->names, mailbox_number(s->box))) == NULL)
		return;
	mailbox_view_state(s->box, &vs);
	k->told.messages = mailbox_count(s->box);
	k->told.uidnext = vs.uidnext;
	k->told.uidvalidity = vs.uidvalidity;
	k->told.highestmodseq = vs.highestmodseq;
	notify_make_due(n->names, k, true, false);
}

struct span
imap_notify_name(struct imap_session *s, struct span name, struct arena *a)
{
	struct buf room = BUF_INIT(4096);
	struct span listed = storage_listed_name(s->st, name, &room);

	if (listed.p != name.p)
		listed = arena_dup(a, listed);
	buf_clear(&room);
	return listed;
}

void
imap_notify_own_mail(struct imap_session *s, const struct mailbox *box, const struct uid_list *uids)
{
	struct imap_notify *n = s->notify;
	struct known *k;

	if (n == NULL || n->names == NULL || uids->count == 0 || (k = notify_numbered(n->names, mailbox_number(box))) == NULL ||
	    k->watch_id == 0)
		return;
	/* Anything that others do takes a UID, a message or a MODSEQ: then what there is differs from this, and is told whole. */
	if (uids->uids[0] != k->told.uidnext || uids->uids[uids->count - 1] - uids->uids[0] != uids->count - 1)
		return;
	k->told.uidnext += (uint32_t)uids->count;
	k->told.messages += (uint32_t)uids->count;
	k->told.highestmodseq++;
}

void
imap_notify_own_metadata(struct imap_session *s, struct span mailbox, const struct metadata *list, size_t count)
{
	struct imap_notify *n = s->notify;
	struct known *k;

	if (n == NULL)
		return;
	n->own_mailbox = mailbox = imap_notify_name(s, mailbox, s->arena);
	n->own_notes = (struct imap_own_notes){ list, count };
	if (mailbox.n == 0)
		n->server_due = n->server != NULL;
	else if (n->names != NULL && (k = hash_get(n->names->by_name, mailbox)) != NULL)
		notify_make_due(n->names, k, false, true);
}

void
imap_notify_own(struct imap_session *s, struct span from, struct span to)
{
	if (s->notify == NULL || s->notify->names == NULL)
		return;
	s->notify->own[0] = imap_notify_name(s, from, s->arena);
	s->notify->own[1] = imap_notify_name(s, to, s->arena);
	s->notify->list_due = true;
}

void
imap_notify_tell(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n == NULL || s->end != IMAP_GO_ON)
		return;
	if (n->list_due && n->names != NULL)
		tell_names(s);
	if (n->server_due && n->server != NULL) {
		n->server_due = false;
		tell_notes(s, SPAN(""), &n->server);
	}
	n->own[0] = n->own[1] = SPAN_NONE;
	while (n->names != NULL && n->names->due_count > 0 && !s->io.failed) {
		struct known *k = n->names->due[--n->names->due_count];

		bool figures = k->due, notes = k->notes_due;

		k->listed = k->due = k->notes_due = false;
		if (notes && k->notes != NULL)
			tell_notes(s, k->name, &k->notes);
		if (figures)
			tell_status(s, k);
	}
	n->own_notes.count = 0;
}

int
imap_notify_poll_ms(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	int64_t left;

	if (n == NULL || (n->names == NULL && n->selected == NULL && n->server == NULL) || (!s->hub_gone && s->start->hub_fd != -1))
		return -1;
	left = n->looked_ms + POLL_ALONE_MS + POLL_EACH_MS * (int64_t)(n->names == NULL ? 0 : n->names->wanted) - clock_ms();
	if (left > 0)
		return (int)left;
	imap_notify_look_at_all(s);
	return 0;
}

/* Changes of the selected mailbox.  Returns as imap_notify_between(). */
static int
between_selected(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct err e = ERR_INIT;
	int64_t now = clock_ms();

	if (s->box == NULL || !imap_notify_wants(s, NOTIFY_MESSAGE_EVENTS))
		return -1;
	if (mailbox_watch_id(s->box) == 0 && s->start->hub_fd != -1) {
		n->selected_due = true;
		if (mailbox_watch(s->box, true, &e) == -1) {
			log_debug("watch: %s", e.log);
			s->hub_gone = true;
		}
	}
	if (s->lim.poll_ms > 0 && now - n->synced_ms >= s->lim.poll_ms)
		n->selected_due = true;
	if (n->selected_due) {
		n->selected_due = false;
		n->synced_ms = now;
		imap_sync_wanted(s, n->selected->filter == NOTIFY_SELECTED);
	}
	return s->lim.poll_ms > 0 ? s->lim.poll_ms : -1;
}

int
imap_notify_between(struct imap_session *s)
{
	struct err e = ERR_INIT;
	int poll_ms, selected_ms;

	if (s->hub_new) {
		s->hub_new = false;
		imap_notify_new_hub(s);
		if (s->box != NULL && mailbox_watch_id(s->box) != 0 && mailbox_watch(s->box, true, &e) == -1)
			log_debug("watch: %s", e.log);
	}
	poll_ms = imap_notify_poll_ms(s);
	selected_ms = between_selected(s);
	imap_notify_tell(s);
	if (poll_ms == 0)
		poll_ms = imap_notify_poll_ms(s);
	return poll_ms == -1 || (selected_ms != -1 && selected_ms < poll_ms) ? selected_ms : poll_ms;
}
