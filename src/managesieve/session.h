/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MANAGESIEVE_SESSION_H
#define CULVER_MANAGESIEVE_SESSION_H
/* A ManageSieve session after login (RFC 5804 section 2) over a stream and a user's scripts. */
#include "lib/stream.h"
#include "lib-filter/sieve/store.h"

struct msieve_options {
	struct span capabilities;	/* lines that are the same before login */
	size_t max_line;		/* octets of a command without its script */
	size_t max_script;
	unsigned max_errors;		/* of a script that are told; 0: all that fit into the answer */
	unsigned max_bad;		/* bad commands in a row; 0: no limit */
	bool goes_back;			/* the client can be given back to who logged it in (UNAUTHENTICATE) */
};

struct msieve_session {
	struct stream *s;
	const struct sieve_site *site;
	struct sieve_store *store;	/* NULL: the user has no place for scripts */
	const struct msieve_options *o;
	struct arena *arena;		/* of one command */
	unsigned bad;
	bool done;
	bool unauthenticated;		/* done by UNAUTHENTICATE, which is still to be answered */
};

/* All but done and bad is filled in.  0: LOGOUT, UNAUTHENTICATE; -1 and why in *e otherwise: the connection can not go on. */
int msieve_session_run(struct msieve_session *m, struct err *e);
#endif
