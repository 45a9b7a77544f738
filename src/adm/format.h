/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_FORMAT_H
#define CULVER_ADM_FORMAT_H
/*
 * Results as rows of named columns, in the form that -f asks for:
 *	flow	key=value key=value
 *	tab	values separated by tabs under one line of names; tab, newline and \001 in values are escaped
 *	table	columns in line under one line of titles; widths from the first rows
 *	pager	"key: value" lines, rows separated by a form feed
 *	json	an array of objects
 * Output goes to standard output at once, so that a long listing can be read while it is made.  On a terminal control characters
 * of values are shown (^[), not obeyed: messages are strangers' words.
 */
#include "lib/buf.h"

enum format_kind { FORMAT_FLOW, FORMAT_TAB, FORMAT_TABLE, FORMAT_PAGER, FORMAT_JSON };

enum format_flag {
	FORMAT_RIGHT = 1 << 0,		/* numbers: to the right in a table */
	FORMAT_HIDE_KEY = 1 << 1,	/* flow and pager show the value alone */
	FORMAT_EXPAND = 1 << 2,		/* takes the room that is left; never padded when last */
};

struct format;

bool format_kind_parse(struct span name, enum format_kind *out);
/* What rows of several processes (one a user) share lives in shared memory; NULL when memory is out. */
struct format *format_new(enum format_kind kind, int out_fd);
void format_free(struct format *f);
/* The columns, before the first value.  key is what programs read; title heads a table. */
void format_column(struct format *f, const char *key, const char *title, unsigned flags);
void format_value(struct format *f, struct span value);	/* the next column of the row; the last one ends the row */
void format_valuef(struct format *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t format_rows(const struct format *f);	/* how many there have been, of all processes */
/* What is gathered goes out: before a process that has printed rows ends. */
void format_flush(struct format *f);
/* At the very end, once: closes the JSON array. */
void format_end(struct format *f);
#endif
