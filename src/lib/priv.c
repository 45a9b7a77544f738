/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "lib/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRY_MAX (1 << 20)	/* a group with very many members is long, but not that long */

#ifdef CULVER_SANITIZED
static bool can_not_look;

/*
 * LeakSanitizer asks this at exit.  It needs /proc, which is not there behind chroot, and to trace its own process, which may
 * be done only where the saved group is the same as the others.
 */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return can_not_look;
}
#endif

int
priv_no_new(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ? err_errno(e, "no-new-privs") : 0;
}

/* From now on only this capability, or none for -1; the inheritable set is empty. */
static int
set_capabilities(int capability, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	memset(sets, 0, sizeof(sets));
	if (capability >= 0)
		sets[capability / 32].effective = sets[capability / 32].permitted = 1u << (capability % 32);
	return syscall(SYS_capset, &head, sets) == -1 ? err_errno(e, "capset") : 0;
}

static gid_t
saved_of(const struct priv_user *u)
{
	return u->saved_gid != 0 ? u->saved_gid : u->gid;
}

static int
prove_user(const struct priv_user *u, struct err *e)
{
	uid_t r, eff, saved;
	gid_t gr, geff, gsaved;

	if (getresuid(&r, &eff, &saved) == -1 || getresgid(&gr, &geff, &gsaved) == -1)
		return err_errno(e, "getresuid");
	if (r != u->uid || eff != u->uid || saved != u->uid || gr != u->gid || geff != u->gid || gsaved != saved_of(u))
		return err_set(e, ERR_TEMP, "still uid %u/%u/%u gid %u/%u/%u after becoming %u:%u", r, eff, saved, gr, geff,
			       gsaved, u->uid, u->gid);
	if (setresuid(0, 0, 0) != -1 || setresuid((uid_t)-1, 0, (uid_t)-1) != -1)
		return err_set(e, ERR_TEMP, "uid 0 could be taken back after becoming %u:%u", u->uid, u->gid);
	return 0;
}

static int
become(const struct priv_user *u, int capability, struct err *e)
{
	if (u->chroot_dir != NULL && (chroot(u->chroot_dir) == -1 || chdir("/") == -1))
		return err_errno(e, "chroot to %s", u->chroot_dir);
#ifdef CULVER_SANITIZED
	can_not_look = u->chroot_dir != NULL || saved_of(u) != u->gid;
#endif
	if (setgroups(u->group_count, u->groups) == -1)
		return err_errno(e, "setgroups");
	if (setresgid(u->gid, u->gid, saved_of(u)) == -1)
		return err_errno(e, "setresgid %u", u->gid);
	if (capability >= 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		return err_errno(e, "keepcaps");
	if (setresuid(u->uid, u->uid, u->uid) == -1)
		return err_errno(e, "setresuid %u", u->uid);
	if (set_capabilities(capability, e) == -1)
		return -1;
	return prove_user(u, e);
}

int
priv_drop_keep(const struct priv_user *u, int capability, struct err *e)
{
	if (capability >= _LINUX_CAPABILITY_U32S_3 * 32)
		return err_set(e, ERR_LIMIT, "there is no capability %d", capability);
	if (geteuid() != 0) {
		if (getuid() != u->uid || geteuid() != u->uid)
			return err_set(e, ERR_DENIED, "running as uid %u, can not become %u", geteuid(), u->uid);
		return priv_no_new(e);
	}
	if (u->uid == 0)
		return err_set(e, ERR_DENIED, "uid 0 is no user to drop to");
	if (become(u, capability, e) == -1 || priv_no_new(e) == -1)
		return -1;
	/*
	 * Not dumpable: other processes of the same user can neither trace this one nor read its memory.  LeakSanitizer
	 * has to trace its own process.
	 */
#ifdef CULVER_SANITIZED
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#else
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return err_errno(e, "not dumpable");
#endif
	return 0;
}

int
priv_become(const struct priv_user *u, struct err *e)
{
	if (geteuid() != 0)
		return getuid() == u->uid && geteuid() == u->uid ? 0 :
		    err_set(e, ERR_DENIED, "running as uid %u, can not become %u", geteuid(), u->uid);
	if (u->uid == 0)
		return err_set(e, ERR_DENIED, "uid 0 is no user to drop to");
	return become(u, -1, e);
}

int
priv_drop(const struct priv_user *u, struct err *e)
{
	return priv_drop_keep(u, -1, e);
}

int
priv_lookup_user(const char *name, uid_t *uid_out, gid_t *gid_out, struct err *e)
{
	struct passwd pw, *found = NULL;
	int rc = ERANGE;

	for (size_t room = 1024; rc == ERANGE && room <= ENTRY_MAX; room *= 4) {
		char *entry = malloc(room);

		rc = entry == NULL ? ENOMEM : getpwnam_r(name, &pw, entry, room, &found);
		free(entry);	/* only the numbers are used */
	}
	if (found == NULL) {
		errno = rc;
		return rc == 0 ? err_set(e, ERR_NOTFOUND, "there is no system user %s", name) :
			err_errno(e, "looking up user %s", name);
	}
	*uid_out = pw.pw_uid;
	*gid_out = pw.pw_gid;
	return 0;
}

int
priv_lookup_group(const char *name, gid_t *gid_out, struct err *e)
{
	struct group gr, *found = NULL;
	int rc = ERANGE;

	for (size_t room = 1024; rc == ERANGE && room <= ENTRY_MAX; room *= 4) {
		char *entry = malloc(room);

		rc = entry == NULL ? ENOMEM : getgrnam_r(name, &gr, entry, room, &found);
		free(entry);
	}
	if (found == NULL) {
		errno = rc;
		return rc == 0 ? err_set(e, ERR_NOTFOUND, "there is no system group %s", name) :
			err_errno(e, "looking up group %s", name);
	}
	*gid_out = gr.gr_gid;
	return 0;
}

int
priv_no_fork(struct err *e)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_NPROC, &none) == -1 ? err_errno(e, "setrlimit") : 0;
}
