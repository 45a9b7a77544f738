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
	gid_t saved_gid;	/* kept as the saved gid, so that it can be taken for a moment; 0: none */
	const char *chroot_dir;	/* NULL: none */
};

/*
 * chroot, groups, gid, uid in this order, then proof that uid 0 can not come back.  Sets no-new-privs, and not dumpable
 * (so /proc/self belongs to root from then on).  ERR_DENIED for uid 0, and when neither root nor that user.
 */
int priv_drop(const struct priv_user *u, struct err *e);
/* As priv_drop, but keeps one capability (e.g. CAP_DAC_READ_SEARCH) when the process was root. */
int priv_drop_keep(const struct priv_user *u, int capability, struct err *e);
/*
 * Becomes the user and keeps no way back, but may start programs that have a user or a group of their own (an MTA's
 * sendmail), as from the user's shell.  For who does nothing else than run the user's programs.
 */
int priv_become(const struct priv_user *u, struct err *e);
int priv_no_new(struct err *e);			/* no-new-privs alone */

/* A system user's numbers by name.  ERR_NOTFOUND. */
int priv_lookup_user(const char *name, uid_t *uid_out, gid_t *gid_out, struct err *e);
int priv_lookup_group(const char *name, gid_t *gid_out, struct err *e);

/*
 * Landlock: from now on the file system is what rw and ro name (and what lies below); descriptors already open stay.
 * Nothing may be executed; no devices, sockets, pipes or symbolic links be made.  Lists end with NULL (a list may be
 * NULL); a path that is not there is passed over.  A kernel that knows it (Linux 6.12) keeps signals inside, too.
 * *active_out: how much of that was done; nothing, without an error, by a kernel before Linux 5.19.
 */
enum priv_confined { PRIV_CONFINED_NOT, PRIV_CONFINED_FILES, PRIV_CONFINED_FILES_AND_SIGNALS };
int priv_landlock(const char *const *rw, const char *const *ro, enum priv_confined *active_out, struct err *e);
/* The same, and symbolic links may be made: who looks after Sieve scripts marks the active one by a link. */
int priv_landlock_links(const char *const *rw, const char *const *ro, enum priv_confined *active_out, struct err *e);
bool priv_landlock_is_there(void);	/* false: priv_landlock does nothing here */
int priv_no_fork(struct err *e);	/* no new processes from now on (root's are not concerned) */

/*
 * Seccomp profiles.  Opening files or sockets that a profile does not have, and making processes, fails with EACCES,
 * since libraries try it; what nobody has a reason to try (exec, ptrace, mount, ...) kills the process, and the audit
 * log names the call.  Sanitized builds: only no-new-privs.  Landlock must be set up before, and syslog's socket be
 * open (log_init does that).
 */
enum priv_profile {
	PRIV_LOGIN,	/* descriptors it was given or accepts; no files, no new sockets, no new executable memory */
	PRIV_EVENTS,	/* auth's, hub's, hibernate's loop: the above, reading files, inotify, unix sockets, loading modules */
	PRIV_LMTP,	/* as PRIV_LOGIN, and memory files and unix sockets */
	PRIV_MAIL,	/* a mail worker: files, directories, locks, unix sockets, loading modules (iconv's) */
	PRIV_PARENT,	/* the parent of mail workers, inherited by them: PRIV_MAIL, and what making a worker takes */
	PRIV_NO_SIGNALS,	/* on top of that in a worker where Landlock does not scope signals: none to other processes */
	PRIV_PARENT_INET,	/* PRIV_PARENT, where processes behind sessions connect to other hosts */
	PRIV_ONLY_UNIX,	/* on top of that in a worker, which does not: no signals, and no sockets but unix ones */
	PRIV_PARENT_LINKS,	/* PRIV_PARENT, for workers that make symbolic links */
	PRIV_MAIL_INET,	/* as PRIV_MAIL, and connections to other hosts: a process behind a session that teaches a scanner */
	PRIV_LMTP_INET,	/* as PRIV_LMTP, and connections to other hosts: where a scanner or a server behind is asked */
};
struct priv_filter;	/* compiled once, before fork; applying it is one system call */
struct priv_filter *priv_filter_new(enum priv_profile profile, struct err *e);
int priv_filter_apply(const struct priv_filter *f, struct err *e);
void priv_filter_free(struct priv_filter *f);
#endif
