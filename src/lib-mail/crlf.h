/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_CRLF_H
#define CULVER_LIB_MAIL_CRLF_H
/*
 * Mail as it is on disk has LF or CRLF line ends; as it is sent it has CRLF.  "Virtual" sizes and offsets count the
 * mail as it is sent: an LF that has no CR before it counts for two.  A bare CR stays as it is.
 */
#include "lib/buf.h"

struct crlf {		/* between two pieces of one text; all zero at its start */
	bool cr;	/* the octet before was a CR, or a CR was put out for an LF that is still to come */
};

struct crlf_count {
	size_t lines;	/* LFs */
	size_t bare;	/* LFs without a CR before them: virtual size = octets + bare */
};

/* Adds what is in `in` to *count; prev is the octet before it ('\n' or 0 at the start of a text). */
void crlf_count(struct crlf_count *count, struct span in, char prev);

/* The virtual size of a whole text. */
uint64_t crlf_size(struct span in);

/*
 * Takes octets off the front of *in and writes them with CRLF line ends into room, until one of the two is used up.
 * Returns how many octets were written (at most size).  Works with a room of one octet, too.
 */
size_t crlf_convert(struct crlf *state, struct span *in, char *room, size_t size);

/* As crlf_convert() without writing: takes off the front what gives `virt` octets, or all.  Returns the octets that
 * were skipped, as they would be sent.  For a partial fetch BODY[]<o.n>: skip o, then convert n. */
uint64_t crlf_skip(struct crlf *state, struct span *in, uint64_t virt);

/* The whole of in, converted, at the end of out. */
void crlf_add(struct buf *out, struct span in);

/* IMAP may not send NULs (RFC 3501 section 4.3.1: CHAR8): each becomes the octet 0x80. */
void crlf_mask_nuls(char *p, size_t n);
#endif
