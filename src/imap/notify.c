/* SPDX-License-Identifier: MIT */
#include "imap/notify.h"

#include <stdlib.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define NAMES_MEMORY ((size_t)64 << 20)
#define POLL_ALONE_MS 1000	/* without hub's notices all is looked at this often, */
#define POLL_EACH_MS 20		/* and less often the more it is */

struct known {
	struct span name;
	unsigned attrs;			/* enum mailbox_attr */
	char separator;
	unsigned events;		/* that are wanted of it */
	uint64_t number;		/* storage_mailbox_number() */
	uint32_t watch_id;		/* 0: not watched */
	bool due, no_access;
	struct mailbox_status told;
};

/* All names at one time. */
struct names {
	struct arena *a;
	struct known *v;
	size_t n, wanted;		/* wanted: of which there are events */
	struct hash *by_name, *by_watch;
	struct known **due;
	size_t due_count;
};

struct imap_notify {
	struct arena *a;
	struct imap_notify_request r;
	const struct imap_notify_group *selected;	/* NULL: nothing is told of it */
	bool others;			/* some group is not of the selected mailbox */
	struct names *names;		/* NULL: not others */
	bool list_due, selected_due;
	int64_t looked_ms, synced_ms;	/* at all of it, without notices; at the selected mailbox */
	struct span own[2];
};

static void
names_free(struct names *names)
{
	if (names == NULL)
		return;
	hash_free(names->by_name);
	hash_free(names->by_watch);
	arena_free(names->a);
	free(names);
}

static bool
is_selected_group(const struct imap_notify_group *g)
{
	return g->filter == NOTIFY_SELECTED || g->filter == NOTIFY_SELECTED_DELAYED;
}

/* ---- which events of which mailbox ---- */

static bool
is_personal(struct imap_session *s, struct span name)
{
	const struct namespace_info *ns = NULL, *best = NULL;
	size_t count = storage_namespaces(s->st, &ns);

	for (size_t i = 0; i < count; i++) {
		bool has = span_starts(name, ns[i].prefix) || (imap_is_inbox(name) && ns[i].inbox);

		if (has && (best == NULL || ns[i].prefix.n > best->prefix.n))
			best = &ns[i];
	}
	return best == NULL || best->type == NS_PRIVATE;
}

static bool
has_name(const struct imap_notify_group *g, const struct known *k)
{
	for (size_t i = 0; i < g->name_count; i++) {
		struct span top = g->names[i];

		if (span_eq(k->name, top))
			return true;
		if (g->filter == NOTIFY_SUBTREE && span_starts(k->name, top) && k->name.n > top.n &&
		    k->name.p[top.n] == k->separator)
			return true;
	}
	return false;
}

/* Of the first group that has it (RFC 5465 section 3.1).  "Inboxes" may be all that are personal (section 6.3). */
static unsigned
events_of(struct imap_session *s, const struct imap_notify_request *r, const struct known *k)
{
	for (size_t i = 0; i < r->group_count; i++) {
		const struct imap_notify_group *g = &r->groups[i];

		switch (g->filter) {
		case NOTIFY_SELECTED:
		case NOTIFY_SELECTED_DELAYED:
			continue;
		case NOTIFY_INBOXES:
		case NOTIFY_PERSONAL:
			if (is_personal(s, k->name))
				return g->events;
			break;
		case NOTIFY_SUBSCRIBED:
			if ((k->attrs & MBOX_SUBSCRIBED) != 0)
				return g->events;
			break;
		case NOTIFY_SUBTREE:
		case NOTIFY_MAILBOXES:
			if (has_name(g, k))
				return g->events;
			break;
		}
	}
	return 0;
}

static bool
can_be_opened(const struct known *k)
{
	return (k->attrs & (MBOX_EXISTS | MBOX_NOSELECT)) == MBOX_EXISTS;
}

/* Names in namespaces that are not listed are found when they are asked for. */
static struct span *
starts_of(const struct imap_notify_request *r, struct arena *a, size_t *count_out)
{
	struct span *starts;
	size_t n = 0;

	for (size_t i = 0; i < r->group_count; i++)
		n += r->groups[i].name_count;
	starts = arena_alloc(a, n + 1, sizeof(*starts));
	*count_out = 0;
	for (size_t i = 0; i < r->group_count && starts != NULL; i++)
		for (size_t j = 0; j < r->groups[i].name_count; j++)
			starts[(*count_out)++] = r->groups[i].names[j];
	return starts;
}

