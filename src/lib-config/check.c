/* SPDX-License-Identifier: MIT */
/* What can only be said about a configuration when all of it has been read. */
#include "lib-config/config-priv.h"
#include "lib-config/quota-rule.h"
#include "lib-config/script-request.h"
#include "lib-config/sieve-setting.h"
#include "lib-config/vars.h"

/* Below these a setting would not limit the server, but stop it. */
static const struct {
	enum setting id;
	uint64_t min;
} minimums[] = {
	{ SET_imap_max_line_length, 1024 }, { SET_imap_max_command_size, 1024 }, { SET_imap_max_nesting, 4 },
	{ SET_imap_max_search_keys, 4 }, { SET_imap_max_search_depth, 2 }, { SET_imap_max_set_ranges, 16 },
	{ SET_imap_max_fetch_items, 16 }, { SET_imap_max_list_patterns, 1 }, { SET_imap_max_bad_commands, 1 },
	{ SET_imap_max_append_messages, 1 }, { SET_imap_idle_timeout, 1000 }, { SET_imap_write_timeout, 1000 },
	{ SET_pop3_max_line_length, 512 }, { SET_pop3_idle_timeout, 1000 }, { SET_pop3_write_timeout, 1000 },
	{ SET_lmtp_max_line_length, 1024 }, { SET_lmtp_max_recipients, 1 }, { SET_lmtp_timeout, 1000 },
	{ SET_lmtp_max_connections, 1 }, { SET_lmtp_delivery_timeout, 1000 }, { SET_lmtp_max_hops, 1 },
	{ SET_spam_scanner_timeout, 1000 }, { SET_spam_scanner_max_size, 1024 },
	{ SET_procmail_timeout, 1000 }, { SET_procmail_memory, 1 << 20 }, { SET_procmail_program_output, 1024 },
	{ SET_login_max_time, 1000 }, { SET_login_max_line_length, 1024 }, { SET_login_tls_handshake_timeout, 1000 },
	{ SET_login_max_bad_commands, 1 }, { SET_login_max_auth_failures, 1 }, { SET_auth_max_requests, 1 },
	{ SET_auth_max_username_length, 1 }, { SET_auth_max_password_length, 1 }, { SET_auth_timeout, 1000 },
	{ SET_auth_worker_max_count, 1 },
	{ SET_mail_max_header_size, 4096 }, { SET_mail_max_header_count, 16 }, { SET_mail_max_mime_depth, 1 },
	{ SET_mail_max_mime_parts, 1 }, { SET_mail_max_addresses, 1 }, { SET_mail_max_mailbox_name_length, 16 },
	{ SET_mail_max_mailbox_depth, 1 }, { SET_mail_max_mailboxes, 1 }, { SET_mail_max_keyword_length, 1 },
	{ SET_mail_max_session_memory, 4 << 20 }, { SET_mail_index_map_size, 1 << 20 },
	{ SET_default_process_limit, 1 }, { SET_default_client_limit, 1 },
};

static void
check_minimums(struct config *c, const struct scope *s)
{
	for (size_t i = 0; i < sizeof(minimums) / sizeof(minimums[0]); i++) {
		const struct value *v = &s->values[minimums[i].id];

		if (v->text.p != NULL && v->num < minimums[i].min)
			config_error(c, v->place, "%s = %.*s is too low: it must be %llu at least",
			    setting_table[minimums[i].id].name, SPAN_ARG(v->text), (unsigned long long)minimums[i].min);
	}
}

static void
check_vars(struct config *c, const struct setting_def *defs, unsigned count, const struct value *values)
{
	struct err e = ERR_INIT;

	for (unsigned i = 0; i < count; i++) {
		if (defs[i].type == TYPE_VARS && values[i].text.p != NULL && vars_check(values[i].text, &e) == -1)
			config_error(c, values[i].place, "%s: %s", defs[i].name, e.log);
	}
}

