/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_PASSWD_FILE_H
#define CULVER_AUTH_PASSWD_FILE_H
/*
 * user:password:uid:gid:gecos:home:shell:extra fields.  A file is read whole and kept as a table; it is read again when
 * its time, size or inode changes.  The extra fields are the rest of the line, colons and all.
 */
#include <sys/types.h>
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/span.h"

#define PASSWD_FILE_MAX ((size_t)256 << 20)

struct passwd_entry {
	struct span user, password, uid, gid, home, extra;
	bool has_password;	/* a second field was there */
};

/* One line without its end.  False: an empty line, a comment, or no user. */
bool passwd_line_parse(struct span line, struct passwd_entry *out);

struct passwd_table;
/* content must live as long as the table.  NULL when memory is out.  Of a user named twice the first one counts. */
struct passwd_table *passwd_table_new(struct span content, size_t *doubles_out);
void passwd_table_free(struct passwd_table *t);
const struct passwd_entry *passwd_table_find(const struct passwd_table *t, struct span user);
const struct passwd_entry *passwd_table_at(const struct passwd_table *t, size_t idx);	/* NULL at the end */

/* The files of the process: each path is opened once, whoever names it. */
struct passwd_files;
struct passwd_files *passwd_files_new(size_t max_files, void (*on_change)(void *data), void *data);
void passwd_files_free(struct passwd_files *f);
/* The current content of path.  The table is good until the next call.  NULL with e set: can not be read. */
const struct passwd_table *passwd_files_get(struct passwd_files *f, struct span path, struct err *e);
#endif
