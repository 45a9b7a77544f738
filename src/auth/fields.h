/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_FIELDS_H
#define CULVER_AUTH_FIELDS_H
/* Extra fields of a passdb or userdb: names and values in an arena, each name once, in the order of arrival. */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#define FIELDS_MAX 128
#define FIELD_VALUE_MAX 8192

struct field {
	struct field *next;
	struct span name, value;
};

struct fields {
	struct arena *arena;
	struct field *first, **last;
	size_t count;
};

void fields_init(struct fields *f, struct arena *a);
/* Copies.  Adds, or replaces the value.  ERR_LIMIT; ERR_SYNTAX for a name with '=' or a control byte, a value with NUL. */
int fields_set(struct fields *f, struct span name, struct span value, struct err *e);
const struct field *fields_get(const struct fields *f, struct span name);	/* NULL: not there */
struct span fields_value(const struct fields *f, struct span name);	/* empty with p NULL: not there */
/* A switch: there with no value, "y", "yes", "1", "true" ... ; "n", "no", "0", "false" are as if it were not there. */
bool fields_is_true(const struct fields *f, struct span name);

/*
 * The next "name=value", "name" or name="quoted \" value" of *rest, words separated by white space.  A quoted value is
 * unescaped into the arena.  0 none left, 1 one, -1 malformed (ERR_SYNTAX) or no room.
 */
int fields_next_word(struct span *rest, struct arena *a, struct span *name_out, struct span *value_out, struct err *e);
#endif
