/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_ENCODE_H
#define CULVER_LIB_ENCODE_H
/* Encodings of octets and of names.  Encoders append to a buffer (whose limit is theirs); decoders say true or false. */
#include "lib/buf.h"

void base64_encode(struct buf *out, struct span in);		/* RFC 4648 section 4, one line, padded */
/* Strict: no white space, right padding, no bits left over.  False: out may hold a part. */
bool base64_decode(struct buf *out, struct span in);
/* As mail programs write it (RFC 2045 section 6.8): line ends and other foreign bytes are skipped, it ends at "=" or
 * anywhere.  Never fails but for the buffer. */
void base64_decode_mime(struct buf *out, struct span in);

void hex_encode(struct buf *out, struct span in);		/* lower case */
bool hex_decode(struct buf *out, struct span in);		/* either case */
int hex_value(char c);						/* of one digit; -1: it is none */

/* RFC 2045 section 6.7; header: the "Q" encoding of RFC 2047 section 4.2 ("_" is a space).  Broken input comes through
 * as it is. */
void qp_decode(struct buf *out, struct span in, bool header);
/* Body text with LF or CRLF line ends, which stay as they are; soft breaks are written in the way of the first. */
void qp_encode(struct buf *out, struct span in);

/* UTF-8 (RFC 3629): whether s is well-formed (no overlong forms, surrogates, or above U+10FFFF). */
bool utf8_is_valid(struct span s);
/* The next code point at *pos, which moves on by one to four; false (and *pos moves by one) for a malformed one. */
bool utf8_next(struct span s, size_t *pos, uint32_t *cp_out);
void utf8_put(struct buf *out, uint32_t cp);		/* what is no code point is written as U+FFFD */
void utf8_put_valid(struct buf *out, struct span in);	/* in with each malformed octet as U+FFFD */

/* Mailbox names of IMAP (RFC 3501 section 5.1.3).  False: in was malformed, or could be written shorter. */
bool mutf7_decode(struct buf *out, struct span in);
bool mutf7_encode(struct buf *out, struct span utf8);	/* false: not valid UTF-8 */
#endif
