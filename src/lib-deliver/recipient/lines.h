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
	bool apart;		/* white space in front of a line means nothing: only a backslash makes it go on */
};

/*
 * The next one, trimmed, as one line: parts are joined by a space.  *line_out: where it began.  1; 0 at the end; -1: ERR_LIMIT,
 * ERR_SYNTAX (*line_out is where, *out the first part, empty where there is none), and the next call goes on behind it;
 * ERR_TEMP, no memory.  A span of the text, or in a.
 */
int recipient_lines_next(struct recipient_lines *it, struct arena *a, struct span *out, unsigned *line_out, struct err *e);

/*
 * Each line, up to the first that take refuses.  0; -1: what was wrong, *line_out (0 before) where.  bad: NULL, or what
 * is told of such lines (ERR_SYNTAX, ERR_LIMIT) instead, and may end it, too.
 */
typedef int recipient_take_line(void *ctx, struct span line, unsigned number, struct err *e);
int recipient_lines_each(struct recipient_lines *it, struct arena *a, recipient_take_line *take, recipient_take_line *bad, void *ctx,
    unsigned *line_out, struct err *e);
#endif
