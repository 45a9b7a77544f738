/* SPDX-License-Identifier: MIT */
/* The services that are part of Culver, written in its own language, and those of Dovecot that it does without. */
#include "lib-config/config-priv.h"

const char services_text[] =
    "service hub {\n"
    "  user = $default_internal_user\n"
    "  process_limit = 1\n"
    "  process_min_avail = 1\n"
    "  client_limit = 100000\n"
    "}\n"
    "service auth {\n"
    "  user = $default_internal_user\n"
    "  process_limit = 1\n"
    "  process_min_avail = 1\n"
    "  client_limit = 10000\n"
    "  unix_listener auth-userdb {\n"
    "    mode = 0666\n"
    "    user = $default_internal_user\n"
    "  }\n"
    "  unix_listener auth-client {\n"
    "    mode = 0600\n"
    "    user = $default_internal_user\n"
    "  }\n"
    "  unix_listener auth-login {\n"
    "    mode = 0600\n"
    "    user = $default_internal_user\n"
    "  }\n"
    "  unix_listener auth-master {\n"
    "    mode = 0600\n"
    "  }\n"
    "}\n"
    "service imap-login {\n"
    "  user = $default_login_user\n"
    "  chroot = login\n"
    "  inet_listener imap {\n"
    "    port = 143\n"
    "  }\n"
    "  inet_listener imaps {\n"
    "    port = 993\n"
    "    ssl = yes\n"
    "  }\n"
    "}\n"
    "service pop3-login {\n"
    "  user = $default_login_user\n"
    "  chroot = login\n"
    "  inet_listener pop3 {\n"
    "    port = 110\n"
    "  }\n"
    "  inet_listener pop3s {\n"
    "    port = 995\n"
    "    ssl = yes\n"
    "  }\n"
    "}\n"
    "service managesieve-login {\n"
    "  user = $default_login_user\n"
    "  chroot = login\n"
    "  inet_listener sieve {\n"
    "    port = 4190\n"
    "  }\n"
    "}\n"
    "service imap {\n"
    "  client_limit = 1\n"
    "  process_limit = 1024\n"
    "  service_count = 1\n"
    "}\n"
    "service pop3 {\n"
    "  client_limit = 1\n"
    "  process_limit = 1024\n"
    "  service_count = 1\n"
    "}\n"
    "service managesieve {\n"
    "  client_limit = 1\n"
    "  process_limit = 1024\n"
    "  service_count = 1\n"
    "}\n"
    "service imap-hibernate {\n"
    "  user = $default_internal_user\n"
    "  client_limit = 20000\n"
    "}\n"
    "service queue {\n"
    "  user = $default_internal_user\n"
    "  process_limit = 1\n"
    "  unix_listener queue {\n"
    "    mode = 0666\n"
    "  }\n"
    "}\n"
    "service quota-status {\n"
    "  user = $default_internal_user\n"
    "}\n"
    "service lmtp {\n"
    "  user = $default_internal_user\n"
    "  client_limit = 1\n"
    "  process_limit = 200\n"
    "  unix_listener lmtp {\n"
    "    mode = 0666\n"
    "  }\n"
    "}\n";

static const char *const ours[] = {
	"hub", "auth", "imap-login", "pop3-login", "managesieve-login", "imap", "pop3", "managesieve", "imap-hibernate", "lmtp",
	"queue", "quota-status",
};

static const struct {
	const char *name, *reason;
} foreign[] = {
	{ "anvil", "connections are counted by service hub, and penalties are set with auth_penalty_max" },
	{ "auth-worker", "databases that block are asked by helpers of service auth, see auth_worker_max_count" },
	{ "aggregator", "there is no replication" },
	{ "replicator", "there is no replication" },
	{ "config", "the settings are one shared image, there is no config service" },
	{ "doveadm", "culveradm talks with the master, through culver-adm in base_dir" },
	{ "dict", "there is no dictionary server" },
	{ "dict-async", "there is no dictionary server" },
	{ "dict-expire", "there is no dictionary server" },
	{ "director", "there is no director" },
	{ "dns_client", "names are resolved by those who need them, there is no dns-client service" },
	{ "dns-client", "names are resolved by those who need them, there is no dns-client service" },
	{ "dsync", "there is no dsync" },
	{ "health-check", "scripts do not speak with clients" },
	{ "imap-urlauth", "URLAUTH is not offered" },
	{ "imap-urlauth-login", "URLAUTH is not offered" },
	{ "imap-urlauth-worker", "URLAUTH is not offered" },
	{ "indexer", "indexing is done by the sessions, there is no indexer service" },
	{ "indexer-worker", "indexing is done by the sessions, there is no indexer service" },
	{ "ipc", "there is no ipc service" },
	{ "log", "each process writes its own log, there is no log service" },
	{ "old-stats", "there are no old statistics" },
	{ "stats", "there is no statistics process" },
	{ "ssl-params", "Diffie-Hellman parameters are not generated" },
	{ "submission", "mail submission is not served" },
	{ "submission-login", "mail submission is not served" },
	{ "tcpwrap", "TCP wrappers are not asked" },
};

enum service_use
service_use(struct span name, const char **reason_out)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (span_eq(name, span_str(ours[i])))
			return SERVICE_OURS;
	}
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (span_eq(name, span_str(foreign[i].name))) {
			*reason_out = foreign[i].reason;
			return SERVICE_IGNORED;
		}
	}
	return SERVICE_UNKNOWN;
}

void
services_nearest(struct nearest *n)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		nearest_try(n, ours[i]);
}
