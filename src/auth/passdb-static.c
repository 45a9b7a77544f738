/* SPDX-License-Identifier: MIT */
/* One password for everybody: "password=secret", "nopassword=y", and any extra fields; all with %variables. */
#include "auth/passdb.h"

static int
static_open(struct passdb *db, struct err *e)
{
	struct span rest = db->conf->args, name, value;
	bool sound = false;
	int rc;

	while ((rc = fields_next_word(&rest, db->auth->arena, &name, &value, e)) == 1)
		sound = sound || span_eq(name, SPAN("password")) || span_eq(name, SPAN("nopassword"));
	if (rc == -1)
		return -1;
	return sound || db->conf->deny ? 0 : err_set(e, ERR_SYNTAX, "args: password= or nopassword=y is missing");
}

static enum db_result
static_lookup(const struct passdb *db, struct request *r)
{
	struct buf password = BUF_INIT(4096);
	struct span rest = db->conf->args, name, value;
	struct err e = ERR_INIT;
	int rc;

	while ((rc = fields_next_word(&rest, r->arena, &name, &value, &e)) == 1) {
		if (!span_eq(name, SPAN("password"))) {
			if (fields_set(&r->raw, name, value, &e) == -1)
				break;
			continue;
		}
		buf_reset(&password);
		if (request_expand(r, value, &password, &e) == -1)
			break;
		r->db_password = arena_dup(r->arena, buf_span(&password));
	}
	buf_wipe(&password);
	if (rc == 0)
		return DB_OK;
	request_reason(r, "args: %s", e.log);
	return DB_TEMP;
}

const struct passdb_driver passdb_static = {
	.name = "static",
	.default_scheme = { "PLAIN", 5 },
	.open = static_open,
	.lookup = static_lookup,
};
