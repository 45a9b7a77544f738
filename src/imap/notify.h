/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_NOTIFY_H
#define CULVER_IMAP_NOTIFY_H
/*
 * A session whose client has sent NOTIFY (RFC 5465): what it wants to be told of, and what it knows.  Of mailboxes that are not
 * selected that is the figures of STATUS and the list of names: a notice of hub says which to look at.  The selected mailbox has
 * its view; sync.c asks here what of its changes is wanted.
 *
 * What this session did itself to other mailboxes is not told (section 5).  hub sends no notices of it, but where it sees a file
 * in a directory that it watches, so what was saved counts as told.  Names are compared as a whole: those it changed itself are
 * passed over by name.
 */
#include "imap/session.h"
#include "lib-protocol/imap-notify.h"
#include "lib-storage/metadata.h"

#define NOTIFY_SUPPORTED (NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_FLAG_CHANGE | NOTIFY_MAILBOX_NAME | \
	NOTIFY_SUBSCRIPTION_CHANGE)
#define NOTIFY_SUPPORTED_METADATA (NOTIFY_MAILBOX_METADATA | NOTIFY_SERVER_METADATA)	/* with imap_metadata */

/* r is in a, its names decoded; a is taken over with success.  ERR_LIMIT: too many mailboxes to watch; nothing has changed then. */
int imap_notify_set(struct imap_session *s, const struct imap_notify_request *r, struct arena **a, struct err *e);
void imap_notify_free(struct imap_session *s);

/* Without NOTIFY everything is wanted, of the selected mailbox. */
bool imap_notify_wants(const struct imap_session *s, unsigned events);
const struct fetch_items *imap_notify_items(const struct imap_session *s);	/* of new messages there; NULL: none */

void imap_notify_notice(void *session, uint32_t id);		/* for storage_read_notices */
void imap_notify_look_at_all(struct imap_session *s);		/* a NOOP, where no notices come */
void imap_notify_new_hub(struct imap_session *s);		/* which knows of no watch */
void imap_notify_left(struct imap_session *s);			/* s->box is about to be unselected */
/* As lists have it, however INBOX is written; name itself, or in a.  p is NULL: no room. */
struct span imap_notify_name(struct imap_session *s, struct span name, struct arena *a);
/* A command has made, removed, renamed or (un)subscribed these; `to' may be SPAN_NONE.  Spans in s->arena. */
void imap_notify_own(struct imap_session *s, struct span from, struct span to);
/* It has saved these in box, with one change: where nobody else did anything meanwhile, that is known. */
void imap_notify_own_mail(struct imap_session *s, const struct mailbox *box, const struct uid_list *uids);
/* And these annotations, of a mailbox or with an empty name of the server. */
void imap_notify_own_metadata(struct imap_session *s, struct span mailbox, const struct metadata *list, size_t count);
/* Tells of other mailboxes what there is to tell: behind a command, or in IDLE. */
void imap_notify_tell(struct imap_session *s);
/* Between two commands: the same, and of the selected mailbox; returns in how many milliseconds again, -1: at the next notice. */
int imap_notify_between(struct imap_session *s);
/* For IDLE, where no notices come: in how many milliseconds all is to be looked at; -1: never. */
int imap_notify_poll_ms(struct imap_session *s);

/* For notify.c (notify-metadata.c).  NULL: e says why; free() is the caller's. */
struct imap_notes;
struct imap_own_notes {
	const struct metadata *list;
	size_t count;
};
struct imap_notes *imap_notes_read(struct imap_session *s, struct span mailbox, struct err *e);
/* A METADATA response with the names of those that differ, but for the client's own; or nothing. */
void imap_notes_tell(struct imap_session *s, struct span mailbox, const struct imap_notes *before, const struct imap_notes *now,
    const struct imap_own_notes *own);
#endif