/* protocols: each word once; those that are not served go, with a warning. */
static void
check_protocols(struct config *c)
{
	static const char *const served[] = { "imap", "pop3", "lmtp", "sieve" };
	struct value *v = &scope_top(c)->values[SET_protocols];
	struct span rest = v->text, word;
	struct buf out = BUF_INIT(256);
	bool seen[4] = { false, false, false, false };
	struct nearest near;

	while (rest.n > 0 && span_next(&rest, ' ', &word)) {
		size_t i = 0;

		word = span_trim(word);
		while (i < 4 && !span_eq(word, span_str(served[i])))
			i++;
		if (i < 4 && !seen[i]) {
			seen[i] = true;
			buf_adds(&out, out.n > 0 ? " " : "");
			buf_adds(&out, served[i]);
		}
		if (i < 4 || word.n == 0 || span_eq(word, SPAN("none")))
			continue;
		nearest_init(&near, word);
		for (i = 0; i < 4; i++)
			nearest_try(&near, served[i]);
		if (span_eq(word, SPAN("submission")) || span_eq(word, SPAN("imaps")) ||
		    span_eq(word, SPAN("pop3s")) || span_eq(word, SPAN("managesieve")))
			config_warning(c, v->place, "protocols: %.*s is not served%s", SPAN_ARG(word),
			    word.p[word.n - 1] == 's' ? " by a name of its own: see ssl" : "");
		else
			config_error(c, v->place, "there is no protocol %.*s%s%s%s", SPAN_ARG(word),
			    near.best != NULL ? "; did you mean " : "", near.best != NULL ? near.best : "",
			    near.best != NULL ? "?" : "");
	}
	if (v->text.p != NULL)
		v->text = arena_dup(c->arena, out.n > 0 ? buf_span(&out) : SPAN(""));
	buf_clear(&out);
}

/* New mail can not be stored in all the ways that Dovecot's plugin knows. */
static void
check_zlib(struct config *c, const struct scope *s)
{
	for (size_t i = 0; i < s->plugin.n; i++) {
		const struct plugin_value *pv = array_at(&s->plugin, i);
		struct span save = pv->value.text;

		if (span_eq(pv->key, SPAN("zlib_save")) && save.n > 0 && !span_ieq(save, SPAN("gz")) &&
		    !span_ieq(save, SPAN("zstd")) && config_warn_once(c, pv->key))
			config_warning(c, pv->value.place, "zlib_save: %.*s is not there, and new mail is stored as it is; gz and zstd are",
			    SPAN_ARG(save));
	}
}

/* What mail_plugins switches on. */
static bool
is_plugin(struct span word)
{
	static const char *const there[] = { "acl", "imap_acl", "quota", "imap_quota", "procmail", "sieve", "imap_sieve", "zlib" };

	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
		if (span_eq(word, span_str(there[i])))
			return true;
	return false;
}

/* Features that a word would switch on, and that are not there, are not passed over in silence. */
static void
check_plugins(struct config *c, const struct scope *s)
{
	const struct value *v = &s->values[SET_mail_plugins];
	struct span rest = v->text, word;

	while (v->is_set && set_list_next(&rest, &word)) {
		if (span_eq(word, SPAN("zlib")))
			check_zlib(c, s);
		if (!is_plugin(word) && config_warn_once(c, word))
			config_warning(c, v->place, "mail_plugins: there is no %.*s", SPAN_ARG(word));
	}
}

/* What would else be found out when mail comes. */
static void
check_procmail(struct config *c, const struct scope *s)
{
	static const enum setting paths[] = { SET_procmail_rc, SET_procmail_directories };
	const struct value *programs = &s->values[SET_procmail_programs];

	if (programs->is_set && !span_ieq(programs->text, SPAN("yes")) && !span_ieq(programs->text, SPAN("no")) &&
	    !span_starts(programs->text, SPAN("/")))
		config_error(c, programs->place, "procmail_programs = %.*s: it is yes, no, or the path of a directory",
		    SPAN_ARG(programs->text));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct value *v = &s->values[paths[i]];
		struct span rest = v->text, word;

		while (v->is_set && set_list_next(&rest, &word))
			if (!span_starts(word, SPAN("/")) && !span_starts(word, SPAN("~/")) && !span_starts(word, SPAN("%")))
				config_error(c, v->place, "%s: %.*s is no absolute path", setting_table[paths[i]].name, SPAN_ARG(word));
	}
}

