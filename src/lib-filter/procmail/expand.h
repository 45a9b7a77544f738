/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_EXPAND_H
#define CULVER_LIB_FILTER_PROCMAIL_EXPAND_H
/*
 * What quotes, variables and backquotes of an rcfile mean, nearly as in sh(1):
 *	$name ${name} ${name-text} ${name:-text} ${name+text} ${name:+text}
 *	$\name		with everything disarmed that means something in a regular expression
 *	$$ $# $? $_ $- $= $1 $2... "$@"
 * An expansion grows up to `max' octets and ends there, with `overflow' set.
 */
#include "lib/arena.h"
#include "lib/buf.h"

#define PROCMAIL_EXPAND_DEPTH 20	/* of ${a:-${b:-...}} and of backquotes in each other */
#define PROCMAIL_EXPAND_WORDS 4000

enum procmail_expand_mode {
	PROCMAIL_EXPAND_VALUE,	/* one word: white space that comes out of variables stays */
	PROCMAIL_EXPAND_WORDS_MODE,	/* words: what comes out of variables outside of quotes is split */
	PROCMAIL_EXPAND_QUOTED,	/* as behind a double quote, until the next: a condition behind $ */
};

struct procmail_expander {
	void *ctx;
	bool (*get)(void *ctx, struct span name, struct span *out);	/* false: not set */
	bool (*special)(void *ctx, char which, struct buf *out);	/* one of $ # ? _ - = */
	/* Runs a command line as it is written in backquotes; appends what it says, without the newline at its end. */
	void (*backquote)(void *ctx, struct span command, struct buf *out);
	const struct span *args;	/* $1 is the first */
	size_t arg_count;
	size_t max;
	unsigned depth;
	bool overflow;			/* it did not end within max */
	bool cut;			/* what a program said was longer, and was cut */
	const char *why;		/* not NULL: what was wrong with the last (a bad substitution) */
};

struct procmail_words {
	struct span *word;
	size_t count;
	bool *is_value;		/* of each word: its first character came out of a variable or a program */
};

/* All in a.  -1: the arena is full.  VALUE and QUOTED give one word always; WORDS none to PROCMAIL_EXPAND_WORDS. */
int procmail_expand(struct procmail_expander *x, enum procmail_expand_mode mode, struct span text, struct arena *a,
    struct procmail_words *out);
#endif
