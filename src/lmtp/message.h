/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_MESSAGE_H
#define CULVER_LMTP_MESSAGE_H
/*
 * A message on its way in: the start of it in memory, what is more in a memory file; sealed before others get it, so that
 * what is delivered to one recipient is what is delivered to all.
 */
#include "lib/buf.h"
#include "lib/err.h"

struct message {
	int fd;			/* -1: nothing written out yet */
	struct buf tail;	/* not written out yet */
	uint64_t size, max;
	bool too_big;		/* over max: the rest is dropped */
	bool failed;		/* the system has no memory: so is this */
	struct err why;
};

void message_init(struct message *m, uint64_t max);
void message_clear(struct message *m);		/* as after message_init; keeps some memory for the next message */
void message_free(struct message *m);
/* n octets of room (n <= 128 KiB), valid until message_commit.  NULL when there is none: m->failed. */
char *message_room(struct message *m, size_t n);
void message_commit(struct message *m, size_t n);
/* A sealed descriptor, owned by m until message_clear.  -1 with e set. */
int message_seal(struct message *m, struct err *e);
#endif
