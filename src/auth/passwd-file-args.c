/* SPDX-License-Identifier: MIT */
#include "auth/passwd-file-args.h"

#include "auth/user-name.h"
#include "lib/log.h"

#define PATH_LEN_MAX 4096

int
passwd_file_args(struct span args, struct passwd_file_args *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->username_format = SPAN("%u");
	for (args = span_trim(args); args.n > 0; args = span_trim(args)) {
		size_t end = 0;
		struct span word;

		/* The path is the rest: it may have spaces. */
		if (args.p[0] == '/') {
			out->path = args;
			return 0;
		}
		while (end < args.n && !ascii_is_wsp(args.p[end]))
			end++;
		word = span_sub(args, 0, end);
		args = span_from(args, end);
		if (span_starts(word, SPAN("scheme=")))
			out->scheme = span_from(word, 7);
		else if (span_starts(word, SPAN("username_format=")))
			out->username_format = span_from(word, 16);
		else
			return err_set(e, ERR_SYNTAX, "args: unknown word %.*s", SPAN_ARG(word));
	}
	return err_set(e, ERR_SYNTAX, "args: the path of the file is missing");
}

enum db_result
passwd_file_find(struct auth *a, const struct passwd_file_args *args, struct request *r,
    const struct passwd_entry **out)
{
	const struct passwd_table *table = NULL;
	struct buf path = BUF_INIT(PATH_LEN_MAX), name = BUF_INIT(USER_NAME_MAX * 2);
	struct err e = ERR_INIT;

	*out = NULL;
	if (request_expand(r, args->path, &path, &e) == 0 && request_expand(r, args->username_format, &name, &e) == 0)
		table = passwd_files_get(a->files, buf_span(&path), &e);
	if (table != NULL)
		*out = passwd_table_find(table, buf_span(&name));
	buf_clear(&path);
	buf_clear(&name);
	if (table == NULL) {
		request_reason(r, "%s", e.log);
		/* A file for each domain: a domain without one has no users. */
		return e.code == ERR_NOTFOUND && span_chr(args->path, '%') < args->path.n ? DB_UNKNOWN : DB_TEMP;
	}
	return *out == NULL ? DB_UNKNOWN : DB_OK;
}

int
passwd_file_list(struct auth *a, const struct passwd_file_args *args, struct span mask,
    void (*each)(void *ctx, struct span user), void *ctx)
{
	const struct passwd_table *table;
	const struct passwd_entry *entry;
	struct err e = ERR_INIT;

	if (span_chr(args->path, '%') < args->path.n)
		return 0;
	table = passwd_files_get(a->files, args->path, &e);
	if (table == NULL) {
		log_error("listing users: %s", e.log);
		return -1;
	}
	for (size_t i = 0; (entry = passwd_table_at(table, i)) != NULL; i++)
		if (mask.n == 0 || user_name_matches(mask, entry->user))
			each(ctx, entry->user);
	return 0;
}
