/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_NOTIFY_NAMES_H
#define CULVER_IMAP_NOTIFY_NAMES_H
/* For notify.c: all mailboxes by name at one time, and which events are wanted of each. */
#include "imap/notify.h"
#include "lib/hash.h"

struct known {
	struct span name;
	unsigned attrs;			/* enum mailbox_attr */
	char separator;
	unsigned events;		/* that are wanted of it */
	uint64_t number;		/* storage_mailbox_number() */
	uint32_t watch_id;		/* 0: not watched */
	bool due, no_access;
	bool renamed;			/* it goes on under another name, and that was told */
	bool listed;			/* among those that are due, for one or the other */
	uint32_t notes_id;		/* the same for its annotations, which are compared with notes */
	bool notes_due;
	struct imap_notes *notes;
	struct mailbox_status told;
};

/* All names at one time. */
struct names {
	struct arena *a;
	struct known *v;
	size_t n, wanted;		/* wanted: of which there are events */
	struct hash *by_name, *by_watch, *by_number;
	struct known **due;
	size_t due_count;
};

/* Nothing is watched yet; but notices of lists come from then on.  ERR_LIMIT: events are wanted of more than may be watched. */
struct names *notify_names_new(struct imap_session *s, const struct imap_notify_request *r, struct err *e);
void notify_names_free(struct names *names);	/* NULL is fine; watches stay */
/* k->watch_id or k->notes_id, that id points to, stands for k from now on. */
void notify_remember_watch(struct names *names, uint32_t *id, struct known *k);
struct known *notify_watched(const struct names *names, uint32_t id);	/* NULL: nothing of these */
/* Behind each change of k->number.  Of two with one number the first has it. */
void notify_remember_number(struct names *names, struct known *k);
struct known *notify_numbered(const struct names *names, uint64_t number);
/* As far as they are watched. */
void notify_make_due(struct names *names, struct known *k, bool figures, bool notes);

static inline bool
notify_can_open(const struct known *k)
{
	return (k->attrs & (MBOX_EXISTS | MBOX_NOSELECT)) == MBOX_EXISTS;
}
#endif
