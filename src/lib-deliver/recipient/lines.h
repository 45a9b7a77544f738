/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_LINES_H
#define CULVER_LIB_DELIVER_RECIPIENT_LINES_H
/*
 * The lines of a table: a line that begins with white space goes on with the one before, and so does what follows a backslash
 * at the end of a line.  Empty lines, and those whose first character that is no white space is a #, are passed over, also
 * between two parts of a line.
 */
#include "lib/arena.h"
#include "lib/err.h"

struct recipient_lines {
	struct span text;
	size_t used;		/* of it, so far */
	unsigned line;		/* read so far */
	size_t max;		/* octets of a line with all that goes on with it */
};

/*
 * The next one, trimmed, as one line: parts are joined by a space.  *line_out: where it began.  1; 0 at the end; -1: ERR_LIMIT,
 * ERR_SYNTAX (it->line is where).  A span of the text, or in a.
 */
int recipient_lines_next(struct recipient_lines *it, struct arena *a, struct span *out, unsigned *line_out, struct err *e);

/* Each line of a text, up to the first that take refuses.  0; -1: what was wrong, *line_out (0 before) where. */
typedef int recipient_take_line(void *ctx, struct span line, unsigned number, struct err *e);
int recipient_lines_each(struct span text, size_t max, struct arena *a, recipient_take_line *take, void *ctx, unsigned *line_out,
    struct err *e);
#endif
