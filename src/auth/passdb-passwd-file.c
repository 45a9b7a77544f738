/* SPDX-License-Identifier: MIT */
#include "auth/passdb.h"

#include "auth/passwd-file-args.h"
#include "auth/user-name.h"

struct priv {
	struct passdb_driver driver;	/* with scheme= as its default */
	struct passwd_file_args args;
};

static int
pwf_open(struct passdb *db, struct err *e)
{
	struct priv *p = arena_alloc(db->auth->arena, 1, sizeof(*p));

	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	p->driver = *db->driver;
	if (passwd_file_args(db->conf->args, &p->args, e) == -1)
		return -1;
	if (p->args.scheme.n > 0)
		p->driver.default_scheme = p->args.scheme;
	db->driver = &p->driver;
	db->priv = p;
	return 0;
}

static enum db_result
pwf_lookup(const struct passdb *db, struct request *r)
{
	const struct priv *p = db->priv;
	const struct passwd_entry *entry;
	enum db_result result = passwd_file_find(db->auth, &p->args, r, &entry);
	struct err e = ERR_INIT;
	struct span rest, name, value;
	int rc;

	if (result != DB_OK)
		return result;
	/* The table may be read anew while the password is checked elsewhere: everything is copied. */
	r->db_password = arena_dup(r->arena, entry->password);
	rest = entry->extra;
	while ((rc = fields_next_word(&rest, r->arena, &name, &value, &e)) == 1)
		if (fields_set(&r->raw, name, value, &e) == -1)
			break;
	if (rc != 0 || r->db_password.p == NULL) {
		request_reason(r, "extra fields: %s", e.log);
		return DB_TEMP;
	}
	return DB_OK;
}

static int
pwf_cache_key(const struct passdb *db, struct request *r, struct buf *out)
{
	const struct priv *p = db->priv;
	struct err e = ERR_INIT;

	/* Looks whether the file has changed, too: then all that is remembered goes before it is used. */
	if (request_expand(r, p->args.path, out, &e) == -1 || passwd_files_get(db->auth->files, buf_span(out), &e) == NULL)
		return -1;
	buf_addc(out, '\0');
	return request_expand(r, p->args.username_format, out, &e);
}

static int
pwf_list(const struct passdb *db, struct span mask, void (*each)(void *ctx, struct span user), void *ctx)
{
	const struct priv *p = db->priv;

	return passwd_file_list(db->auth, &p->args, mask, each, ctx);
}

const struct passdb_driver passdb_passwd_file = {
	.name = "passwd-file",
	.default_scheme = { "CRYPT", 5 },
	.open = pwf_open,
	.lookup = pwf_lookup,
	.cache_key = pwf_cache_key,
	.list = pwf_list,
};
