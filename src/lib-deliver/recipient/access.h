/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_ACCESS_H
#define CULVER_LIB_DELIVER_RECIPIENT_ACCESS_H
/*
 * A table of whose mail is taken, as sendmail's access_db and Postfix's access(5) have it: what is asked about, white space, the
 * answer.  The left side has From:, Connect: or To: in front, or nothing, which stands for From: and Connect:.  Then
 *	user@dom, user+*@dom (with a detail), user@, dom (and all below it), .dom (all below it), <> (the null sender)
 *	192.168.1.7, 192.168.1, 192.168., 10.0.0.0/8, IPv6:2001:db8, 2001:db8::/32
 * The answer is OK or RELAY, REJECT, DISCARD, SKIP or DUNNO (no answer, nor is asked on), QUARANTINE[:reason], ERROR:..., or a
 * code and text for the client (reply.h).
 */
#include "lib-config/netaddr.h"
#include "lib-deliver/recipient/aliases.h"

enum recipient_verdict { RECIPIENT_UNDECIDED, RECIPIENT_OK, RECIPIENT_REJECT, RECIPIENT_DISCARD,
	RECIPIENT_QUARANTINE };

struct recipient_access_entry {
	unsigned line;
	enum recipient_verdict verdict;
	struct recipient_reply reply;	/* REJECT */
	struct span reason;		/* QUARANTINE: printable ASCII, one line; may be empty */
	struct span key;		/* as it stands */
};

enum recipient_access_tag { RECIPIENT_CONNECT, RECIPIENT_FROM, RECIPIENT_TO };

struct recipient_access;

/* As recipient_aliases_parse(): mail of or for what a line that is not understood is about waits. */
int recipient_access_parse(struct span text, const struct recipient_limits *limits, struct recipient_access **out,
    struct recipient_remarks *remarks, unsigned *line_out, struct err *e);
void recipient_access_free(struct recipient_access *t);	/* NULL is fine */
size_t recipient_access_count(const struct recipient_access *t);

/*
 * The line that decides, or NULL.  An address: as it is, user+*, without its detail, the same at no domain (user@), its
 * domain and those above.  Empty: the
 * null sender.
 */
const struct recipient_access_entry *recipient_access_address(const struct recipient_access *t, enum recipient_access_tag tag,
    struct span local, struct span domain, struct span delimiters);
/* A client: its name (may be empty), the domains above; then its address, the narrowest network first. */
const struct recipient_access_entry *recipient_access_client(const struct recipient_access *t, struct span name,
    struct span address);
#endif