/* plugin {} takes any name; those of features that are there are looked at. */
static void
check_plugin_settings(struct config *c, const struct scope *s)
{
	for (size_t i = 0; i < s->plugin.n; i++) {
		const struct plugin_value *pv = array_at(&s->plugin, i);
		struct err e = ERR_INIT;
		bool known;

		if (quota_setting_check(pv->key, pv->value.text, &known, &e) == 0 &&
		    (known || sieve_setting_check(pv->key, pv->value.text, &known, &e) == 0))
			continue;
		if (e.code != ERR_DENIED)
			config_error(c, pv->value.place, "%.*s: %s", SPAN_ARG(pv->key), e.log);
		else if (config_warn_once(c, pv->key))
			config_warning(c, pv->value.place, "%.*s %s", SPAN_ARG(pv->key), e.log);
	}
}

static bool
is_on(const struct scope *s, struct span plugin)
{
	struct span rest = s->values[SET_mail_plugins].text, word;

	while (set_list_next(&rest, &word))
		if (span_eq(word, plugin))
			return true;
	return false;
}

/* What would else be found out by each session, as its end. */
static void
check_acl(struct config *c, struct scope *s)
{
	const struct plugin_value *acl = plugin_for(s, SPAN("acl")), *dict = plugin_for(s, SPAN("acl_shared_dict"));
	struct span text, kind;

	if (acl != NULL && acl->value.text.n > 0) {
		text = acl->value.text;
		if (!span_next(&text, ':', &kind) || !span_eq(kind, SPAN("vfile")))
			config_error(c, acl->value.place, "plugin/acl = %.*s: only vfile is known, with a path behind a colon",
			    SPAN_ARG(acl->value.text));
	}
	if (dict != NULL && dict->value.text.n > 0 && !span_starts(dict->value.text, SPAN("file:/")))
		config_error(c, dict->value.place, "plugin/acl_shared_dict = %.*s: only file: is known, with a whole path",
		    SPAN_ARG(dict->value.text));
}

/* Where annotations are taken over from. */
static void
check_attribute_dict(struct config *c, const struct scope *s)
{
	const struct value *v = &s->values[SET_mail_attribute_dict];

	if (v->is_set && v->text.n > 0 && !span_starts(v->text, SPAN("file:/")) && !span_starts(v->text, SPAN("file:%")))
		config_warning(c, v->place, "mail_attribute_dict = %.*s has no effect: annotations are taken over from file: and a path",
		    SPAN_ARG(v->text));
}

#define NO_EFFECT "No effect: "

/* What blocks.def says has none. */
static void
check_effects(struct config *c, const struct block *b)
{
	const struct block_def *def = &block_table[b->kind];
	struct span doc = span_str(def->doc), name = span_str(def->name);

	if (!b->built_in && span_starts(doc, SPAN(NO_EFFECT)) && config_warn_once(c, name))
		config_warning(c, b->place, "%s has no effect: %s", def->name, doc.p + sizeof(NO_EFFECT) - 1);
	for (unsigned i = 0; def->settings[i].name != NULL; i++) {
		doc = span_str(def->settings[i].doc);
		name = span_str(def->settings[i].name);
		if (b->values[i].is_set && span_starts(doc, SPAN(NO_EFFECT)) && config_warn_once(c, name))
			config_warning(c, b->values[i].place, "%s has no effect: %s", name.p, doc.p + sizeof(NO_EFFECT) - 1);
	}
}

static struct value *
block_value(const struct block *b, const char *name)
{
	return &b->values[block_setting_find(b->kind, span_str(name))];
}

static bool
is_script(const struct block *service)
{
	struct span command;
	const char *reason;

	return service_use(service->name, &reason) == SERVICE_UNKNOWN &&
	    script_command(block_value(service, "executable")->text, &command);
}

/* A service with a name of its own runs a script; the others are what they are. */
static void
check_service(struct config *c, const struct block *b)
{
	const struct value *executable = block_value(b, "executable");
	const char *reason;

	if (service_use(b->name, &reason) == SERVICE_UNKNOWN) {
		if (!is_script(b) && config_warn_once(c, b->name))
			config_warning(c, b->place, "service %.*s has no effect: no services but the built-in ones, and those with "
			    "executable = script /PROGRAM, are started", SPAN_ARG(b->name));
		return;
	}
	if (executable->text.n == 0)
		return;
	if (!span_eq(b->name, SPAN("quota-status"))) {
		if (config_warn_once(c, SPAN("executable")))
			config_warning(c, executable->place, "executable has no effect: the services are built in");
	} else if (!span_ends(span_trim(executable->text), SPAN("quota-status -p postfix")))
		config_error(c, executable->place, "executable: quota-status speaks Postfix's protocol alone: "
		    "quota-status -p postfix");
}

