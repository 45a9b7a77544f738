/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_METADATA_FILE_H
#define CULVER_LIB_STORAGE_METADATA_FILE_H
/*
 * The file of a mailbox's annotations (RFC 5464), and that of the server's: pure functions.
 *
 *	culver-metadata 1
 *	p 3 8 5			private: the user's octets, the name's, the value's; s: shared, of no user
 *	bob/commenthello	these octets, and a line end
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#define METADATA_NAME_MAX 256		/* octets of an entry's name */
#define METADATA_FILE_MAX ((size_t)2 << 20)
#define METADATA_ENTRIES_MAX 10000

struct metadata_item {
	bool shared;
	struct span user;		/* empty: of a mailbox's owner */
	struct span name;		/* "/comment": in lower case, without its /private or /shared */
	struct span value;
};

struct metadata_items {
	struct metadata_item *v;
	size_t n;
};

/* Spans of text, the list in a.  ERR_CORRUPT; an empty text has none. */
int metadata_file_parse(struct span text, struct arena *a, struct metadata_items *out, struct err *e);
void metadata_file_write(struct buf *out, const struct metadata_items *items);
#endif