static int
names_fill(struct imap_session *s, const struct imap_notify_request *r, struct names *names, struct err *e)
{
	struct mailbox_info *infos;
	size_t start_count, count;
	struct span *starts = starts_of(r, names->a, &start_count);

	if (starts == NULL)
		return err_set(e, ERR_LIMIT, "too many names");
	if (storage_list_starting(s->st, starts, start_count, names->a, &infos, &count, e) == -1)
		return -1;
	names->v = arena_alloc(names->a, count + 1, sizeof(*names->v));
	names->due = arena_alloc(names->a, count + 1, sizeof(struct known *));
	names->by_name = hash_new(count + 1);
	names->by_watch = hash_new(count + 1);
	if (names->v == NULL || names->due == NULL || names->by_name == NULL || names->by_watch == NULL)
		return err_set(e, ERR_LIMIT, "too many names");
	for (size_t i = 0; i < count; i++) {
		struct known *k = &names->v[names->n++];

		k->name = infos[i].name;
		k->attrs = infos[i].attrs;
		k->separator = infos[i].separator;
		k->events = events_of(s, r, k);
		if (k->events != 0) {
			if (names->wanted++ == s->lim.notify_mailboxes)
				return err_set(e, ERR_LIMIT, "more than %zu mailboxes", s->lim.notify_mailboxes);
			k->number = storage_mailbox_number(s->st, k->name);
		}
		if (!hash_set(names->by_name, k->name, k))
			return err_set(e, ERR_LIMIT, "too many names");
	}
	return 0;
}

static struct names *
names_new(struct imap_session *s, const struct imap_notify_request *r, struct err *e)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names != NULL)
		names->a = arena_new(NAMES_MEMORY);
	if (names == NULL || names->a == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
	} else if (names_fill(s, r, names, e) == 0) {
		storage_watch_lists(s->st, true);	/* the list may have opened more of them */
		return names;
	}
	names_free(names);
	return NULL;
}

/* ---- watching, and what STATUS tells ---- */

static struct span
id_key(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

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
	return s->box != NULL && span_eq(mailbox_name(s->box), k->name);
}

