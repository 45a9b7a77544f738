/* SPDX-License-Identifier: MIT */
/* The same for everybody: "uid=vmail gid=vmail home=/var/vmail/%d/%n allow_all_users=yes", and any other field. */
#include "auth/userdb.h"

#include "lib/priv.h"

struct priv {
	struct fields fields;	/* not expanded */
	bool allow_all;
};

/* Names of system users are looked up once, here, and not again for each login. */
static int
to_number(struct userdb *db, struct span *value, bool is_group, struct err *e)
{
	uint32_t n;
	uid_t uid;
	gid_t gid;
	char *name, *text;

	if (span_u32(*value, &n) || span_chr(*value, '%') < value->n)
		return 0;
	name = arena_cstr(db->auth->arena, *value);
	if (name == NULL)
		return err_set(e, ERR_SYNTAX, "malformed name");
	if ((is_group ? priv_lookup_group(name, &gid, e) : priv_lookup_user(name, &uid, &gid, e)) == -1)
		return -1;
	text = arena_printf(db->auth->arena, "%lu", is_group ? (unsigned long)gid : (unsigned long)uid);
	if (text == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*value = span_str(text);
	return 0;
}

static int
static_open(struct userdb *db, struct err *e)
{
	struct priv *p = arena_alloc(db->auth->arena, 1, sizeof(*p));
	struct span rest = db->conf->args, name, value;
	int rc;

	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	fields_init(&p->fields, db->auth->arena);
	while ((rc = fields_next_word(&rest, db->auth->arena, &name, &value, e)) == 1) {
		bool is_group = span_eq(name, SPAN("gid"));

		if ((is_group || span_eq(name, SPAN("uid"))) && to_number(db, &value, is_group, e) == -1)
			return err_wrap(e, "args: %.*s", SPAN_ARG(name));
		if (fields_set(&p->fields, name, value, e) == -1)
			return err_wrap(e, "args");
	}
	p->allow_all = fields_is_true(&p->fields, SPAN("allow_all_users"));
	db->priv = p;
	return rc;
}

static enum db_result
static_lookup(const struct userdb *db, struct request *r)
{
	const struct priv *p = db->priv;
	struct err e = ERR_INIT;

	for (const struct field *f = p->fields.first; f != NULL; f = f->next)
		if (fields_set(&r->raw, f->name, f->value, &e) == -1) {
			request_reason(r, "%s", e.log);
			return DB_TEMP;
		}
	return DB_OK;
}

const struct userdb_driver userdb_static = {
	.name = "static",
	.open = static_open,
	.lookup = static_lookup,
};

bool
userdb_must_verify(const struct auth *a)
{
	for (size_t i = 0; i < a->conf->userdb_count; i++)
		if (a->userdbs[i].driver == &userdb_static && !((const struct priv *)a->userdbs[i].priv)->allow_all)
			return true;
	return false;
}

/* What a passdb gave with its answer ("userdb_uid=..."): for logins only. */
static enum db_result
prefetch_lookup(const struct userdb *db, struct request *r)
{
	struct err e = ERR_INIT;

	(void)db;
	if (!r->is_login || (fields_get(&r->prefetch, SPAN("uid")) == NULL && fields_get(&r->prefetch, SPAN("home")) == NULL))
		return DB_UNKNOWN;
	/* Expanded already: they go where the chain's own expansion does not see them. */
	for (const struct field *f = r->prefetch.first; f != NULL; f = f->next)
		if (fields_set(&r->user_fields, f->name, f->value, &e) == -1) {
			request_reason(r, "%s", e.log);
			return DB_TEMP;
		}
	return DB_OK;
}

const struct userdb_driver userdb_prefetch = {
	.name = "prefetch",
	.lookup = prefetch_lookup,
};
