/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SUBSCRIPTION_FILE_H
#define CULVER_LIB_STORAGE_SUBSCRIPTION_FILE_H
/*
 * The file `subscriptions': version 2 starts with a line "V<tab>2", then an empty line, then a name a line, with tabs
 * between its levels.  Version 1 has no head, and the layout's separator.  Names are as they are on disk: in modified UTF-7,
 * or with the location's UTF-8 in that.  What is no modified UTF-7 but UTF-8 is taken for that.
 *
 * courierimapsubscribed is as version 1 with '.', and "INBOX." before all names but INBOX.
 *
 * Pure: from octets to names as drivers know them (levels joined by '/'), and back.
 */
#include "lib/buf.h"

struct subscription_reader {
	struct span text;	/* borrowed */
	size_t used;
	char separator;
	bool utf8, courier;
};

/* separator: of version 1.  A last line without its end counts. */
void subscriptions_begin(struct subscription_reader *r, struct span text, char separator, bool utf8, bool courier);
/* The next name in *name (which is emptied first); false at the end.  Names that can be none are passed over. */
bool subscriptions_next(struct subscription_reader *r, struct buf *name);
#define SUBSCRIPTIONS_HEAD "V\t2\n\n"
void subscription_put(struct buf *out, struct span name, bool utf8);	/* a line of version 2 */
#endif
