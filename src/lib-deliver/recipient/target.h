/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_TARGET_H
#define CULVER_LIB_DELIVER_RECIPIENT_TARGET_H
/*
 * Lists of where mail goes, as they stand in aliases(5), in an included file and in a .forward: items with commas between,
 * each of them
 *	bob, bob@example.org, "john smith"@example.org, Bob <bob@example.org> (a comment)
 *	\bob		this user's mailbox: no table is asked any more
 *	|program arguments, "|program arguments", |"program arguments"
 *	/file, "/file with spaces"
 *	:include:/list
 *	error:...	alone in the list (reply.h)
 */
#include "lib/arena.h"
#include "lib/err.h"
#include "lib-deliver/recipient/remark.h"
#include "lib-deliver/recipient/reply.h"

enum recipient_kind {
	RECIPIENT_ADDRESS,
	RECIPIENT_USER,
	RECIPIENT_PROGRAM,
	RECIPIENT_FILE,
	RECIPIENT_INCLUDE,
	RECIPIENT_ERROR,
};

struct recipient_target {
	enum recipient_kind kind;
	struct span text;		/* of the address, the program with its arguments, the path, the error */
	struct span local, domain;	/* of an address, or a user, without quotes; domain: empty where there is none */
	struct recipient_reply reply;	/* of an error */
	unsigned line;			/* where it stands */
};

/* A list of them; the memory is an arena's. */
struct recipient_targets {
	struct recipient_target *list;
	size_t count;
};

/*
 * Adds what a list has to *out, which begins as all zero.  max: that many in all.  -1: ERR_SYNTAX, ERR_LIMIT.  Strings are
 * spans of in, or in a.
 */
int recipient_targets_parse(struct span in, unsigned line, size_t max, struct arena *a, struct recipient_targets *out,
    struct err *e);

/* One more in the list, as it is; false with e set: ERR_LIMIT. */
bool recipient_targets_add(struct recipient_targets *out, const struct recipient_target *t, size_t max, struct arena *a, struct err *e);

/*
 * The same of a text of several lines, each a list: an included file, a .forward.  *line_out: of what is wrong.  With remarks
 * (which go on) a line that is not understood is an error that stands for it in the list, as long as there is another target.
 */
int recipient_targets_read(struct span text, size_t max_line, size_t max, struct arena *a, struct recipient_remarks *remarks,
    struct recipient_targets *out, unsigned *line_out, struct err *e);

/* The one target of what a line is about that is not understood: mail for it waits until the line has been put right. */
bool recipient_targets_wait(struct recipient_targets *out, unsigned line, struct arena *a, struct err *e);

/* local@domain with quotes where the local part needs them; without a domain where there is none.  SPAN_NONE: no memory. */
struct span recipient_address_text(struct span local, struct span domain, struct arena *a);

/* s in lower case (ASCII), in a. */
struct span recipient_lower(struct span s, struct arena *a);
#endif
