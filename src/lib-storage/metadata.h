/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_METADATA_H
#define CULVER_LIB_STORAGE_METADATA_H
/*
 * Annotations of mailboxes and of the server (RFC 5464): names that begin with /private/ (each user's own) or /shared/, and
 * their values.  They are in a file in the mailbox's directory, so that they are renamed and deleted with it, and need no index.
 *
 * Some have a value where nobody has set one: /shared/comment and /private/comment of a mailbox, by its block in the
 * configuration; /private/specialuse (RFC 6154), which can not be set; the server's /shared/comment and /shared/admin, by
 * mail_server_comment and mail_server_admin, which neither can.
 */
#include "lib-storage/storage.h"

struct metadata {
	struct span name;		/* as it was asked for, or in lower case */
	struct span value;		/* p NULL: none; to be removed */
};

/* The name in lower case, in a.  p NULL: *why_out says what is wrong with it. */
struct span metadata_name(struct span name, struct arena *a, const char **why_out);
/* Whether it may be set at all, of the server or of a mailbox. */
bool metadata_is_settable(bool server, struct span name);

#define METADATA_ALL UINT32_MAX		/* depth */

/*
 * mailbox empty: the server.  names are metadata_name()'s, or "/private" and "/shared" with a depth.  Depth 0: an entry for each
 * name, without a value where there is none.  Depth 1: those directly below too, METADATA_ALL: all below, as far as there are any.
 * In a.  ERR_NOTFOUND: no such mailbox; ERR_DENIED.
 */
int storage_metadata_get(struct storage *st, struct span mailbox, const struct span *names, size_t count, uint32_t depth,
    struct arena *a, struct metadata **out, size_t *count_out, struct err *e);
/* All of it or nothing, and durable.  ERR_LIMIT: there would be too many.  Sizes are the caller's to look at. */
int storage_metadata_set(struct storage *st, struct span mailbox, const struct metadata *set, size_t count, struct err *e);
size_t storage_metadata_value_max(const struct storage *st);
#endif
