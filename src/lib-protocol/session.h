/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_SESSION_H
#define CULVER_LIB_PROTOCOL_SESSION_H
/*
 * What a freshly forked session worker is given (imap, pop3): it has the mail user's identity already, its settings, its
 * client and its channel to hub.  The worker's whole life is one call of its serve function.
 */
#include "lib-protocol/identity.h"

struct worker_behind;

struct session_start {
	const struct settings *settings;
	struct set_view *view;		/* protocol, addresses and userdb fields applied */
	struct identity id;
	int client_fd;			/* the client, or login's TLS proxy for it */
	int hub_fd;			/* MSG_WATCH, MSG_CHANGED, MSG_KICK; -1 when hub is not there */
	int parent_fd;			/* to the service parent (hibernation); -1 */
	struct span session;		/* id for the log */
	struct span rip, lip;		/* text of addresses; may be empty */
	const struct user_home *homes;	/* of others who give mailboxes to the user (lib-storage/storage.h) */
	size_t home_count;
	uint32_t rport, lport;
	bool secured;			/* TLS, or a local client */
	struct span tag;		/* IMAP: the tag of the LOGIN or AUTHENTICATE to be answered; empty with PREAUTH */
	struct span preread;		/* what login had read behind it */
	struct span state;		/* waking from hibernation: what the worker itself had saved; else empty */
	const struct worker_behind *behind;	/* in a process behind a session: how it was prepared; its client_fd is the session */
	struct storage **kept;		/* a storage at rest of a session before, and for the next; NULL: there is none */
};

struct storage;
struct storage_params;

/* storage_open(), or what a session of the same user before has left. */
int session_storage_open(const struct session_start *ss, const struct storage_params *p, struct storage **out, struct err *e);
/* storage_close(), or the storage is left to a session of the same user after this one. */
void session_storage_close(const struct session_start *ss, struct storage *st);	/* NULL is fine */

/* Exit status of the process.  The log prefix is set; "Logged out ..." is the worker's line. */
typedef int session_serve(const struct session_start *ss);
#endif
