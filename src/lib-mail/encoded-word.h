/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_ENCODED_WORD_H
#define CULVER_LIB_MAIL_ENCODED_WORD_H
/* RFC 2047 encoded words, with the language of RFC 2231 section 5. */
#include "lib/buf.h"
#include "lib-mail/charset.h"

/*
 * Appends a field's value as UTF-8: unfolded, encoded words decoded (white space between two of them left out, a
 * character cut in two by neighbours of one charset joined), raw 8-bit octets read as UTF-8 or else Windows-1252.
 * What is no proper encoded word comes through as it is.
 */
void encoded_word_decode(struct charset_cache *cache, struct buf *out, struct span value);

/*
 * Appends UTF-8 text for an unstructured field or a display name: as it is when it is plain ASCII (and can not be taken
 * for an encoded word), else as encoded words of at most 75 octets each, UTF-8, B or Q whichever is shorter, folded
 * with CRLF and a space between them.
 */
void encoded_word_encode(struct buf *out, struct span utf8);
#endif
