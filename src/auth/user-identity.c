/* SPDX-License-Identifier: MIT */
#include "auth/user-identity.h"

#include <grp.h>
#include "lib/priv.h"

#define FIELDS_LEN_MAX 32768

static int
number_or_name(struct request *r, struct span text, bool is_group, uint32_t *out, gid_t *primary_out, struct err *e)
{
	char *name;
	uid_t uid;
	gid_t gid;

	if (span_u32(text, out))
		return 0;
	name = arena_cstr(r->arena, text);
	if (name == NULL || text.n == 0)
		return err_set(e, ERR_SYNTAX, "%s is empty or malformed", is_group ? "gid" : "uid");
	if (is_group) {
		if (priv_lookup_group(name, &gid, e) == -1)
			return err_wrap(e, "gid");
		*out = (uint32_t)gid;
		return 0;
	}
	if (priv_lookup_user(name, &uid, &gid, e) == -1)
		return err_wrap(e, "uid");
	*out = (uint32_t)uid;
	*primary_out = gid;
	return 0;
}

static int
add_groups(struct request *r, struct identity *out, struct err *e)
{
	struct span name = fields_value(&r->user_fields, SPAN("system_groups_user"));
	char *user;
	int count = IDENTITY_GROUPS_MAX;

	if (name.n == 0)
		return 0;
	user = arena_cstr(r->arena, name);
	if (user == NULL)
		return err_set(e, ERR_SYNTAX, "system_groups_user is malformed");
	if (getgrouplist(user, out->gid, out->groups, &count) == -1)
		return err_set(e, ERR_LIMIT, "user %s is in more than %d groups", user, IDENTITY_GROUPS_MAX);
	out->group_count = (size_t)count;
	return 0;
}

/* Everything that is no part of the identity itself overrides settings. */
static int
add_settings(struct request *r, struct identity *out, struct err *e)
{
	static const struct span own[] = { { "uid", 3 }, { "gid", 3 }, { "home", 4 }, { "chroot", 6 }, { "user", 4 },
		{ "system_groups_user", 18 }, { "tempfail", 8 }, { "allow_all_users", 15 } };
	struct buf b = BUF_INIT(FIELDS_LEN_MAX);

	for (const struct field *f = r->user_fields.first; f != NULL; f = f->next) {
		bool is_own = false;

		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			is_own = is_own || span_eq(f->name, own[i]);
		if (is_own)
			continue;
		buf_add(&b, f->name);
		buf_addc(&b, '=');
		buf_add(&b, f->value);
		buf_addc(&b, '\0');
	}
	out->fields = b.failed ? SPAN_NONE : arena_dup(r->arena, buf_span(&b));
	buf_clear(&b);
	return out->fields.p == NULL ? err_set(e, ERR_LIMIT, "too many userdb fields") : 0;
}

static int
set_home(struct request *r, struct identity *out, struct err *e)
{
	struct buf b = BUF_INIT(4096);
	int rc = 0;

	out->home = fields_value(&r->user_fields, SPAN("home"));
	out->chroot_dir = fields_value(&r->user_fields, SPAN("chroot"));
	if (out->home.n == 0 && r->auth->conf->mail_home.n > 0) {
		rc = request_expand(r, r->auth->conf->mail_home, &b, e);
		if (rc == 0 && (out->home = arena_dup(r->arena, buf_span(&b))).p == NULL)
			rc = err_set(e, ERR_LIMIT, "no room for mail_home");
		buf_clear(&b);
	}
	if (out->home.p == NULL)
		out->home = span_of("", 0);
	if (out->chroot_dir.p == NULL)
		out->chroot_dir = span_of("", 0);
	return rc;
}

int
user_identity_make(struct request *r, struct identity *out, struct err *e)
{
	const struct auth_conf *c = r->auth->conf;
	struct span uid = fields_value(&r->user_fields, SPAN("uid")), gid = fields_value(&r->user_fields, SPAN("gid"));
	gid_t primary = (gid_t)-1;
	uint32_t n;

	memset(out, 0, sizeof(*out));
	out->user = r->user;
	if (uid.n == 0)
		uid = c->mail_uid;
	if (gid.n == 0)
		gid = c->mail_gid;
	if (uid.n == 0)
		return err_set(e, ERR_TEMP, "the userdb gives no uid, and mail_uid is not set");
	if (number_or_name(r, uid, false, &n, &primary, e) == -1)
		return -1;
	out->uid = (uid_t)n;
	if (gid.n > 0 && number_or_name(r, gid, true, &n, &primary, e) == -1)
		return -1;
	if (gid.n == 0 && primary == (gid_t)-1)
		return err_set(e, ERR_TEMP, "the userdb gives no gid, and mail_gid is not set");
	out->gid = gid.n > 0 ? (gid_t)n : primary;
	return set_home(r, out, e) == -1 || add_groups(r, out, e) == -1 ? -1 : add_settings(r, out, e);
}
