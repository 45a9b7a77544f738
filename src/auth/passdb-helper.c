/* SPDX-License-Identifier: MIT */
/* The password databases that the root helper asks: pam, shadow, passwd. */
#include "auth/passdb.h"

#include <unistd.h>
#include "auth/user-name.h"

struct pam_priv {
	struct span service, cache_key;
	unsigned flags;
};

/* "session=yes setcred=yes cache_key=%u failure_show_msg=yes max_requests=10 dovecot"; "*" is the service's own name. */
static int
pam_open(struct passdb *db, struct err *e)
{
	struct pam_priv *p = arena_alloc(db->auth->arena, 1, sizeof(*p));
	struct span rest = db->conf->args, name, value;
	int rc;

	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	/* Who changes over from another server has a service file of its name. */
	p->service = access("/etc/pam.d/culver", F_OK) == -1 && access("/etc/pam.d/dovecot", F_OK) == 0 ?
		SPAN("dovecot") : SPAN("culver");
	while ((rc = fields_next_word(&rest, db->auth->arena, &name, &value, e)) == 1) {
		bool yes = span_ieq(value, SPAN("yes")) || span_ieq(value, SPAN("y")) || value.n == 0;

		if (span_eq(name, SPAN("session")) || span_eq(name, SPAN("-session")))
			p->flags |= yes ? PAM_FLAG_SESSION : 0;
		else if (span_eq(name, SPAN("setcred")) || span_eq(name, SPAN("-setcred")))
			p->flags |= yes ? PAM_FLAG_SETCRED : 0;
		else if (span_eq(name, SPAN("failure_show_msg")))
			p->flags |= yes ? PAM_FLAG_MESSAGES : 0;
		else if (span_eq(name, SPAN("cache_key")))
			p->cache_key = value;
		else if (span_eq(name, SPAN("max_requests")))
			continue;	/* each question has a process of its own anyway */
		else if (span_eq(name, SPAN("*")))
			p->service = SPAN("%s");
		else if (value.n == 0)
			p->service = name;
		else
			return err_set(e, ERR_SYNTAX, "args: unknown word %.*s", SPAN_ARG(name));
	}
	db->priv = p;
	return rc;
}

static enum db_result
result_of(const struct helper_answer *a)
{
	switch (a->code) {
	case AUTH_FAIL_NONE:
		return DB_OK;
	case AUTH_FAIL_NO_USER:
		return DB_UNKNOWN;
	case AUTH_FAIL_CREDENTIALS:
		return DB_MISMATCH;
	case AUTH_FAIL_EXPIRED:
		return DB_EXPIRED;
	case AUTH_FAIL_DISABLED:
		return DB_DISABLED;
	case AUTH_FAIL_TEMP:
	case AUTH_FAIL_LIMIT:
	case AUTH_FAIL_PLAINTEXT:
	case AUTH_FAIL_MECH:
	case AUTH_FAIL_PROTOCOL:
		break;
	}
	return DB_TEMP;
}

/* PAM's name of the user replaces ours, if it is one. */
static enum db_result
take_user(struct request *r, struct span user)
{
	struct err e = ERR_INIT;

	if (user.n == 0 || span_eq(user, r->user) || span_ieq(user, r->user))
		return DB_OK;
	if (user_name_check(user, r->auth->conf->max_user, &e) == 0 && fields_set(&r->raw, SPAN("user"), user, &e) == 0)
		return DB_OK;
	request_reason(r, "PAM names the user otherwise: %s", e.log);
	return DB_TEMP;
}

static void
pam_answered(void *ctx, const struct helper_answer *a)
{
	struct request *r = ctx;
	enum db_result result = result_of(a);

	if (!request_resumed(r))
		return;
	if (result == DB_OK)
		result = take_user(r, a->user);
	else
		request_reason(r, "%.*s", SPAN_ARG(a->text));
	if (result != DB_OK && a->message.n > 0)
		r->fail_text = arena_dup(r->arena, a->message);
	passdb_verified(r, result);
}

static enum db_result
pam_verify(const struct passdb *db, struct request *r)
{
	const struct pam_priv *p = db->priv;
	struct buf service = BUF_INIT(255);
	struct err e = ERR_INIT;

	if (request_expand(r, p->service, &service, &e) == -1) {
		request_reason(r, "args: %s", e.log);
		buf_clear(&service);
		return DB_TEMP;
	}
	/* PAM takes C strings. */
	if (r->password.n > 0 && memchr(r->password.p, '\0', r->password.n) != NULL) {
		buf_clear(&service);
		return DB_MISMATCH;
	}
	r->pending = true;
	if (!helper_pam(db->auth->helper, buf_span(&service), r->user, buf_span(&r->password), r->params.rip, p->flags,
			pam_answered, r)) {
		r->pending = false;
		request_reason(r, "too many logins wait for PAM, or its helper has gone");
	}
	buf_clear(&service);
	return r->pending ? DB_PENDING : DB_TEMP;
}

static int
pam_cache_key(const struct passdb *db, struct request *r, struct buf *out)
{
	const struct pam_priv *p = db->priv;
	struct err e = ERR_INIT;

	if (p->cache_key.n == 0 || request_expand(r, p->service, out, &e) == -1)
		return -1;
	buf_addc(out, '\0');
	return request_expand(r, p->cache_key, out, &e);
}

const struct passdb_driver passdb_pam = {
	.name = "pam",
	.needs_helper = true,
	.open = pam_open,
	.verify = pam_verify,
	.cache_key = pam_cache_key,
};

static void
shadow_answered(void *ctx, const struct helper_answer *a)
{
	struct request *r = ctx;
	enum db_result result = result_of(a);

	if (!request_resumed(r))
		return;
	if (result == DB_OK) {
		r->db_password = arena_dup(r->arena, a->password);
		if (r->db_password.p == NULL)
			result = DB_TEMP;
	} else {
		request_reason(r, "%.*s", SPAN_ARG(a->text));
	}
	passdb_looked_up(r, result);
}

static enum db_result
shadow_lookup(const struct passdb *db, struct request *r)
{
	r->pending = true;
	if (helper_shadow(db->auth->helper, r->user, shadow_answered, r))
		return DB_PENDING;
	r->pending = false;
	request_reason(r, "too many look-ups wait, or the helper has gone");
	return DB_TEMP;
}

static int
shadow_cache_key(const struct passdb *db, struct request *r, struct buf *out)
{
	(void)db;
	(void)r;
	(void)out;
	return 0;	/* nothing but the name */
}

const struct passdb_driver passdb_shadow = {
	.name = "shadow",
	.needs_helper = true,
	.default_scheme = { "CRYPT", 5 },
	.lookup = shadow_lookup,
	.cache_key = shadow_cache_key,
};

/* The system's users; their password is in the shadow file where there is one. */
const struct passdb_driver passdb_passwd = {
	.name = "passwd",
	.needs_helper = true,
	.default_scheme = { "CRYPT", 5 },
	.lookup = shadow_lookup,
	.cache_key = shadow_cache_key,
};