static void
make_due(struct names *names, struct known *k)
{
	if (k->due || k->watch_id == 0)
		return;
	k->due = true;
	names->due[names->due_count++] = k;
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
watch(struct imap_session *s, struct names *names, struct known *k, bool tells)
{
	struct err e = ERR_INIT;
	struct mailbox_status st;

	if (!can_be_opened(k))
		return;
	if ((k->events & NOTIFY_MESSAGE_EVENTS) == 0) {
		/* By its number a mailbox is known when it is renamed. */
		if ((k->events & NOTIFY_MAILBOX_NAME) != 0 && k->number == 0 &&
		    storage_status(s->st, k->name, STATUS_UIDVALIDITY, &st, &e) == 0)
			k->number = storage_mailbox_number(s->st, k->name);
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
	if (!hash_set(names->by_watch, id_key(&k->watch_id), k))
		log_error("NOTIFY: out of memory");
	if (tells && !is_the_selected(s, k))
		imap_put_status_of(s, k->name, items_of(s, k), &k->told);
}

static void
unwatch_all(struct imap_session *s, struct names *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < names->n; i++)
		storage_unwatch(s->st, names->v[i].watch_id);
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
	for (size_t i = 0; i < before->n && k->number != 0; i++)
		if (before->v[i].number == k->number && !is_there(hash_get(now->by_name, before->v[i].name)))
			return &before->v[i];
	return NULL;
}

/* The watch and what was told go on under k's name. */
static void
inherit(struct names *now, struct known *k, struct known *old)
{
	if ((k->events & NOTIFY_MESSAGE_EVENTS) == 0 || old->watch_id == 0)
		return;
	k->watch_id = old->watch_id;
	k->told = old->told;
	k->no_access = old->no_access;
	old->watch_id = 0;
	if (!hash_set(now->by_watch, id_key(&k->watch_id), k))
		log_error("NOTIFY: out of memory");
	if (old->due)
		make_due(now, k);
}

static void
compare_name(struct imap_session *s, struct names *before, struct names *now, struct known *k)
{
	struct imap_notify *n = s->notify;
	struct known *old = hash_get(before->by_name, k->name), *renamed = NULL;
	bool is_new = is_there(k) && !is_there(old), same = old != NULL && (old->number == k->number || old->number == 0);

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
			renamed->events = 0;	/* that was told with it */
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
	bool was_subscribed = (old->attrs & MBOX_SUBSCRIBED) != 0;

	if (is_own(s->notify, old) || (k != NULL && (is_there(k) || !is_there(old))))
		return;
	if (k != NULL)
		gone.attrs = k->attrs & MBOX_SUBSCRIBED;	/* the subscription stays */
	if (is_there(old) ? (old->events & NOTIFY_MAILBOX_NAME) != 0 :
	    was_subscribed && (old->events & NOTIFY_SUBSCRIPTION_CHANGE) != 0)
		put_list(s, &gone, SPAN_NONE);
}

static void
overflow(struct imap_session *s)
{
	imap_untagged(s, "OK [NOTIFICATIONOVERFLOW] More mailboxes than may be watched: nothing is told any more.");
	unwatch_all(s, s->notify->names);
	storage_watch_lists(s->st, false);
	names_free(s->notify->names);
	s->notify->names = NULL;
	s->notify->others = false;
	s->notify->selected = NULL;
}

static void
tell_names(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct names *before = n->names, *now;
	struct err e = ERR_INIT;

	n->list_due = false;
	now = names_new(s, &n->r, &e);
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
	names_free(before);
	for (size_t i = 0; i < now->n && !s->io.failed; i++)
		watch(s, now, &now->v[i], !is_own(n, &now->v[i]));
}

/* ---- the session's side ---- */

static void
notify_free(struct imap_notify *n)
{
	if (n == NULL)
		return;
	names_free(n->names);
	arena_free(n->a);
	free(n);
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
			n->others = n->others || n->r.groups[i].events != 0;
	}
	if (n->others && (n->names = names_new(s, r, e)) == NULL) {
		notify_free(n);
		return -1;
	}
	if (old != NULL) {
		unwatch_all(s, old->names);
		if (!n->others)
			storage_watch_lists(s->st, false);
		notify_free(old);
	}
	n->a = *a;
	*a = NULL;
	s->notify = n;
	for (size_t i = 0; n->names != NULL && i < n->names->n && !s->io.failed; i++)
		watch(s, n->names, &n->names->v[i], r->status);
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
	if (n->names == NULL)
		return;
	if (id == STORAGE_LIST_CHANGED)
		n->list_due = true;
	else if ((k = hash_get(n->names->by_watch, id_key(&id))) != NULL)
		make_due(n->names, k);
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
	for (size_t i = 0; n->names != NULL && i < n->names->n; i++)
		make_due(n->names, &n->names->v[i]);
}

void
imap_notify_new_hub(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct mailbox_status st;

	if (n == NULL)
		return;
	if (n->names != NULL)
		storage_watch_lists(s->st, true);
	for (size_t i = 0; n->names != NULL && i < n->names->n; i++) {
		struct known *k = &n->names->v[i];
		struct err e = ERR_INIT;

		if (k->watch_id != 0 && storage_watch(s->st, k->name, STATUS_UIDVALIDITY, &k->watch_id, &st, &e) == -1)
			log_debug("NOTIFY: %s", e.log);
	}
	imap_notify_look_at_all(s);
}

void
imap_notify_left(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct mailbox_view_state vs;
	struct known *k;

	if (n == NULL || n->names == NULL || s->box == NULL || (k = hash_get(n->names->by_name, mailbox_name(s->box))) == NULL)
		return;
	mailbox_view_state(s->box, &vs);
	k->told.messages = mailbox_count(s->box);
	k->told.uidnext = vs.uidnext;
	k->told.uidvalidity = vs.uidvalidity;
	k->told.highestmodseq = vs.highestmodseq;
	make_due(n->names, k);
}

void
imap_notify_own(struct imap_session *s, struct span from, struct span to)
{
	if (s->notify == NULL || s->notify->names == NULL)
		return;
	s->notify->own[0] = from;
	s->notify->own[1] = to;
	s->notify->list_due = true;
}

void
imap_notify_tell(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n == NULL || n->names == NULL || s->end != IMAP_GO_ON)
		return;
	if (n->list_due)
		tell_names(s);
	n->own[0] = n->own[1] = SPAN_NONE;
	while (n->names != NULL && n->names->due_count > 0 && !s->io.failed) {
		struct known *k = n->names->due[--n->names->due_count];

		k->due = false;
		tell_status(s, k);
	}
}

int
imap_notify_poll_ms(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	int64_t left;

	if (n == NULL || (n->names == NULL && n->selected == NULL) || (!s->hub_gone && s->start->hub_fd != -1))
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
