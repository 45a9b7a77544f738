/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_SEQSET_H
#define CULVER_LIB_PROTOCOL_IMAP_SEQSET_H
/* Sets of sequence numbers or UIDs in the text of commands and answers (RFC 3501 section 9, sequence-set). */
#include "lib/arena.h"
#include "lib/array.h"
#include "lib/buf.h"
#include "lib/stream.h"
#include "lib-storage/imap-set.h"

enum imap_set_rc {
	IMAP_SET_OK,
	IMAP_SET_BAD,		/* not a set */
	IMAP_SET_LIMIT,		/* more than max ranges are left after merging, or the arena is full */
};

/*
 * "*" is star, the largest number in use; 0 when there is none: then whatever has a "*" is left out.  Time: linear for an
 * ascending set, n log n for others.
 */
enum imap_set_rc imap_set_parse(struct span text, uint32_t star, size_t max, struct arena *a, struct imap_set *out);
uint64_t imap_set_count(const struct imap_set *set);	/* how many numbers */

/* A set that is being made: an array of struct imap_range.  Numbers come in ascending order. */
#define IMAP_SET_MAKER(max) ARRAY_INIT(struct imap_range, max)
bool imap_set_add(struct array *maker, uint32_t first, uint32_t last);	/* false: full */
struct imap_set imap_set_made(const struct array *maker);	/* valid until the next change */

void imap_set_write(struct buf *out, const struct imap_set *set);
void imap_set_put(struct stream *out, const struct imap_set *set);
/* The numbers one by one, in their order; neighbours n, n+1 become a range. */
void imap_uids_write(struct buf *out, const uint32_t *uids, size_t count);
#endif
