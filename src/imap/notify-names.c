/* SPDX-License-Identifier: MIT */
#include "imap/notify-names.h"

#include <stdlib.h>

#include "lib/log.h"

#define NAMES_MEMORY ((size_t)64 << 20)

void
notify_names_free(struct names *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i].notes);
	hash_free(names->by_name);
	hash_free(names->by_watch);
	hash_free(names->by_number);
	arena_free(names->a);
	free(names);
}

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
				return g->events & ~(unsigned)NOTIFY_SERVER_METADATA;
			break;
		case NOTIFY_SUBSCRIBED:
			if ((k->attrs & MBOX_SUBSCRIBED) != 0)
				return g->events & ~(unsigned)NOTIFY_SERVER_METADATA;
			break;
		case NOTIFY_SUBTREE:
		case NOTIFY_MAILBOXES:
			if (has_name(g, k))
				return g->events & ~(unsigned)NOTIFY_SERVER_METADATA;
			break;
		}
	}
	return 0;
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
	names->by_watch = hash_new(2 * count + 1);
	names->by_number = hash_new(2 * count + 1);	/* one may get another on its way here */
	if (names->v == NULL || names->due == NULL || names->by_name == NULL || names->by_watch == NULL ||
	    names->by_number == NULL)
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
			notify_remember_number(names, k);
		}
		if (!hash_set(names->by_name, k->name, k))
			return err_set(e, ERR_LIMIT, "too many names");
	}
	return 0;
}

struct names *
notify_names_new(struct imap_session *s, const struct imap_notify_request *r, struct err *e)
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
	notify_names_free(names);
	return NULL;
}

static struct span
id_key(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

void
notify_remember_watch(struct names *names, uint32_t *id, struct known *k)
{
	if (!hash_set(names->by_watch, id_key(id), k))
		log_error("NOTIFY: out of memory");
}

struct known *
notify_watched(const struct names *names, uint32_t id)
{
	return hash_get(names->by_watch, id_key(&id));
}

static struct span
number_key(const uint64_t *number)
{
	return span_of(number, sizeof(*number));
}

void
notify_remember_number(struct names *names, struct known *k)
{
	if (k->number != 0 && hash_get(names->by_number, number_key(&k->number)) == NULL &&
	    !hash_set(names->by_number, number_key(&k->number), k))
		log_error("NOTIFY: out of memory");
}

struct known *
notify_numbered(const struct names *names, uint64_t number)
{
	struct known *k = hash_get(names->by_number, number_key(&number));

	return k != NULL && k->number == number ? k : NULL;
}

void
notify_make_due(struct names *names, struct known *k, bool figures, bool notes)
{
	k->due = k->due || (figures && k->watch_id != 0);
	k->notes_due = k->notes_due || (notes && k->notes_id != 0);
	if (k->listed || (!k->due && !k->notes_due))
		return;
	k->listed = true;
	names->due[names->due_count++] = k;
}
