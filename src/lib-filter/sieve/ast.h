/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_AST_H
#define CULVER_LIB_FILTER_SIEVE_AST_H
/*
 * A Sieve script as a tree (RFC 5228 section 8.2), in an arena, with nothing known yet of what its words mean.  What they
 * mean is added by check.c: `word', `extra'.
 */
#include "lib/arena.h"
#include "lib/err.h"

#define SIEVE_DEPTH_MAX 32		/* blocks and tests within each other */
#define SIEVE_NODES_MAX 50000		/* commands and tests of a script */
#define SIEVE_STRINGS_MAX 100000	/* strings of a script */
#define SIEVE_ERROR_MAX 200

enum sieve_arg_type { SIEVE_NUMBER, SIEVE_STRINGS, SIEVE_TAG };

struct sieve_arg {
	struct sieve_arg *next;
	enum sieve_arg_type type;
	unsigned line;
	uint64_t number;
	struct span *strings;		/* of a list, or one alone */
	size_t count;
	bool is_list;			/* it was written with brackets */
	bool decoded;			/* encoded characters in it have been replaced (check.c) */
	struct span tag;		/* without its colon */
};

struct sieve_word;

struct sieve_node {
	struct sieve_node *next;	/* the next command of the block, or test of the list */
	struct span name;
	unsigned line;
	struct sieve_arg *args;		/* as written, tags among them */
	struct sieve_node *tests;	/* one, or a list in parentheses */
	struct sieve_node *block;
	bool has_test_list, has_block, is_test;
	bool broken;			/* what it is made of could not be parsed, or is not what it takes */
	/* check.c */
	enum { SIEVE_VARIES, SIEVE_ALWAYS, SIEVE_NEVER } holds;	/* of a test: what "ihave" in it decides when it is checked */
	const struct sieve_node *parent;	/* the command in whose block it is, or whose test */
	const struct sieve_word *word;
	struct sieve_arg *pos[4];	/* arguments without tag, in order */
	struct sieve_tagged *tags;	/* those with one */
	void *extra;			/* the word's own */
};

/* Where and why a script is wrong: for its author. */
struct sieve_error {
	unsigned line;			/* 1 and up */
	char text[SIEVE_ERROR_MAX];
};

#define SIEVE_MISTAKES_MAX 100		/* that are told of a script */

/* What is wrong with a script, as it is found: by the lexer, the parser and the checker. */
struct sieve_mistakes {
	void (*tell)(void *ctx, const struct sieve_error *error);	/* NULL: the first ends it */
	void *ctx;
	struct sieve_error first;
	unsigned count;
	bool over;			/* no more is looked for */
	struct span within;		/* the included script that is looked at; p == NULL: the main one */
};
/* Counts and tells one more, unless it is over; returns -1. */
int sieve_mistake(struct sieve_mistakes *m, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same of one that leaves nothing to go on with. */
int sieve_mistake_last(struct sieve_mistakes *m, unsigned line, const char *text);
/* Sets *e; returns -1. */
int sieve_error_set(struct sieve_error *e, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#endif
