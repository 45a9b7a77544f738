/* SPDX-License-Identifier: MIT */
/*
 * XCLIENT, as Postfix defined it: who is trusted (login_trusted_networks) tells for whom it speaks.  The session begins anew
 * with the greeting then.  What the server has no use for (PROTO, LOGIN ...) is taken and passed over.
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

/* NULL, or the answer. */
static const char *
take(struct lmtp_session *l, struct span name, struct span value, char ip[64], char helo[LMTP_HELO_MAX + 1])
{
	static const char *const others[] = { "NAME", "PROTO", "LOGIN", "SESSION", "TIMEOUT", "DESTADDR", "DESTPORT" };
	uint64_t n;

	value = smtp_xtext_decode(value, l->t.arena);
	if (span_ieq(name, SPAN("ADDR")))
		return take_address(value, ip) ? NULL : "501 5.5.4 ADDR is no address";
	if (span_ieq(name, SPAN("HELO"))) {
		if (is_unknown(value))
			return NULL;
		if (!lmtp_is_helo(value))
			return "501 5.5.4 HELO is no name";
		snprintf(helo, LMTP_HELO_MAX + 1, "%.*s", SPAN_ARG(value));
		return NULL;
	}
	if (span_ieq(name, SPAN("PORT"))) {
		if (span_u64(value, 65535, &n))
			l->rport = (uint16_t)n;
		return NULL;
	}
	/* It only ever gets less: who is trusted can not make mail go round for ever. */
	if (span_ieq(name, SPAN("TTL"))) {
		if (!span_u64(value, UINT32_MAX, &n))
			return "501 5.5.4 TTL is no number";
		if (n < l->proxy_ttl)
			l->proxy_ttl = (unsigned)n;
		return NULL;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (span_ieq(name, span_str(others[i])))
			return NULL;
	return "501 5.5.4 Unknown attribute";
}

void
lmtp_cmd_xclient(struct lmtp_session *l, struct span args)
{
	char ip[64] = "", helo[LMTP_HELO_MAX + 1] = "";
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
	while (wrong == NULL && span_next(&args, ' ', &word)) {
		size_t eq = span_chr(word, '=');

		if (word.n > 0)
			wrong = eq == word.n ? "501 5.5.4 Malformed attribute" :
			    take(l, span_sub(word, 0, eq), span_from(word, eq + 1), ip, helo);
	}
	if (wrong != NULL) {
		lmtp_transaction_reset(l);
		lmtp_refuse(l, wrong);
		return;
	}
	lmtp_transaction_reset(l);
	if (ip[0] != '\0') {
		memcpy(l->client_ip, ip, sizeof(l->client_ip));
		l->rip = span_str(l->client_ip);
	}
	if (helo[0] != '\0')
		memcpy(l->client_helo, helo, sizeof(l->client_helo));
	l->helo[0] = '\0';
	stream_putf(l->s, "220 %.*s Culver ready.\r\n", SPAN_ARG(l->o->hostname));
	l->state = "GREETING";
}
