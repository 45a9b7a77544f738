/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PRIV_H
#define CULVER_LIB_PRIV_H
/*
 * Giving up power.  When the process is not root, priv_drop() checks that it is the wanted user already and gives up
 * nothing else: a server started by a plain user runs as that user throughout.
 */
#include <stdbool.h>
#include <sys/types.h>
#include "lib/err.h"

struct priv_user {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;	/* supplementary; may be NULL with group_count 0 */
	size_t group_count;
	const char *chroot_dir;	/* NULL: none */
};

/* chroot, groups, gid, uid in this order, then proof that uid 0 can not come back.  Sets no-new-privs, not dumpable. */
int priv_drop(const struct priv_user *u, struct err *e);
/* As priv_drop, but keeps one capability (e.g. CAP_DAC_READ_SEARCH) when the process was root. */
int priv_drop_keep(const struct priv_user *u, int capability, struct err *e);
int priv_no_new(struct err *e);			/* no-new-privs alone */

/* A system user's numbers by name.  ERR_NOTFOUND. */
int priv_lookup_user(const char *name, uid_t *uid_out, gid_t *gid_out, struct err *e);
int priv_lookup_group(const char *name, gid_t *gid_out, struct err *e);

/*
 * Landlock: from now on the file system is what rw and ro name (and what lies below); descriptors already open stay.
 * Lists end with NULL; a path that is not there is passed over.  A kernel without Landlock: 0, and *active_out false.
 */
int priv_landlock(const char *const *rw, const char *const *ro, bool *active_out, struct err *e);

/* Seccomp profiles: what is not in the list kills the process (sanitized builds: does nothing). */
enum priv_profile {
	PRIV_LOGIN,	/* sockets it was given, TLS, no files, no processes */
	PRIV_EVENTS,	/* auth's, hub's, hibernate's loop: the above, and files that are open */
	PRIV_LMTP,	/* the above, memory files, and connections over what it was given */
	PRIV_MAIL,	/* a mail worker: files, directories, locks, no exec, no new sockets */
};
struct priv_filter;	/* compiled once, before fork; applying it is one system call */
struct priv_filter *priv_filter_new(enum priv_profile profile, struct err *e);
int priv_filter_apply(const struct priv_filter *f, struct err *e);
void priv_filter_free(struct priv_filter *f);
#endif
