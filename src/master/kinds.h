/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MASTER_KINDS_H
#define CULVER_MASTER_KINDS_H
/* The services there are, and who may talk with whom: the one table of it. */
#include "lib/ipc-types.h"
#include "lib/span.h"

enum kind {
	KIND_HUB, KIND_AUTH, KIND_IMAP_LOGIN, KIND_POP3_LOGIN, KIND_SIEVE_LOGIN, KIND_IMAP, KIND_POP3, KIND_SIEVE, KIND_LMTP, KIND_DELIVER,
	KIND_HIBERNATE, KIND_SCRIPT, KIND_QUOTA_STATUS, KIND_QUEUE, KINDS
};

struct kind_def {
	const char *name;	/* of the service, and of its program in libexec_dir */
	const char *subdir;	/* where the build leaves the program, below src */
	unsigned peer;		/* enum peer_kind */
	const char *protocol;	/* that must be served; NULL: always runs */
	bool is_front;		/* talks to clients before login: ends first at a reload, may have several processes */
	bool outlives_reload;	/* its memory is worth more than new settings */
	bool listens;		/* has unix_listener and inet_listener; check_listener() of lib-config knows these too */
	const char *wants[4];	/* services that it may have a channel to */
};

extern const struct kind_def kinds[KINDS];

enum kind kind_find(struct span name);		/* KINDS: there is none */
/* Whether a process of kind `asker' (PEER_ADM: a tool) may talk with `name'. */
bool kind_may_want(unsigned asker, struct span name);
#endif
