/* SPDX-License-Identifier: MIT */
#include "auth/userdb.h"

#include "auth/passwd-file-args.h"

static int
pwf_open(struct userdb *db, struct err *e)
{
	struct passwd_file_args *args = arena_alloc(db->auth->arena, 1, sizeof(*args));

	if (args == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	db->priv = args;
	return passwd_file_args(db->conf->args, args, e);
}

static int
set_if_there(struct request *r, struct span name, struct span value, struct err *e)
{
	return value.n == 0 ? 0 : fields_set(&r->raw, name, value, e);
}

static enum db_result
pwf_lookup(const struct userdb *db, struct request *r)
{
	const struct passwd_entry *entry;
	enum db_result result = passwd_file_find(db->auth, db->priv, r, &entry);
	struct err e = ERR_INIT;
	struct span rest, name, value;
	int rc;

	if (result != DB_OK)
		return result;
	rest = entry->extra;
	rc = set_if_there(r, SPAN("uid"), entry->uid, &e);
	if (rc == 0)
		rc = set_if_there(r, SPAN("gid"), entry->gid, &e);
	if (rc == 0)
		rc = set_if_there(r, SPAN("home"), entry->home, &e);
	while (rc == 0 && (rc = fields_next_word(&rest, r->arena, &name, &value, &e)) == 1)
		rc = span_starts(name, SPAN("userdb_")) ? fields_set(&r->raw, span_from(name, 7), value, &e) : 0;
	if (rc == 0)
		return DB_OK;
	request_reason(r, "fields: %s", e.log);
	return DB_TEMP;
}

static int
pwf_list(const struct userdb *db, struct span mask, void (*each)(void *ctx, struct span user), void *ctx)
{
	return passwd_file_list(db->auth, db->priv, mask, each, ctx);
}

const struct userdb_driver userdb_passwd_file = {
	.name = "passwd-file",
	.open = pwf_open,
	.lookup = pwf_lookup,
	.list = pwf_list,
};
