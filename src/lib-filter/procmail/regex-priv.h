/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_REGEX_PRIV_H
#define CULVER_LIB_FILTER_PROCMAIL_REGEX_PRIV_H
/* The machine of an expression: regex-parse.c makes it, regex.c and regex-extract.c run it.  No other file includes this. */
#include "lib-filter/procmail/regex.h"
#include "lib/array.h"

#define REGEX_NONE UINT32_MAX
#define REGEX_ACCEPTS ((uint32_t)1 << 31)	/* in `table': that state accepts */
#define REGEX_STATES_MEMORY ((size_t)8 << 20)	/* of the automaton, which is thrown away and begun anew when it is larger */
#define REGEX_HASH_SIZE 1024

enum regex_op { OP_SET, OP_SPLIT, OP_BEGIN, OP_END, OP_MARK, OP_ACCEPT };

/* One of the machine: a set takes a character and goes on to `next'; a split goes on to both. */
struct regex_node {
	enum regex_op op;
	uint32_t next, other;
	uint32_t set;
	bool ends;		/* nothing need be taken from here to the end of the expression; if there is an OP_END at all */
};

struct regex_set {
	uint64_t bits[4];
};

/* A set of nodes that the search is in.  Where each class of characters leads from it is in `table'. */
struct regex_state {
	uint32_t first, count;	/* in `members' */
	uint32_t hash_next;
	bool accepts;
};

struct procmail_regex {
	struct array nodes, sets;
	uint32_t start;
	bool marked;		/* has a \/ */
	bool anchored;		/* has a ^^ */
	bool fold;
	const char *warning;
	uint8_t class_of[256];
	unsigned classes;
	int first;		/* the only character that a match can begin with; -1: there are others, or none is needed */

	/* The automaton, made as the text needs it. */
	struct array states, members, table;	/* table: a state's row after the other's */
	uint32_t initial;	/* the state in which a search begins, away from the ends; REGEX_NONE: not known yet */
	uint32_t generation;	/* how often it was begun anew */
	uint32_t *hash;
	uint32_t *seen;		/* a node: the last round in which it was put into a set */
	uint32_t *list, *stack;
	uint32_t round;
};

static inline struct regex_node *
regex_node_at(const struct procmail_regex *r, uint32_t idx)
{
	return array_at(&r->nodes, idx);
}

static inline bool
regex_set_has(const struct regex_set *s, unsigned char c)
{
	return s->bits[c >> 6] >> (c & 63) & 1;
}

/* The character at a position of the text with its newlines. */
static inline unsigned char
regex_char_at(struct span text, size_t pos)
{
	return pos == 0 || pos == text.n + 1 ? '\n' : (unsigned char)text.p[pos - 1];
}

/* Where a search is: before the text, at its beginning, inside, at its end, behind the newline thought there. */
struct regex_place {
	bool begin, end;
};

/* regex.c */
void regex_automaton_clear(struct procmail_regex *r);
void regex_new_round(struct procmail_regex *r);		/* no node is seen */
/*
 * Adds node and what is reached from it without a character to r->list; the list holds sets alone.  True: accepted.  What was
 * seen in this round is passed over.
 */
bool regex_close_over(struct procmail_regex *r, uint32_t node, struct regex_place at, uint32_t *count, uint64_t *budget);
#endif
