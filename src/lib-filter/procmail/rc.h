/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_RC_H
#define CULVER_LIB_FILTER_PROCMAIL_RC_H
/*
 * An rcfile (procmailrc(5)) as statements.  Values, conditions and actions are kept as they are written: what their quotes
 * and variables mean is known when they are reached (expand.h).  Parsing never fails: what can not be understood is
 * passed over, as procmail does, and noted in `problems'.
 */
#include "lib/arena.h"

#define PROCMAIL_RC_MAX ((size_t)1 << 20)	/* octets of a file */
#define PROCMAIL_RC_STATEMENTS 20000
#define PROCMAIL_RC_CONDITIONS 1000		/* of one recipe */
#define PROCMAIL_RC_DEPTH 100			/* of blocks */
#define PROCMAIL_RC_PROBLEMS 100		/* noted; the rest is only counted */

enum procmail_flag {
	PROCMAIL_FLAG_H = 1 << 0, PROCMAIL_FLAG_B = 1 << 1, PROCMAIL_FLAG_D = 1 << 2,
	PROCMAIL_FLAG_A = 1 << 3, PROCMAIL_FLAG_a = 1 << 4, PROCMAIL_FLAG_E = 1 << 5, PROCMAIL_FLAG_e = 1 << 6,
	PROCMAIL_FLAG_h = 1 << 7, PROCMAIL_FLAG_b = 1 << 8, PROCMAIL_FLAG_f = 1 << 9, PROCMAIL_FLAG_c = 1 << 10,
	PROCMAIL_FLAG_w = 1 << 11, PROCMAIL_FLAG_W = 1 << 12, PROCMAIL_FLAG_i = 1 << 13, PROCMAIL_FLAG_r = 1 << 14,
};

enum procmail_kind { PROCMAIL_ASSIGN, PROCMAIL_UNSET, PROCMAIL_RECIPE };
enum procmail_action { PROCMAIL_NOTHING, PROCMAIL_FOLDER, PROCMAIL_PIPE, PROCMAIL_CAPTURE, PROCMAIL_FORWARD, PROCMAIL_BLOCK };

struct procmail_condition {
	struct procmail_condition *next;
	unsigned line;
	struct span text;	/* behind the *, trimmed, continued lines put together */
};

struct procmail_statement {
	struct procmail_statement *next;
	enum procmail_kind kind;
	unsigned line;
	struct span name;	/* ASSIGN, UNSET; CAPTURE: of the variable */
	struct span text;	/* ASSIGN: the value; of a recipe: the action without its |, ! or name=| */
	unsigned flags;
	bool locks;		/* a second colon */
	struct span lock;	/* the name behind it; empty: implied */
	struct procmail_condition *conditions;
	enum procmail_action action;
	unsigned action_line;
	struct procmail_statement *block;
};

struct procmail_problem {
	struct procmail_problem *next;
	unsigned line;
	const char *text;
};

struct procmail_rc {
	struct procmail_statement *first;
	struct procmail_problem *problems;
	size_t problem_count;
	bool cut;		/* a limit: what is behind it was not read */
};

/* All in a; text must live as long.  NULL only when the arena is full. */
struct procmail_rc *procmail_rc_parse(struct span text, struct arena *a);

/* The name of a variable at the beginning of s: its length, 0 when there is none. */
size_t procmail_name_length(struct span s);

/* The length of the word (quotes, backquotes and all) that s begins with: up to white space; *closed_out: no quote is open. */
size_t procmail_word_length(struct span s, bool *closed_out);
#endif
