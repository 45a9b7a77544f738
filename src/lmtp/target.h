/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_TARGET_H
#define CULVER_LMTP_TARGET_H
/* Where a recipient's mail goes on to: the fields of a passdb, as Dovecot has them. */
#include "lib/arena.h"
#include "lib/err.h"

enum lmtp_target_tls { LMTP_TLS_NO, LMTP_TLS_FIRST, LMTP_TLS_STARTTLS };

struct lmtp_target {
	struct span host;		/* a name or an address */
	struct span ip;			/* where it is; empty: as the name is looked up */
	uint16_t port;
	int timeout_ms;			/* of one wait */
	enum lmtp_target_tls tls;
	bool verify;			/* the server's certificate */
	bool smtp;			/* it speaks SMTP: one answer for all recipients */
	bool maybe;			/* when it is this server, the user is a local one */
	struct span user;		/* in the place of the recipient's; empty: as it came */
};

#define LMTP_TARGET_PORT 24
#define LMTP_TARGET_TIMEOUT_MS 125000

/* fields: "name=value" NUL ...; spans of them.  Unknown names are passed over.  ERR_SYNTAX. */
int lmtp_target_parse(struct span fields, struct lmtp_target *out, struct err *e);
/* What a connection is made to. */
struct span lmtp_target_address(const struct lmtp_target *t);
bool lmtp_target_is_same_server(const struct lmtp_target *x, const struct lmtp_target *y);
#endif