/* Only these services have listeners; others get their sessions from them. */
static void
check_listener(struct config *c, const struct block *b)
{
	static const char *const listening[] = {
		"auth", "imap-login", "pop3-login", "managesieve-login", "lmtp", "queue", "quota-status",
	};

	for (size_t i = 0; i < sizeof(listening) / sizeof(listening[0]); i++) {
		if (span_eq(b->parent->name, span_str(listening[i])))
			return;
	}
	if (is_script(b->parent)) {
		if (b->kind == BLOCK_inet_listener)
			config_error(c, b->place, "inet_listener: a service that runs a script has a unix_listener alone");
		return;
	}
	config_warning(c, b->place, "%s %.*s has no effect: service %.*s does not listen", block_table[b->kind].name,
	    SPAN_ARG(b->name), SPAN_ARG(b->parent->name));
}

/* Other users' mailboxes. */
static void
check_shared(struct config *c, const struct block *b)
{
	struct span prefix = block_value(b, "prefix")->text;

	if (block_value(b, "type")->num != 1 || block_value(b, "disabled")->num != 0 || span_find(prefix, SPAN("%%")) == SIZE_MAX)
		return;
	if (block_value(b, "location")->text.n == 0)
		config_error(c, b->place, "namespace %.*s needs a location, with %%%%u for whose mail it is", SPAN_ARG(b->name));
	if (!is_on(scope_top(c), SPAN("acl")))
		config_warning(c, b->place, "namespace %.*s: nobody sees anything of it without mail_plugins = acl",
		    SPAN_ARG(b->name));
}

static void
check_block(struct config *c, const struct block *b)
{
	struct value *v;

	check_effects(c, b);
	check_vars(c, block_table[b->kind].settings, block_setting_count(b->kind), b->values);
	switch (b->kind) {
	case BLOCK_passdb:
	case BLOCK_userdb:
		if (block_value(b, "driver")->text.n == 0)
			config_error(c, b->place, "%s has no driver", block_table[b->kind].name);
		break;
	case BLOCK_inet_listener:
		v = block_value(b, "port");
		if (v->num > 65535)
			config_error(c, v->place, "port %.*s: ports end at 65535", SPAN_ARG(v->text));
		/* Without it a proxy's address would be taken for its clients'. */
		v = block_value(b, "haproxy");
		if (v->num != 0)
			config_error(c, v->place, "haproxy = yes is not supported: the PROXY header is not understood");
		check_listener(c, b);
		break;
	case BLOCK_namespace:
		v = block_value(b, "separator");
		if (v->text.n > 1)
			config_error(c, v->place, "separator: it is one character");
		check_shared(c, b);
		break;
	case BLOCK_unix_listener:
		check_listener(c, b);
		/* fall through */
	case BLOCK_mailbox:
	case BLOCK_fifo_listener:
		if (b->name.n == 0)
			config_error(c, b->place, "%s needs a name", block_table[b->kind].name);
		break;
	case BLOCK_service:
		check_service(c, b);
		break;
	case BLOCK_KINDS:
	case BLOCK_NONE:
		break;
	}
}

static bool
is_private(const struct block *b)
{
	return b->kind == BLOCK_namespace && block_value(b, "type")->num == 0 && block_value(b, "disabled")->num == 0;
}

bool
config_needs_namespace(const struct config *c)
{
	const struct scope *top = scope_top(c);

	for (size_t i = 0; i < top->blocks.n; i++) {
		if (is_private(*(struct block **)array_at(&top->blocks, i)))
			return false;
	}
	return true;
}

static void
check_inbox(struct config *c)
{
	const struct scope *top = scope_top(c);
	const struct block *without = NULL;
	unsigned inboxes = 0;

	for (size_t i = 0; i < top->blocks.n; i++) {
		const struct block *b = *(struct block **)array_at(&top->blocks, i);

		if (!is_private(b))
			continue;
		if (block_value(b, "inbox")->num != 1) {
			without = b;
		} else if (++inboxes == 2) {
			config_error(c, b->place, "only one namespace can have inbox = yes");
		}
	}
	if (inboxes == 0 && without != NULL)
		config_error(c, without->place, "one private namespace must have inbox = yes");
}

