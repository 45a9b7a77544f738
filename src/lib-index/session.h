/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_SESSION_H
#define CULVER_LIB_INDEX_SESSION_H
/*
 * Who has the index open: a small file beside it with a slot a process.  A slot is locked (fcntl, open file description)
 * as long as its process lives, and emptied when it closes in order.  A slot in use that nobody holds a lock on is left
 * from a process that died, and the index is suspect: found out by whoever opens it next, without any help of a parent.
 *
 * The file also holds the boot id: nothing in the index is synced, so after another boot it is suspect as well.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/err.h"

enum session_verdict {
	SESSION_CLEAN,
	SESSION_CRASHED,	/* verify it */
	SESSION_REBOOTED,	/* copy what is sound */
	SESSION_CONDEMNED,	/* the same: somebody met damage */
	SESSION_DEADLY,		/* look at nothing in it: processes died of opening it */
};

/* Opens the file in dir_fd and locks it against others who open.  The descriptor.  *others_out: somebody has it open. */
int session_begin(int dir_fd, mode_t mode, enum session_verdict *verdict_out, bool *others_out, struct err *e);
/* Opening came to an end, if only to an error.  session_enter says so too. */
void session_opened(int fd);
/* Takes a slot and lets others go on.  The slot, or -1 when all are in use (then a crash of this one is not noticed). */
int session_enter(int fd, bool verified);
void session_leave(int fd, int slot);	/* and closes fd */
/* The slot stays this one's, but nobody is in it (or is again): a process that does nothing with the index. */
void session_rest(int fd, int slot, bool on);
/* What the next session_begin says: SESSION_CRASHED or SESSION_CONDEMNED; SESSION_CLEAN takes that back. */
void session_suspect(int fd, enum session_verdict verdict);
/* The others that live and have it open: how many, and the first max process ids; own is this one's slot.  -1: it can not
 * be told. */
int session_others(int fd, int own, uint32_t *pids, int max);
bool session_is_suspect(int fd);
/* The lock that session_begin takes and session_enter gives back, for somebody who is in already. */
bool session_lock(int fd, bool on);
/* Octets that whoever has the index's write lock leaves to the next who has it, should it be killed: claim.c.  -1 and errno;
 * zeros when there are none. */
#define SESSION_CLAIM_LEN 8
int session_claim_get(int fd, char out[SESSION_CLAIM_LEN]);
int session_claim_put(int fd, const char claim[SESSION_CLAIM_LEN]);
/* For tests: from now on this process takes the system to have been started anew, with this boot id (not 0). */
void session_boot_set(uint64_t id);
#endif
