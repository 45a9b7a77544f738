/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_MARKS_H
#define CULVER_LIB_DELIVER_MARKS_H
/*
 * What a user's deliveries must remember for some time: who got an answer, which messages came before.  One small file beside
 * the mail, locked while it is open, so that two deliveries of one message at once are one after the other here.  A mark is
 * known by its digest alone.  The file is a memory, no mail: what is lost of it is an answer sent twice.
 */
#include "lib/err.h"
#include "lib/span.h"

#define MARKS_FILE "culver-filter.marks"
#define MARKS_MAX 50000		/* the oldest half goes then */

struct marks;

/* Waits for the lock, some seconds at most (ERR_TIMEOUT).  dir_fd is borrowed, for this call. */
int marks_open(int dir_fd, struct marks **out, struct err *e);
/* Whether mark was set in the last so many seconds, and is to be remembered still. */
bool marks_has(const struct marks *m, struct span mark, int64_t now, int64_t seconds);
/* Remembers it for so many seconds from now on. */
int marks_add(struct marks *m, struct span mark, int64_t now, int64_t seconds, struct err *e);
void marks_close(struct marks *m);	/* NULL is fine */
#endif
