/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_PART_H
#define CULVER_LIB_FILTER_SIEVE_PART_H
/* The parts of a message for body, mime, foreverypart and extracttext. */
#include "lib-filter/sieve/run.h"

#define SIEVE_PART_MAX ((size_t)4 << 20)	/* octets of a part's text that are looked at */
#define SIEVE_PARTS_MAX ((size_t)24 << 20)	/* of all parts of a message; what comes later counts as empty */

/* The next part within top (itself the first), depth first; a message inside of it counts with its parts.  NULL: no more. */
const struct mime_part *sieve_part_next(const struct mime_part *part, const struct mime_part *top);
/* As above, but not into part. */
const struct mime_part *sieve_part_skip(const struct mime_part *part, const struct mime_part *top);

/*
 * The content without its transfer encoding, and of text in UTF-8; html: of HTML only its text.  Is kept, so that many tests
 * decode it once.  Of an encoding that is not known: as it is.
 */
int sieve_part_text(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *part, struct span text, bool html,
    struct span *out);
#endif
