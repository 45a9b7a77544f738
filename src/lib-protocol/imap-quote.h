/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_QUOTE_H
#define CULVER_LIB_PROTOCOL_IMAP_QUOTE_H
/* Strings as IMAP sends them (RFC 3501 section 4.3). */
#include "lib/buf.h"

/* An atom where it can be one (and could not be taken for NIL), else a quoted string, else a literal. */
void imap_astring_write(struct buf *out, struct span s);
/* Quoted where it can be, else a literal.  CR, LF, 8-bit octets and overlong ones make a literal; a NUL in it becomes 0x80. */
void imap_quoted_write(struct buf *out, struct span s);
/* A mailbox's UTF-8 name in modified UTF-7, always quoted unless it is a plain atom. */
void imap_mailbox_write(struct buf *out, struct span utf8);
/* Replaces each NUL, which a literal may not hold (RFC 3501 section 9, CHAR8), by 0x80. */
void imap_no_nuls(char *p, size_t n);
#endif
