/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_LITERAL_H
#define CULVER_LIB_PROTOCOL_IMAP_LITERAL_H
/* The head of a literal: "{" number ["+"] "}" CRLF (RFC 3501 section 4.3; the "+" is RFC 7888). */
#include "lib/span.h"

enum parse { PARSE_MORE, PARSE_DONE, PARSE_BAD };

struct imap_literal {
	uint64_t size;		/* UINT64_MAX: that, or a number that is larger still */
	bool nonsync;		/* "+": the octets come without being asked for */
};

/*
 * in begins with "{".  PARSE_DONE: *used_out octets were the head, the literal's octets follow.  A size over max is
 * PARSE_BAD before anybody makes room for it.  PARSE_MORE: nothing is consumed.  The line end may be a bare LF.
 */
enum parse imap_literal_parse(struct span in, uint64_t max, struct imap_literal *out, size_t *used_out);

/*
 * Whether a line (without its line end) ends with the head of a literal, outside of a quoted string.  Any number of digits
 * is a size: too large ones saturate, so that they can be refused as what they are.
 */
bool imap_literal_tail(struct span line, struct imap_literal *out);
#endif
