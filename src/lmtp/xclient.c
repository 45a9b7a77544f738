/* SPDX-License-Identifier: MIT */
/*
 * XCLIENT, as Postfix defined it: who is trusted (login_trusted_networks) tells for whom it speaks.  The session begins anew
 * with the greeting then, under the name that SESSION gives it.  What the server has no use for (PROTO, LOGIN ...) is taken and passed over.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include "lmtp/session.h"

static bool
is_unknown(struct span value)
{
	return span_ieq(value, SPAN("[UNAVAILABLE]")) || span_ieq(value, SPAN("[TEMPUNAVAIL]"));
}

static bool
take_address(struct span value, char out[64])
{
	unsigned char octets[16];

	if (is_unknown(value))
		return true;
	if (span_istarts(value, SPAN("IPV6:")))
		value = span_from(value, 5);
	if (value.n >= 46)
		return false;
	snprintf(out, 64, "%.*s", SPAN_ARG(value));
	return inet_pton(AF_INET, out, octets) == 1 || inet_pton(AF_INET6, out, octets) == 1;
}

/* What one XCLIENT says; empty: nothing of the kind. */
struct told {
	char ip[64], helo[LMTP_HELO_MAX + 1], name[LMTP_HELO_MAX + 1], id[LMTP_ID_MAX + 1];
	uint16_t port;
	unsigned ttl;
};

/* Of a session: it goes into log lines, replies and the Received field. */
static bool
is_id(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && (s.p[i] == '\0' || strchr("+/=:._-", s.p[i]) == NULL))
			return false;
	return s.n > 0;
}

/* Each takes one attribute's value.  NULL, or the answer. */
static const char *
take_addr(struct told *t, struct span value)
{
	return take_address(value, t->ip) ? NULL : "501 5.5.4 ADDR is no address";
}

static const char *
take_helo(struct told *t, struct span value)
{
	if (is_unknown(value))
		return NULL;
	if (!lmtp_is_helo(value))
		return "501 5.5.4 HELO is no name";
	snprintf(t->helo, sizeof(t->helo), "%.*s", SPAN_ARG(value));
	return NULL;
}

static const char *
take_port(struct told *t, struct span value)
{
	uint64_t n;

	if (is_unknown(value))
		return NULL;
	if (!span_u64(value, 65535, &n))
		return "501 5.5.4 PORT is no port";
	t->port = (uint16_t)n;
	return NULL;
}

static const char *
take_ttl(struct told *t, struct span value)
{
	uint64_t n;

	if (!span_u64(value, UINT32_MAX, &n))
		return "501 5.5.4 TTL is no number";
	t->ttl = (unsigned)n;
	return NULL;
}

/* For access tables.  A client whose address has no name is called "unknown". */
static const char *
take_name(struct told *t, struct span value)
{
	if (is_unknown(value) || span_ieq(value, SPAN("unknown")))
		return NULL;
	if (!lmtp_is_helo(value))
		return "501 5.5.4 NAME is no name";
	snprintf(t->name, sizeof(t->name), "%.*s", SPAN_ARG(value));
	return NULL;
}

static const char *
take_session(struct told *t, struct span value)
{
	if (is_unknown(value))
		return NULL;
	if (!is_id(value))
		return "501 5.5.4 SESSION is no name";
	snprintf(t->id, sizeof(t->id), "%.*s", SPAN_ARG(value));
	return NULL;
}

static const char *
take_timeout(struct told *t, struct span value)
{
	uint64_t n;

	(void)t;
	return span_u64(value, UINT32_MAX, &n) ? NULL : "501 5.5.4 TIMEOUT is no number";
}

static const char *
pass(struct told *t, struct span value)
{
	(void)t;
	(void)value;
	return NULL;
}

#define WORD(lit) { lit, sizeof(lit) - 1 }

static const struct {
	struct span name;
	const char *(*take)(struct told *t, struct span value);
} attributes[] = {
	{ WORD("ADDR"), take_addr }, { WORD("HELO"), take_helo }, { WORD("PORT"), take_port }, { WORD("TTL"), take_ttl },
	{ WORD("NAME"), take_name }, { WORD("SESSION"), take_session }, { WORD("TIMEOUT"), take_timeout },
	{ WORD("PROTO"), pass }, { WORD("LOGIN"), pass }, { WORD("DESTADDR"), pass }, { WORD("DESTPORT"), pass },
};

/* NULL, or the answer. */
static const char *
take(struct lmtp_session *l, struct told *t, struct span word)
{
	size_t eq = span_chr(word, '=');
	struct span name = span_sub(word, 0, eq), value = span_from(word, eq + 1);

	if (eq == word.n || !smtp_xtext_is_valid(value, LMTP_HELO_MAX))
		return "501 5.5.4 Malformed attribute";
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (span_ieq(name, attributes[i].name))
			return attributes[i].take(t, smtp_xtext_decode(value, l->t.arena));
	return "501 5.5.4 Unknown attribute";
}

/* The name belongs to the address: an older one is no more true. */
static void
believe(struct lmtp_session *l, const struct told *t)
{
	if (t->ip[0] != '\0' || t->name[0] != '\0')
		memcpy(l->client_name, t->name, sizeof(l->client_name));
	if (t->ip[0] != '\0') {
		memcpy(l->client_ip, t->ip, sizeof(l->client_ip));
		l->rip = span_str(l->client_ip);
	}
	if (t->helo[0] != '\0')
		memcpy(l->client_helo, t->helo, sizeof(l->client_helo));
	if (t->id[0] != '\0') {
		snprintf(l->id, sizeof(l->id), "%s", t->id);
		l->t.number = 0;
	}
	if (t->port != 0)
		l->rport = t->port;
	/* It only ever gets less: who is trusted can not make mail go round for ever. */
	if (t->ttl < l->proxy_ttl)
		l->proxy_ttl = t->ttl;
}

void
lmtp_cmd_xclient(struct lmtp_session *l, struct span args)
{
	struct told told = { .ttl = UINT32_MAX };
	struct span word;
	const char *wrong = NULL;

	if (!l->o->trusts_client) {
		lmtp_refuse(l, "550 5.7.0 You are not trusted");
		return;
	}
	if (l->t.open) {
		lmtp_refuse(l, "503 5.5.1 There is a MAIL already");
		return;
	}
	while (wrong == NULL && span_next(&args, ' ', &word))
		if (word.n > 0)
			wrong = take(l, &told, word);
	lmtp_transaction_reset(l);
	if (wrong != NULL) {
		lmtp_refuse(l, wrong);
		return;
	}
	believe(l, &told);
	l->helo[0] = '\0';
	stream_putf(l->s, "220 %.*s Culver ready.\r\n", SPAN_ARG(l->o->hostname));
	l->state = "GREETING";
}
