/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_FETCH_ITEMS_H
#define CULVER_LIB_PROTOCOL_IMAP_FETCH_ITEMS_H
/* What a FETCH asks for (RFC 3501 section 6.4.5, MODSEQ of RFC 7162, EMAILID and THREADID of RFC 8474). */
#include "lib-protocol/imap-token.h"

enum {
	FETCH_UID = 1 << 0,
	FETCH_FLAGS = 1 << 1,
	FETCH_INTERNALDATE = 1 << 2,
	FETCH_SIZE = 1 << 3,
	FETCH_ENVELOPE = 1 << 4,
	FETCH_BODY = 1 << 5,
	FETCH_BODYSTRUCTURE = 1 << 6,
	FETCH_MODSEQ = 1 << 7,
	FETCH_EMAILID = 1 << 8,
	FETCH_THREADID = 1 << 9,
};

enum fetch_what {
	FETCH_SECTION_ALL,
	FETCH_SECTION_HEADER,
	FETCH_SECTION_FIELDS,
	FETCH_SECTION_FIELDS_NOT,
	FETCH_SECTION_TEXT,
	FETCH_SECTION_MIME,
};

struct fetch_section {
	enum fetch_what what;
	uint32_t *path;		/* part numbers */
	size_t depth;
	struct span *names;	/* of header fields */
	size_t name_count;
	bool peek, partial;
	uint32_t start, count;	/* of a partial one; count > 0 */
	struct span label;	/* what stands before the data in the answer: "BODY[1.MIME]<0>" */
};

struct fetch_items {
	unsigned bits;			/* FETCH_UID ... */
	struct fetch_section *sections;	/* in the order in which they were asked for */
	size_t count;
	bool marks_seen;		/* one of them is without PEEK */
};

struct fetch_limits {
	size_t items;		/* items, and names of header fields in each */
	size_t depth;		/* part numbers in a path */
};

/*
 * fetch-att, a macro, or a list of them.  False: in->why says what is wrong.  Everything in out lives in the arena or in the text.
 */
bool imap_fetch_items(struct imap_in *in, const struct fetch_limits *lim, struct fetch_items *out);
#endif
