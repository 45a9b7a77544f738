/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_PASSWD_FILE_ARGS_H
#define CULVER_AUTH_PASSWD_FILE_ARGS_H
/* What passdb and userdb passwd-file have in common: "scheme=X username_format=%u /path/with/%d". */
#include "auth/request.h"

struct passwd_file_args {
	struct span scheme, username_format, path;
};

int passwd_file_args(struct span args, struct passwd_file_args *out, struct err *e);
/* DB_OK: *out is good until the next look-up. */
enum db_result passwd_file_find(struct auth *a, const struct passwd_file_args *args, struct request *r,
    const struct passwd_entry **out);
/* Only of a path without variables; others list nobody. */
int passwd_file_list(struct auth *a, const struct passwd_file_args *args, struct span mask,
    void (*each)(void *ctx, struct span user), void *ctx);
#endif
