/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "lib/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Younger than the headers of some systems that are built on; the kernel that is run on tells whether it knows them. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

#define ABI_NEEDED 2

/* The ruleset's description as of ABI version 6; an older kernel is told of the part that it knows. */
struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

#ifdef CULVER_SANITIZED
static const char *const tools_read[] = { "/proc", NULL };	/* LeakSanitizer looks at its own process */
#else
static const char *const tools_read[] = { NULL };
#endif

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What a mail store is made of: files and directories; no devices, sockets, pipes or symbolic links. */
#define RIGHTS_WRITE                                                                                     \
	(RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                   \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |    \
	 LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)
/* The kernel takes only these in a rule for what is not a directory. */
#define RIGHTS_OF_FILES                                                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |     \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

static int
abi_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Everything that a kernel of this ABI version can refuse. */
static uint64_t
handled_by(int abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return rights;
}

static int
add_rules(int ruleset, const char *const *paths, uint64_t rights, struct err *e)
{
	for (; paths != NULL && *paths != NULL; paths++) {
		struct landlock_path_beneath_attr rule = { .allowed_access = rights };
		struct stat st;
		int rc;

		rule.parent_fd = open(*paths, O_PATH | O_CLOEXEC);
		if (rule.parent_fd == -1) {
			if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
				continue;	/* what can not be reached now is not reached later either */
			return err_errno(e, "landlock: open %s", *paths);
		}
		if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
			rule.allowed_access &= RIGHTS_OF_FILES;
		rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
		if (rc == -1)
			err_errno(e, "landlock: rule for %s", *paths);
		close(rule.parent_fd);
		if (rc == -1)
			return -1;
	}
	return 0;
}

static int
confine(const char *const *rw, const char *const *ro, uint64_t rights, enum priv_confined *active_out, struct err *e)
{
	int abi = abi_version(), ruleset, rc = -1;
	struct ruleset attr = { 0, 0, 0 };

	/*
	 * Version 1 (before Linux 5.19) always refuses to move a file into another directory, and a Maildir lives by that:
	 * such a kernel counts as one without Landlock.
	 */
	if (abi < ABI_NEEDED) {
		if (abi == -1 && errno != ENOSYS && errno != EOPNOTSUPP && errno != EPERM)
			return err_errno(e, "landlock");
		*active_out = PRIV_CONFINED_NOT;
		return 0;
	}
	attr.handled_access_fs = handled_by(abi);
	if (abi >= 6)
		attr.scoped = LANDLOCK_SCOPE_SIGNAL;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
			       abi >= 6 ? sizeof(attr) : sizeof(attr.handled_access_fs), 0);
	if (ruleset == -1)
		return err_errno(e, "landlock: ruleset");
	if (add_rules(ruleset, rw, rights & attr.handled_access_fs, e) == -1 ||
	    add_rules(ruleset, ro, RIGHTS_READ, e) == -1 || add_rules(ruleset, tools_read, RIGHTS_READ, e) == -1 ||
	    priv_no_new(e) == -1)
		goto out;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1) {
		err_errno(e, "landlock: restrict");
		goto out;
	}
	*active_out = abi >= 6 ? PRIV_CONFINED_FILES_AND_SIGNALS : PRIV_CONFINED_FILES;
	rc = 0;
out:
	close(ruleset);
	return rc;
}

int
priv_landlock(const char *const *rw, const char *const *ro, enum priv_confined *active_out, struct err *e)
{
	return confine(rw, ro, RIGHTS_WRITE, active_out, e);
}

int
priv_landlock_links(const char *const *rw, const char *const *ro, enum priv_confined *active_out, struct err *e)
{
	return confine(rw, ro, RIGHTS_WRITE | LANDLOCK_ACCESS_FS_MAKE_SYM, active_out, e);
}

bool
priv_landlock_is_there(void)
{
	return abi_version() >= ABI_NEEDED;
}
