/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_NOTIFY_H
#define CULVER_LIB_PROTOCOL_IMAP_NOTIFY_H
/* What a NOTIFY asks for (RFC 5465 section 8). */
#include "lib/buf.h"
#include "lib-protocol/imap-fetch-items.h"

enum {
	NOTIFY_MESSAGE_NEW = 1 << 0,
	NOTIFY_MESSAGE_EXPUNGE = 1 << 1,
	NOTIFY_FLAG_CHANGE = 1 << 2,
	NOTIFY_ANNOTATION_CHANGE = 1 << 3,
	NOTIFY_MAILBOX_NAME = 1 << 4,
	NOTIFY_SUBSCRIPTION_CHANGE = 1 << 5,
	NOTIFY_MAILBOX_METADATA = 1 << 6,
	NOTIFY_SERVER_METADATA = 1 << 7,
	NOTIFY_UNKNOWN = 1 << 8,	/* a name that no standard has */
	NOTIFY_MESSAGE_EVENTS = 0x0f,
};

enum imap_notify_filter {
	NOTIFY_SELECTED,
	NOTIFY_SELECTED_DELAYED,
	NOTIFY_INBOXES,
	NOTIFY_PERSONAL,
	NOTIFY_SUBSCRIBED,
	NOTIFY_SUBTREE,
	NOTIFY_MAILBOXES,
};

struct imap_notify_group {
	enum imap_notify_filter filter;
	unsigned events;		/* 0: NONE */
	struct span *names;		/* of SUBTREE and MAILBOXES, as they were sent */
	size_t name_count;
	bool fetches;			/* of a selected mailbox: what is told of new messages */
	struct fetch_items items;
};

struct imap_notify_request {
	bool none, status;
	struct imap_notify_group *groups;	/* of SET; the first that has a mailbox counts */
	size_t group_count;
	unsigned events;			/* of all groups */
};

struct imap_notify_limits {
	size_t groups, names;		/* names: of all groups */
	struct fetch_limits fetch;
};

/*
 * notify = "NOTIFY" SP (notify-set / notify-none), from behind the command's name to its end.  False: in->why says what is wrong,
 * combinations that section 5 and 6.1 forbid among it.  Everything in out lives in the arena or in the text.
 */
bool imap_notify_parse(struct imap_in *in, const struct imap_notify_limits *lim, struct imap_notify_request *out);
/* The names of events, each with a space in front of the next. */
void imap_notify_events_write(struct buf *b, unsigned events);
#endif
