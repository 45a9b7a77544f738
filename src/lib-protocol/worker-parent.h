/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_WORKER_PARENT_H
#define CULVER_LIB_PROTOCOL_WORKER_PARENT_H
/*
 * The service parent of imap and pop3: root, and nothing else.  It takes sessions from login (MSG_SESSION: a client's
 * socket with a token), learns from auth whose they are, asks hub whether there may be one more, and forks a process
 * that becomes the mail user, shuts itself in, and serves.
 *
 * What a worker finds: SIGTERM (a kick, or the server stops) shuts the reading side of its client's socket: its next
 * read is the end of the input, so that it ends as it does when a client goes, with everything written; what it writes
 * then (a BYE) still goes out.  worker_is_told_to_end() tells it why.  On ss->parent_fd it may get MSG_CHANNEL "hub"
 * with a new channel when hub was started anew; warnings that it logs go there as MSG_LOG_LINE.
 */
#include "lib-protocol/session.h"
#include "lib-storage/storage.h"

/*
 * A process behind a session does what its client shall not wait for (spam scanners, scripts with their programs): forked by
 * the parent when the session asks for it (MSG_BEHIND), as the same user, it may outlive the session.  It shuts itself in.
 */
struct worker_behind {
	bool connects;		/* it opens internet sockets */
	bool runs_programs;	/* it starts programs before it shuts itself in */
	const struct priv_filter *filter;	/* to be put on by it: */
	bool filter_always;	/* else where Landlock does not keep signals inside */
	void *ctx;		/* of the service's own */
};

struct worker_parent_options {
	const char *service;	/* "imap": the name of the service */
	const char *protocol;	/* of the settings' protocol blocks, and what auth is told; NULL: service */
	session_serve *serve;
	/* Says on fd that the login, whose command had tag (empty where there are none), leads to no session: the worker
	 * could not even start.  May be NULL. */
	void (*refuse)(int fd, struct span tag);
	bool makes_links;	/* workers may make symbolic links */
	bool gives_back;	/* workers may give their client back to login (MSG_SESSION_BACK), once a session */
	bool hibernates;	/* sessions may go to sleep in imap-hibernate, and wake up with ss->state */
	/* Whether and where Landlock lets a worker work (storage_paths); NULL: everywhere. */
	int (*paths)(const struct storage_params *p, struct arena *a, const char *const **rw_out, struct err *e);
	/* Whose homes the worker asks for first (storage_homes_wanted); NULL: nobody's. */
	int (*homes)(const struct storage_params *p, struct arena *a, struct span **users_out, size_t *count_out, struct err *e);
	/* The process behind a session, with ss->behind; NULL: there is none.  prepare: called once, with all power still there. */
	session_serve *behind;
	int (*prepare)(const struct set_view *view, struct worker_behind *out, struct err *e);
	/* In a process of the mail user, after a worker of his was killed: makes the next open verify the index.  May be
	 * NULL. */
	void (*mark_suspect)(const struct storage_params *p);
};

static inline const char *
worker_protocol(const struct worker_parent_options *o)
{
	return o->protocol != NULL ? o->protocol : o->service;
}

int worker_parent_main(const struct worker_parent_options *o);	/* the whole of main() */

/* For options.refuse: says text on fd, and waits no longer for that than a moment. */
void worker_say(int fd, const char *text);
extern const char *const worker_system_paths[];	/* what Landlock must let any worker read; up to NULL */
bool worker_is_told_to_end(void);	/* in a worker: SIGTERM has come */
#endif
