/* SPDX-License-Identifier: MIT */
#include "master/kinds.h"

const struct kind_def kinds[KINDS] = {
	[KIND_HUB] = { "hub", "hub", PEER_HUB, NULL, false, true, false, { NULL } },
	[KIND_AUTH] = { "auth", "auth", PEER_AUTH, NULL, false, false, true, { NULL } },
	[KIND_IMAP_LOGIN] = { "imap-login", "login", PEER_LOGIN, "imap", true, false, true, { "auth", "imap" } },
	[KIND_POP3_LOGIN] = { "pop3-login", "login", PEER_LOGIN, "pop3", true, false, true, { "auth", "pop3" } },
	[KIND_SIEVE_LOGIN] = { "managesieve-login", "login", PEER_LOGIN, "sieve", true, false, true, { "auth", "managesieve" } },
	[KIND_IMAP] = { "imap", "imap", PEER_IMAP, "imap", false, false, false, { "auth", "hub", "imap-hibernate" } },
	[KIND_POP3] = { "pop3", "pop3", PEER_POP3, "pop3", false, false, false, { "auth", "hub" } },
	[KIND_SIEVE] = { "managesieve", "managesieve", PEER_SIEVE, "sieve", false, false, false, { "auth", "hub" } },
	[KIND_LMTP] = { "lmtp", "lmtp", PEER_LMTP, "lmtp", true, false, true, { "auth", "deliver", "hub" } },
	[KIND_DELIVER] = { "deliver", "lmtp", PEER_DELIVER, "lmtp", false, false, false, { "auth", "hub" } },
	/* All services that run programs: one process for them, whatever their names. */
	[KIND_SCRIPT] = { "script", "script", PEER_SCRIPT, NULL, false, false, true, { NULL } },
	[KIND_QUOTA_STATUS] = { "quota-status", "quota-status", PEER_POLICY, NULL, true, false, true, { "auth", "deliver" } },
	[KIND_QUEUE] = { "queue", "queue", PEER_QUEUE, NULL, false, false, true, { NULL } },
	[KIND_HIBERNATE] = { "imap-hibernate", "hibernate", PEER_HIBERNATE, "imap", false, false, false, { "imap", "hub" } },
};

/* What a tool run by root or the server's owner may talk with. */
static const char *const tool_wants[] = { "auth", "hub" };

enum kind
kind_find(struct span name)
{
	enum kind k = 0;

	while (k < KINDS && !span_eq(name, span_str(kinds[k].name)))
		k++;
	return k;
}

bool
kind_may_want(unsigned asker, struct span name)
{
	if (asker == PEER_ADM) {
		for (size_t i = 0; i < sizeof(tool_wants) / sizeof(tool_wants[0]); i++)
			if (span_eq(name, span_str(tool_wants[i])))
				return true;
		return false;
	}
	for (enum kind k = 0; k < KINDS; k++) {
		if (kinds[k].peer != asker)
			continue;
		for (size_t i = 0; i < 4 && kinds[k].wants[i] != NULL; i++)
			if (span_eq(name, span_str(kinds[k].wants[i])))
				return true;
	}
	return false;
}
