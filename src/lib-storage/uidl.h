/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_UIDL_H
#define CULVER_LIB_STORAGE_UIDL_H
/* What POP3 calls a message (RFC 1939 section 7): as it was called before, or as pop3_uidl_format says. */
#include "lib-storage/mailbox.h"

struct uidl_rules {
	struct span format;	/* pop3_uidl_format */
	bool reuse_xuidl;	/* pop3_reuse_xuidl */
};

/* Appends 1 to 70 octets of 0x21 to 0x7E (255 where names of files or of other servers are in it).  ERR_GONE, ERR_SYNTAX. */
int mailbox_uidl(struct mailbox *box, uint32_t uid, const struct uidl_rules *r, struct buf *out, struct err *e);
/* Whether the format names the file that a message is in. */
bool uidl_format_has_file(struct span format);
#endif
