/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_LINE_H
#define CULVER_LIB_CONFIG_LINE_H
/*
 * The lines of a configuration file:
 *	key = value			key = <file		type [name] {		}
 *	!include files			!include_try files	# comment
 * A value or name may be in quotes of either kind, with \ before a quote or backslash in it.  A # begins a comment
 * outside of quotes.  A line that ends in a backslash goes on in the next one.  Pure: no files are read.
 */
#include "lib/arena.h"
#include "lib/err.h"

enum line_type { LINE_SET, LINE_SET_FILE, LINE_OPEN, LINE_CLOSE, LINE_INCLUDE, LINE_INCLUDE_TRY, LINE_BAD };

struct line {
	enum line_type type;
	unsigned number;	/* where it began, from 1 */
	struct span key;	/* the setting, or the type of the block */
	struct span value;	/* the value or name without its quotes; file names */
	bool quoted;		/* the value was in quotes: no $variables in it */
	bool hash_ambiguous;	/* a comment without white space before its # */
	const char *problem;	/* of LINE_BAD */
};

struct line_reader {
	struct span rest;
	unsigned number;	/* lines read so far */
};

#define LINE_MAX_LENGTH 65536

void line_reader_init(struct line_reader *r, struct span text);
/* The next line that is not empty; false at the end.  Spans are in the text or in the arena. */
bool line_next(struct line_reader *r, struct arena *arena, struct line *out);
#endif
