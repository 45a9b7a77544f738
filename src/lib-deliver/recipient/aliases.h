/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_ALIASES_H
#define CULVER_LIB_DELIVER_RECIPIENT_ALIASES_H
/* A table as aliases(5) has it: "name: target, target", found by the name whatever its case. */
#include "lib-deliver/recipient/target.h"

/* What a table may have. */
struct recipient_limits {
	size_t max_size, max_line;	/* octets */
	size_t max_list;		/* targets of one name */
	bool quarantine;		/* there is a place for it */
};

struct recipient_alias {
	unsigned line;
	struct recipient_targets targets;
};

struct recipient_aliases;

/*
 * The text must live as long as the table.  -1: ERR_TEMP, or, unless remarks->go_on is set, ERR_SYNTAX, ERR_LIMIT, with *line_out
 * the line (0: none).  What is not understood of a table that goes on makes mail for the name wait.
 */
int recipient_aliases_parse(struct span text, const struct recipient_limits *limits, struct recipient_aliases **out,
    struct recipient_remarks *remarks, unsigned *line_out, struct err *e);
void recipient_aliases_free(struct recipient_aliases *t);	/* NULL is fine */
size_t recipient_aliases_count(const struct recipient_aliases *t);
/* NULL: there is none of that name. */
const struct recipient_alias *recipient_aliases_find(const struct recipient_aliases *t, struct span name);
/* Walks all targets of all names: start with *pos = 0; NULL at the end. */
const struct recipient_alias *recipient_aliases_next(const struct recipient_aliases *t, size_t *pos);
#endif
