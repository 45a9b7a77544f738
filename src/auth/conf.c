/* SPDX-License-Identifier: MIT */
#include "auth/conf.h"

#include "lib/ipc-types.h"

void
conf_username_chars(struct auth_conf *c, struct span chars)
{
	memset(c->chars, 0, sizeof(c->chars));
	c->any_char = chars.n == 0;
	for (size_t i = 0; i < chars.n; i++)
		c->chars[(unsigned char)chars.p[i]] = true;
}

void
conf_translation(struct auth_conf *c, struct span pairs)
{
	for (size_t i = 0; i < 256; i++)
		c->translation[i] = (unsigned char)i;
	for (size_t i = 0; i + 1 < pairs.n; i += 2)
		c->translation[(unsigned char)pairs.p[i]] = (unsigned char)pairs.p[i + 1];
}

void
conf_show_passwords(struct auth_conf *c, struct span s)
{
	size_t colon = span_chr(s, ':');
	uint64_t n = SIZE_MAX;

	c->show_passwords = SHOW_NO;
	c->show_passwords_len = SIZE_MAX;
	if (colon < s.n && (!span_u64(span_from(s, colon + 1), 4096, &n) || n == 0))
		return;
	s = span_sub(s, 0, colon);
	if (span_eq(s, SPAN("plain")) || span_eq(s, SPAN("yes")))
		c->show_passwords = SHOW_PLAIN;
	else if (span_eq(s, SPAN("sha1")))
		c->show_passwords = SHOW_SHA1;
	c->show_passwords_len = (size_t)n;
}

void
conf_defaults(struct auth_conf *c)
{
	memset(c, 0, sizeof(*c));
	c->mechanisms = SPAN("plain login");
	conf_username_chars(c, SPAN("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@"));
	conf_translation(c, SPAN_NONE);
	c->username_format = SPAN("%Lu");
	c->max_user = USER_NAME_MAX;
	c->max_password = 1024;
	c->max_requests = 4096;
	c->cache_ttl_ms = c->cache_negative_ttl_ms = 3600 * 1000;
	c->timeout_ms = 150 * 1000;
	c->worker_max = 30;
	c->hostname = SPAN("localhost");
}

static enum db_action
action(const struct set_block *b, const char *name)
{
	static const char *const words[] = {
		[ACT_RETURN_OK] = "return-ok", [ACT_RETURN] = "return", [ACT_RETURN_FAIL] = "return-fail",
		[ACT_CONTINUE] = "continue", [ACT_CONTINUE_OK] = "continue-ok", [ACT_CONTINUE_FAIL] = "continue-fail",
	};
	struct span s = set_block_str(b, name);

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_eq(s, span_str(words[i])))
			return (enum db_action)i;
	return ACT_RETURN_FAIL;		/* the configuration has let no other word through */
}

static void
load_common(struct db_conf *db, const struct set_block *b, struct span ok_word, struct span not_ok_word)
{
	struct span skip = set_block_str(b, "skip");

	db->driver = set_block_str(b, "driver");
	db->args = span_trim(set_block_str(b, "args"));
	db->default_fields = set_block_str(b, "default_fields");
	db->override_fields = set_block_str(b, "override_fields");
	db->on_success = action(b, "result_success");
	db->on_failure = action(b, "result_failure");
	db->on_internal_failure = action(b, "result_internalfail");
	if (span_eq(skip, ok_word))
		db->skip = SKIP_IF_OK;
	else if (span_eq(skip, not_ok_word))
		db->skip = SKIP_IF_NOT_OK;
}

static int
load_dbs(struct auth_conf *c, const struct set_view *v, struct err *e)
{
	struct set_block b;
	size_t pos = 0;

	while (set_block_next(v, NULL, "passdb", &pos, &b)) {
		struct db_conf *db = &c->passdbs[c->passdb_count];

		if (c->passdb_count == CONF_DBS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d passdbs", CONF_DBS_MAX);
		load_common(db, &b, SPAN("authenticated"), SPAN("unauthenticated"));
		db->mechanisms = set_block_str(&b, "mechanisms");
		db->username_filter = set_block_str(&b, "username_filter");
		db->deny = set_block_bool(&b, "deny");
		db->pass = set_block_bool(&b, "pass");
		db->master = set_block_bool(&b, "master");
		c->passdb_count++;
	}
	pos = 0;
	while (set_block_next(v, NULL, "userdb", &pos, &b)) {
		if (c->userdb_count == CONF_DBS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d userdbs", CONF_DBS_MAX);
		load_common(&c->userdbs[c->userdb_count++], &b, SPAN("found"), SPAN("notfound"));
	}
	return 0;
}

int
conf_load(struct auth_conf *c, const struct set_view *v, struct err *e)
{
	struct span separator = set_str(v, SET_auth_master_user_separator);

	conf_defaults(c);
	c->mechanisms = set_str(v, SET_auth_mechanisms);
	c->default_realm = set_str(v, SET_auth_default_realm);
	conf_username_chars(c, set_str(v, SET_auth_username_chars));
	conf_translation(c, set_str(v, SET_auth_username_translation));
	c->username_format = set_str(v, SET_auth_username_format);
	c->master_separator = separator.n > 0 ? separator.p[0] : 0;
	c->disable_plaintext = set_bool(v, SET_disable_plaintext_auth);
	c->debug = set_bool(v, SET_auth_debug);
	c->debug_passwords = set_bool(v, SET_auth_debug_passwords);
	conf_show_passwords(c, set_str(v, SET_auth_verbose_passwords));
	c->max_user = set_num(v, SET_auth_max_username_length);
	if (c->max_user > USER_NAME_MAX)
		c->max_user = USER_NAME_MAX;
	c->max_password = set_num(v, SET_auth_max_password_length);
	c->max_requests = set_num(v, SET_auth_max_requests);
	if (c->max_requests == 0)
		c->max_requests = 1;
	c->cache_size = set_num(v, SET_auth_cache_size);
	c->cache_ttl_ms = set_ms(v, SET_auth_cache_ttl);
	c->cache_negative_ttl_ms = set_ms(v, SET_auth_cache_negative_ttl);
	c->failure_delay_ms = set_ms(v, SET_auth_failure_delay);
	c->penalty_max_ms = set_ms(v, SET_auth_penalty_max);
	c->timeout_ms = set_ms(v, SET_auth_timeout);
	c->worker_max = (unsigned)set_num(v, SET_auth_worker_max_count);
	if (c->worker_max == 0)
		c->worker_max = 1;
	c->mail_uid = set_str(v, SET_mail_uid);
	c->mail_gid = set_str(v, SET_mail_gid);
	c->mail_home = set_str(v, SET_mail_home);
	c->hostname = set_str(v, SET_hostname);
	return load_dbs(c, v, e);
}
