/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_IMAP_MIME_H
#define CULVER_LIB_MAIL_IMAP_MIME_H
/*
 * What IMAP says about a message (RFC 3501 section 7.4.2), ready to send: with the outer parentheses, without the name
 * before it.  Strings are quoted where they may be, else literals; NULs are never sent.
 */
#include "lib/array.h"
#include "lib-mail/mime.h"

/* nstring: NIL for s.p == NULL, else imap_string_write(). */
void imap_nstring_write(struct buf *out, struct span s);
/* A quoted string, or a literal for CR, LF, 8-bit octets and overlong strings; a NUL becomes U+FFFD. */
void imap_string_write(struct buf *out, struct span s);

/* ( "date" "subject" from sender reply-to to cc bcc "in-reply-to" "message-id" ).  -1: the arena is exhausted. */
int imap_envelope_write(struct buf *out, struct arena *a, const struct mime_envelope *env,
	const struct mail_limits *lim);

/* A list of addresses in parentheses, or NIL. */
struct address;
void imap_addresses_write(struct buf *out, const struct address *list);

struct imap_hole {		/* octets of BODYSTRUCTURE that are not in BODY */
	uint32_t offset, size;	/* offset from the BODYSTRUCTURE's first octet */
};

/*
 * BODYSTRUCTURE; where holes (an array of struct imap_hole) is given, it gets the extension data's places, in order:
 * what is left without them is BODY.  -1: memory is out, or the array is full.
 */
int imap_bodystructure_write(struct buf *out, const struct mime_part *root, const struct mail_limits *lim,
	struct array *holes);
/* BODY alone. */
int imap_body_write(struct buf *out, const struct mime_part *root, const struct mail_limits *lim);
#endif
