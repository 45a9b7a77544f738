/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_RELEASE_H
#define CULVER_LIB_STORAGE_RELEASE_H
/* Giving a user's own mail to Dovecot, and taking it back: `culveradm release', `culveradm adopt'. */
#include "lib-storage/driver.h"
#include "lib-storage/uidl.h"

struct release_options {
	bool dry_run;
	struct uidl_rules uidl;		/* as POP3 has them */
	char *const *masks;		/* of names, as LIST has them; NULL: all */
	int mask_count;
	/* Whether a process that has the mail open may have it.  NULL: none may. */
	bool (*may_stay)(uint32_t pid);
};

/* One mailbox: by is whose it was; report is set when it is HELD_HERE.  False: stop. */
typedef bool release_fn(void *ctx, struct span name, enum held_by by, const struct release_report *report);

/*
 * Releases the mailboxes of private namespaces that the masks name.  ERR_INUSE: another process has the mail open; nothing
 * has been released then.  After another error the mailboxes told of are released, and the others are as they were: it may
 * be done again.
 */
int storage_release(struct storage *st, const struct release_options *o, release_fn *fn, void *ctx, struct err *e);
/* Takes over whatever other servers hold, and what was released.  fn is told whose it was. */
int storage_adopt(struct storage *st, bool dry_run, release_fn *fn, void *ctx, struct err *e);
#endif
