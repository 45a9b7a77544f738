/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SHARED_DICT_H
#define CULVER_LIB_STORAGE_SHARED_DICT_H
/* The dictionary of who gives mailboxes to whom: its text (see shared-dict.c). */
#include "lib-storage/acl.h"

#define SHARED_DICT_MAX ((size_t)16 << 20)
#define SHARED_KEYS_MAX 10000	/* of one user's lists */
#define SHARED_USERS_MAX 200	/* whose mailboxes one user is shown */

struct shared_key {
	enum acl_kind kind;	/* ACL_USER, ACL_GROUP, ACL_ANYONE */
	struct span to, from;
};
/* False: a key of another kind.  Spans are into key. */
bool shared_key_parse(struct span key, struct shared_key *out);
void shared_key_write(struct buf *out, const struct shared_key *key);
/* Each pair of lines; f returns false to stop. */
void shared_dict_each(struct span text, bool (*f)(void *ctx, struct span key, struct span value), void *ctx);
#endif
