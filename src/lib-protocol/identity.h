/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IDENTITY_H
#define CULVER_LIB_PROTOCOL_IDENTITY_H
/* Who a session's mail belongs to: what auth found in its userdb, on its way to a worker. */
#include <sys/types.h>
#include "lib/arena.h"
#include "lib/ipc.h"
#include "lib-config/settings.h"

#define IDENTITY_GROUPS_MAX 64

struct identity {
	struct span user;	/* the canonical name, after auth_username_format and passdb's changes */
	struct span home;	/* may be empty */
	struct span fields;	/* "name=value" NUL ...: settings overridden by userdb (mail_location, quota_rule ...) */
	struct span chroot_dir;
	uid_t uid;
	gid_t gid;
	gid_t groups[IDENTITY_GROUPS_MAX];
	size_t group_count;
};

void identity_put(struct ipc_out *o, const struct identity *id);	/* F_USER F_UID F_GID F_GROUPS F_HOME F_FIELDS F_CHROOT */
/* Reads and checks; strings are copied to the arena.  ERR_SYNTAX. */
int identity_get(struct ipc_msg *m, struct arena *a, struct identity *out, struct err *e);
/* Checks first_valid_uid, last_valid_uid, first_valid_gid, last_valid_gid, and that uid 0 never serves mail. */
int identity_check(const struct identity *id, const struct set_view *v, struct err *e);
/* Whether all that is known of them is the same: who they are, their rights, and each field. */
bool identity_is_same(const struct identity *a, const struct identity *b);
/* The overriding fields applied to a view ("mail" means mail_location). */
int identity_apply(const struct identity *id, struct set_view *v, struct err *e);
/* Groups, chroot, gid, uid (lib/priv.h), umask, chdir to home when it is there. */
int identity_become(const struct identity *id, const struct set_view *v, struct err *e);
/* The same for who runs the user's programs: they may be set-user-id and set-group-id ones. */
int identity_become_runner(const struct identity *id, const struct set_view *v, struct err *e);
#endif
