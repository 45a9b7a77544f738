/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_CONF_H
#define CULVER_AUTH_CONF_H
/* What auth needs of the settings, as a plain structure: nothing below it knows of the settings image. */
#include "lib-config/settings.h"

#define CONF_DBS_MAX 32

enum db_action { ACT_RETURN_OK, ACT_RETURN, ACT_RETURN_FAIL, ACT_CONTINUE, ACT_CONTINUE_OK, ACT_CONTINUE_FAIL };

/* When a database is passed over: by what the ones before it said. */
enum db_skip { SKIP_NEVER, SKIP_IF_OK, SKIP_IF_NOT_OK };

struct db_conf {		/* a passdb {} or userdb {} block */
	struct span driver, args;
	struct span default_fields, override_fields;
	struct span mechanisms, username_filter;	/* passdb only */
	enum db_skip skip;
	enum db_action on_success, on_failure, on_internal_failure;
	bool deny, pass, master;			/* passdb only */
};

enum show_passwords { SHOW_NO, SHOW_PLAIN, SHOW_SHA1 };

struct auth_conf {
	struct db_conf passdbs[CONF_DBS_MAX], userdbs[CONF_DBS_MAX];
	size_t passdb_count, userdb_count;
	struct span mechanisms;
	struct span default_realm;
	bool any_char;			/* auth_username_chars is empty */
	bool chars[256];
	unsigned char translation[256];
	struct span username_format;
	char master_separator;		/* 0: none */
	bool disable_plaintext;
	bool debug, debug_passwords;
	enum show_passwords show_passwords;
	size_t show_passwords_len;
	size_t max_user, max_password, max_requests;
	uint64_t cache_size, cache_ttl_ms, cache_negative_ttl_ms;
	uint64_t failure_delay_ms, penalty_max_ms, timeout_ms;
	unsigned worker_max;
	struct span mail_uid, mail_gid, mail_home;
	struct span hostname;
};

void conf_defaults(struct auth_conf *c);	/* as settings.def has them; no databases, no delay, no disable_plaintext */
void conf_username_chars(struct auth_conf *c, struct span chars);
void conf_translation(struct auth_conf *c, struct span pairs);
/* "no", "plain", "sha1", "plain:8", "sha1:6"; anything else counts as "no". */
void conf_show_passwords(struct auth_conf *c, struct span s);
/* Spans point into the view, which must live as long. */
int conf_load(struct auth_conf *c, const struct set_view *v, struct err *e);
#endif
