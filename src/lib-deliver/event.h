/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_EVENT_H
#define CULVER_LIB_DELIVER_EVENT_H
/*
 * Scripts that run because of what an IMAP session did to a message in a mailbox (RFC 6785), and what they want done; switched
 * on by mail_plugins = imap_sieve.  Which scripts: plugin { imapsieve_mailbox1_name, _from, _causes, _before, _after ... }
 * (lib-filter/sieve/imapsieve.h).  The message is kept where it is unless a script discards it, or files it elsewhere, and
 * that has been done.
 */
#include "lib-deliver/deliver.h"
#include "lib-filter/sieve/imapsieve.h"

/* The annotation of a mailbox, or of the server, that names a script of the user's. */
#define DELIVER_EVENT_ENTRY "/shared/imapsieve/script"

/* event-rules.c: what a session must know. */
bool deliver_event_wanted(const struct set_view *view);
/* In a.  *url: imapsieve_url, the view's; empty: users have no scripts of their own.  ERR_SYNTAX. */
int deliver_event_rules(const struct set_view *view, struct arena *a, struct imapsieve_rules *out, struct span *url, struct err *e);
/* Appends flags and keywords as words with a space between. */
void deliver_event_flag_words(struct mailbox *box, const struct msg_rec *rec, struct buf *out);

/* event.c: what runs them. */
struct deliver_events;

struct deliver_event_user {
	struct storage *storage;
	const struct set_view *view;
	struct span user, home, session;
	const struct deliver_means *means;	/* NULL: nothing leaves, no program runs */
};

/* What u points to must stay.  ERR_SYNTAX: a setting is wrong. */
int deliver_events_open(const struct deliver_event_user *u, struct deliver_events **out, struct err *e);
void deliver_events_close(struct deliver_events *d);	/* NULL is fine */
/*
 * The scripts for the message with that UID in box, open for writing; user and email of `what' are filled in here.  What goes
 * wrong with scripts and what they want is in the log, and the message is kept.  -1: ERR_GONE, it is not there any more; or
 * it could not be read.
 */
int deliver_events_run(struct deliver_events *d, const struct imapsieve_event *what, struct mailbox *box, uint32_t uid,
    struct err *e);

/* Directories with the scripts, for Landlock: as deliver_filter_paths. */
const char *const *deliver_event_paths(const struct set_view *view, struct span user, struct span home, const char *const *first,
    struct arena *a);
#endif
