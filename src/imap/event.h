/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_EVENT_H
#define CULVER_IMAP_EVENT_H
/*
 * What a session's commands did to messages, where something shall follow from it: the scanner is taught (spam_learn_spam,
 * spam_learn_ham), scripts run (imap_sieve).  The session tells a process behind it (behind.h), so that no client waits for a
 * scanner; for scripts it waits a moment, so that what a quick one did is there when the command is answered.  What goes wrong
 * there is never the command's failure.  A session without any of this has no struct imap_events.
 */
#include "imap/session.h"
#include "lib/ipc.h"
#include "lib-filter/spam/spam.h"

#define IMAP_EVENT_UIDS 2000		/* in one event; more messages are several */
#define IMAP_EVENT_NAME 8192		/* octets of a mailbox's name, or of words of flags */

struct imap_event {
	uint32_t id;
	unsigned cause;			/* IMAPSIEVE_APPEND, _COPY, _FLAG (lib-filter/sieve/imapsieve.h) */
	bool scripts;			/* there may be scripts for it */
	enum spam_task learn;		/* SPAM_CHECK: nothing */
	struct span mailbox, from;	/* where the messages are; where they came from */
	struct span changed_flags;	/* FLAG: words with a space between */
	uint32_t uidvalidity;
	const uint32_t *uids;
	size_t count;
};

/* NULL without an error: nothing follows from anything. */
struct imap_events *imap_events_new(const struct session_start *ss, struct err *e);
void imap_events_free(struct imap_events *ev);	/* what was told goes on; NULL is fine */
bool imap_events_have_scripts(const struct imap_events *ev);	/* NULL: no */
struct span imap_events_url(const struct imap_events *ev);	/* imapsieve_url; empty: users have no scripts of their own */

/* For tests: events go there instead. */
typedef void imap_event_sink(void *ctx, const struct imap_event *event);
void imap_events_to(struct imap_events *ev, imap_event_sink *sink, void *ctx);

/*
 * Called when it has been done, before the command is answered; s->events is not NULL.  Messages have come to the open mailbox
 * box, or to the mailbox `to' from the selected one.
 */
void imap_event_appended(struct imap_session *s, struct mailbox *box, uint32_t uidvalidity, const struct uid_list *uids);
void imap_event_copied(struct imap_session *s, struct span to, const struct copy_result *cr);
/* STORE: what flags were like before, then what has become of it.  NULL: nobody wants to know. */
struct imap_flags_before *imap_event_flags_before(struct imap_session *s, const struct uid_list *uids);
void imap_event_flags(struct imap_session *s, struct imap_flags_before *before, const struct uid_list *changed);
/* As a frame, and back: strings are the frame's, uids are in room.  ERR_SYNTAX. */
void imap_event_write(struct ipc_out *o, const struct imap_event *event);
int imap_event_read(struct ipc_msg *m, uint32_t room[IMAP_EVENT_UIDS], struct imap_event *out, struct err *e);
#endif
