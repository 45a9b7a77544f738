/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_SMTP_REPLY_H
#define CULVER_LIB_PROTOCOL_SMTP_REPLY_H
/* What an SMTP or LMTP server answers (RFC 5321 section 4.2). */
#include "lib/span.h"

#define SMTP_REPLY_OCTETS 65536	/* of all lines of one reply */

struct smtp_reply {
	unsigned code;		/* 200 to 599 */
	struct span first;	/* the text of its first line */
	struct span lines;	/* all lines, as they came */
};

/* 1: *used_out octets were a reply, spans are of in; 0: more is needed; -1: it is none. */
int smtp_reply_parse(struct span in, struct smtp_reply *out, size_t *used_out);

/* Whether an answer to EHLO names the extension; *params_out: what stands behind its name. */
bool smtp_reply_has(const struct smtp_reply *ehlo, struct span keyword, struct span *params_out);
#endif
