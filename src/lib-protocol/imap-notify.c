/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-notify.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	struct span name;
	unsigned bit;
} event_names[] = {
	{ SPAN("MessageNew"), NOTIFY_MESSAGE_NEW },
	{ SPAN("MessageExpunge"), NOTIFY_MESSAGE_EXPUNGE },
	{ SPAN("FlagChange"), NOTIFY_FLAG_CHANGE },
	{ SPAN("AnnotationChange"), NOTIFY_ANNOTATION_CHANGE },
	{ SPAN("MailboxName"), NOTIFY_MAILBOX_NAME },
	{ SPAN("SubscriptionChange"), NOTIFY_SUBSCRIPTION_CHANGE },
	{ SPAN("MailboxMetadataChange"), NOTIFY_MAILBOX_METADATA },
	{ SPAN("ServerMetadataChange"), NOTIFY_SERVER_METADATA },
};

static const struct {
	struct span name;
	enum imap_notify_filter filter;
} filter_names[] = {
	{ SPAN("SELECTED"), NOTIFY_SELECTED },
	{ SPAN("SELECTED-DELAYED"), NOTIFY_SELECTED_DELAYED },
	{ SPAN("INBOXES"), NOTIFY_INBOXES },
	{ SPAN("PERSONAL"), NOTIFY_PERSONAL },
	{ SPAN("SUBSCRIBED"), NOTIFY_SUBSCRIBED },
	{ SPAN("SUBTREE"), NOTIFY_SUBTREE },
	{ SPAN("MAILBOXES"), NOTIFY_MAILBOXES },
};

struct room {
	const struct imap_notify_limits *lim;
	size_t names;
	bool selected;		/* a group for the selected mailbox was there */
};

static bool
is_selected(const struct imap_notify_group *g)
{
	return g->filter == NOTIFY_SELECTED || g->filter == NOTIFY_SELECTED_DELAYED;
}

static bool
take_name(struct imap_in *in, struct imap_notify_group *g, struct room *room)
{
	if (room->names == room->lim->names)
		return imap_fail(in, "Too many mailboxes");
	if (g->names == NULL) {
		size_t most = room->lim->names - room->names, fit = in->s.n / 2 + 1;

		g->names = arena_alloc(in->a, most < fit ? most : fit, sizeof(*g->names));
	}
	if (g->names == NULL)
		return imap_fail(in, "Too long command");
	if (!imap_astring(in, &g->names[g->name_count]))
		return false;
	g->name_count++;
	room->names++;
	return true;
}

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static bool
take_names(struct imap_in *in, struct imap_notify_group *g, struct room *room)
{
	if (!imap_sp(in))
		return false;
	if (!imap_take(in, '('))
		return take_name(in, g, room);
	for (;;) {
		if (!take_name(in, g, room))
			return false;
		if (imap_take(in, ')'))
			return true;
		if (!imap_sp(in))
			return false;
	}
}

static bool
take_filter(struct imap_in *in, struct imap_notify_group *g, struct room *room)
{
	struct span word;
	size_t i = 0;

	if (!imap_atom(in, &word))
		return false;
	while (i < COUNT(filter_names) && !span_ieq(word, filter_names[i].name))
		i++;
	if (i == COUNT(filter_names))
		return imap_fail(in, "Unknown mailbox filter");
	g->filter = filter_names[i].filter;
	if (is_selected(g)) {
		if (room->selected)
			return imap_fail(in, "Only one group can be of the selected mailbox");
		room->selected = true;
	}
	return (g->filter != NOTIFY_SUBTREE && g->filter != NOTIFY_MAILBOXES) || take_names(in, g, room);
}

/* event, and what MessageNew may have behind it */
static bool
take_event(struct imap_in *in, struct imap_notify_group *g, const struct room *room)
{
	struct imap_in ahead;
	struct span word;
	unsigned bit = NOTIFY_UNKNOWN;

	if (!imap_atom(in, &word))
		return false;
	for (size_t i = 0; i < COUNT(event_names); i++)
		if (span_ieq(word, event_names[i].name))
			bit = event_names[i].bit;
	g->events |= bit;
	ahead = *in;
	if (bit != NOTIFY_MESSAGE_NEW || !imap_sp(&ahead) || !imap_peek(&ahead, '('))
		return true;
	if (!is_selected(g))
		return imap_fail(in, "Only of the selected mailbox messages can be fetched");
	if (g->fetches)
		return imap_fail(in, "MessageNew is there twice");
	*in = ahead;
	g->fetches = true;
	return imap_fetch_items(in, &room->lim->fetch, &g->items);
}

/* RFC 5465 sections 5 and 6.1. */
static bool
is_sound(struct imap_in *in, const struct imap_notify_group *g)
{
	unsigned both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;

	if (is_selected(g) && (g->events & ~(unsigned)(NOTIFY_MESSAGE_EVENTS | NOTIFY_UNKNOWN)) != 0)
		return imap_fail(in, "Of the selected mailbox there are only events of messages");
	if ((g->events & NOTIFY_MESSAGE_EVENTS) != 0 && (g->events & both) != both)
		return imap_fail(in, "Events of messages need MessageNew and MessageExpunge");
	return true;
}

/* events = "(" event *(SP event) ")" / "NONE" */
static bool
take_events(struct imap_in *in, struct imap_notify_group *g, const struct room *room)
{
	if (imap_word(in, SPAN("NONE")))
		return true;
	if (!imap_take(in, '('))
		return imap_fail(in, "Expected a list of events");
	for (;;) {
		if (!take_event(in, g, room))
			return false;
		if (imap_take(in, ')'))
			return is_sound(in, g);
		if (!imap_sp(in))
			return false;
	}
}

bool
imap_notify_parse(struct imap_in *in, const struct imap_notify_limits *lim, struct imap_notify_request *out)
{
	struct room room = { lim, 0, false };

	*out = (struct imap_notify_request){ .none = false };
	if (imap_word(in, SPAN("NONE"))) {
		out->none = true;
		return imap_end(in);
	}
	if (!imap_word(in, SPAN("SET")))
		return imap_fail(in, "Expected SET or NONE");
	if (!imap_sp(in))
		return false;
	out->status = imap_word(in, SPAN("STATUS"));
	if (out->status && !imap_sp(in))
		return false;
	out->groups = arena_alloc(in->a, lim->groups, sizeof(*out->groups));
	if (out->groups == NULL)
		return imap_fail(in, "Too long command");
	do {
		struct imap_notify_group *g = &out->groups[out->group_count];

		if (out->group_count == lim->groups)
			return imap_fail(in, "Too many groups of events");
		if (!imap_take(in, '('))
			return imap_fail(in, "Expected a group of events");
		if (!take_filter(in, g, &room) || !imap_sp(in) || !take_events(in, g, &room))
			return false;
		if (!imap_take(in, ')'))
			return imap_fail(in, "Expected the end of a group");
		out->events |= g->events;
		out->group_count++;
	} while (imap_sp(in) && in->s.n > 0);
	return imap_end(in);
}

void
imap_notify_events_write(struct buf *b, unsigned events)
{
	const char *before = "";

	for (size_t i = 0; i < COUNT(event_names); i++) {
		if ((events & event_names[i].bit) == 0)
			continue;
		buf_adds(b, before);
		buf_add(b, event_names[i].name);
		before = " ";
	}
}
