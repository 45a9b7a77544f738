/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_PROCMAIL_HOST_H
#define CULVER_LIB_DELIVER_PROCMAIL_HOST_H
/*
 * What recipes do outside of themselves: files of mail, lock files, rcfiles, logs, programs, done as the user that this process
 * is.  Mailboxes of the server and forwarding are the caller's.
 */
#include "lib-deliver/program.h"
#include "lib-filter/procmail/run.h"

struct procmail_files {
	/* Saves in one of the user's mailboxes.  NULL: there are none. */
	int (*save)(void *ctx, struct span mailbox, struct span text, struct err *e);
	/* Sends the message on.  NULL: $SENDMAIL is run. */
	int (*forward)(void *ctx, const struct span *addresses, size_t count, struct span text, struct err *e);
	/* What is logged without a LOGFILE; whole lines.  NULL: it is lost. */
	void (*log)(void *ctx, struct span text);
	void *ctx;
	bool programs;				/* whether any are run */
	const struct program_helper *helper;	/* NULL: this process runs them */
	struct program_limits limits;
	int64_t deadline_ms;			/* clock_ms() after which no program is run and no lock is waited for; 0: none */
	unsigned lock_wait;			/* seconds for a lock, at most; 0: PROCMAIL_LOCK_WAIT */
	uint64_t log_max;			/* a LOGFILE is not made larger by us; 0: no limit */
	uint64_t log_limit, logged;		/* octets that are written to LOGFILEs in all, at most (0: no limit), and are so far */
	bool no_sync;				/* nothing is forced to disk (tests) */
	unsigned sequence;			/* files of a Maildir so far: zero at first */
};
#define PROCMAIL_LOCK_WAIT 120

/* A host over f, which must live as long. */
void procmail_files_host(struct procmail_files *f, struct procmail_host *out);
#endif