static void
check_tls(struct config *c)
{
	const struct scope *top = scope_top(c);
	const struct value *ssl = &top->values[SET_ssl];
	bool has_cert = false;

	for (size_t i = 0; i < c->scopes.n; i++) {
		const struct scope *s = *(struct scope **)array_at(&c->scopes, i);

		if (s->values[SET_ssl_cert].text.n > 0 && s->values[SET_ssl_key].text.n == 0)
			config_error(c, s->values[SET_ssl_cert].place, "ssl_cert has no ssl_key beside it");
		has_cert |= s->values[SET_ssl_cert].text.n > 0;
	}
	if (has_cert || (ssl->text.p != NULL && ssl->num == 1))
		return;
	if (ssl->num == 2)
		config_error(c, ssl->place, "ssl = required, but there is no ssl_cert");
	else
		config_warning(c, ssl->place, "ssl = yes, but there is no ssl_cert: TLS can not be offered");
}

/* -1, 5.0 */
static bool
is_score(struct span text)
{
	size_t minus = text.n > 0 && text.p[0] == '-', digits = 0, points = 0;

	for (size_t i = minus; i < text.n; i++)
		if (ascii_is_digit(text.p[i]))
			digits++;
		else if (text.p[i] == '.')
			points++;
		else
			return false;
	return digits > 0 && points < 2;
}

/* unix:/path, inet:host:port, inet:[address]:port */
static bool
is_scanner_address(struct span text)
{
	size_t colon = text.n;
	uint64_t port;

	if (span_starts(text, SPAN("unix:/")))
		return true;
	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	return span_starts(text, SPAN("inet:")) && colon > sizeof("inet:") && span_u64(span_from(text, colon), 65535, &port) && port > 0;
}

/* Who is asked to learn must be named; what is no score or no address would be found out when mail comes. */
static void
check_spam(struct config *c, const struct scope *s)
{
	static const enum setting lessons[] = { SET_spam_learn_spam, SET_spam_learn_ham };
	static const enum setting scores[] = { SET_spam_junk_score, SET_spam_reject_score };
	static const enum setting addresses[] = { SET_spam_scanner_address, SET_spam_learn_address };
	const struct value *scanner = s->values[SET_spam_scanner].is_set ? &s->values[SET_spam_scanner] :
	    &scope_top(c)->values[SET_spam_scanner];

	for (size_t i = 0; i < sizeof(lessons) / sizeof(lessons[0]); i++) {
		const struct value *v = &s->values[lessons[i]];

		if (v->is_set && v->num != 0 && scanner->num == 0)
			config_warning(c, v->place, "%s: nobody learns anything without spam_scanner", setting_table[lessons[i]].name);
	}
	for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++) {
		const struct value *v = &s->values[scores[i]];

		if (v->is_set && v->text.n > 0 && !is_score(v->text))
			config_error(c, v->place, "%s = %.*s: that is no score, such as 5.0", setting_table[scores[i]].name,
			    SPAN_ARG(v->text));
	}
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const struct value *v = &s->values[addresses[i]];

		if (v->is_set && v->text.n > 0 && !is_scanner_address(v->text))
			config_error(c, v->place, "%s = %.*s: it is unix:/path or inet:host:port", setting_table[addresses[i]].name,
			    SPAN_ARG(v->text));
	}
}

void
config_check(struct config *c)
{
	check_protocols(c);
	for (size_t i = 0; i < c->scopes.n; i++) {
		struct scope *s = *(struct scope **)array_at(&c->scopes, i);

		check_minimums(c, s);
		check_plugins(c, s);
		check_plugin_settings(c, s);
		check_procmail(c, s);
		check_acl(c, s);
		check_attribute_dict(c, s);
		check_spam(c, s);
		check_vars(c, setting_table, SETTINGS_COUNT, s->values);
		for (size_t k = 0; k < s->blocks.n; k++)
			check_block(c, *(struct block **)array_at(&s->blocks, k));
	}
	check_inbox(c);
	check_tls(c);
}

struct span
config_resolve(const struct config *c, struct span text)
{
	unsigned id = text.n > 1 && text.p[0] == '$' ? setting_find(span_from(text, 1)) : SETTINGS_COUNT;

	return id == SETTINGS_COUNT ? text : value_text(&setting_table[id], &scope_top(c)->values[id]);
}
