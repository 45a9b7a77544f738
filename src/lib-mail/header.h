/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_HEADER_H
#define CULVER_LIB_MAIL_HEADER_H
/*
 * The fields of a message's or part's header (RFC 5322 section 2.2), LF or CRLF line ends, also mixed.  The header ends
 * behind the first empty line, or with the text.  A line that is no field (no colon, no name, or white space at the
 * very start) is a field with an empty name, so that nothing is lost and nothing is guessed.  NULs are octets like
 * others. All spans point into the text that was given.
 */
#include "lib/buf.h"

struct header_field {
	struct span name;	/* without white space behind it; empty for a malformed line */
	struct span value;	/* behind the colon: folded as it is, without white space and line ends around it */
	struct span raw;	/* the whole field with its last line end (which may be missing where the text ends) */
};

struct header_iter {
	struct span text;	/* what header_begin() was given */
	size_t pos;		/* of the next field */
	size_t fields_left, octets_max;
	bool truncated;		/* a limit was met: the header goes on, its further fields are not seen */
	bool blank;		/* the empty line was there */
};

/* The limits are on the number of fields and on the octet of the text at which the last field may begin. */
void header_begin(struct header_iter *it, struct span text, size_t max_fields, size_t max_octets);

/* False at the end of the header or at a limit.  Then, if not truncated, it->pos is where the body begins. */
bool header_next(struct header_iter *it, struct header_field *out);

/* Octets of the header with the empty line; text.n when there is none.  Linear, without limits. */
size_t header_size(struct span text);

/* Appends value with each line end (and the white space at its edge kept) taken out: RFC 5322 section 2.2.3. */
void header_unfold(struct buf *out, struct span value);

/* The first field of that name (any case): its value in *out; false when there is none within 5,000 fields. */
bool header_get(struct span header, struct span name, struct span *value_out);

/* Appends a raw field as IMAP sends it: CRLF line ends, also at its end, and NULs as crlf_mask_nuls() has them. */
void header_field_write(struct buf *out, struct span raw);

/*
 * IMAP's HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 3501 section 6.4.5): the fields of header that have (invert: do not
 * have) one of the names, in their order, with CRLF line ends, and an empty line.  The limits are as for
 * header_begin(); with invert everything past them is appended too, so that no field of the user's mail is withheld.
 */
void header_fields_write(struct buf *out, struct span header, const struct span *names, size_t count, bool invert,
	size_t max_fields, size_t max_octets);
#endif
