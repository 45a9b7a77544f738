/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_TABLE_H
#define CULVER_LIB_CONFIG_TABLE_H
/* settings.def, blocks.def and ignored.def as tables, and how values of each type are read. */
#include "lib-config/settings.h"

enum set_type {
	TYPE_BOOL, TYPE_NUM, TYPE_SIZE, TYPE_TIME, TYPE_MODE,
	TYPE_STR, TYPE_VARS, TYPE_FILE, TYPE_LIST, TYPE_ENUM
};

struct setting_def {
	const char *name;
	enum set_type type;
	const char *def, *doc;
};

extern const struct setting_def setting_table[SETTINGS_COUNT];

enum block_kind {
#define BLOCK(kind, parent, doc) BLOCK_##kind,
#define BLOCK_SETTING(kind, name, type, def, doc)
#include "lib-config/blocks.def"
#undef BLOCK
#undef BLOCK_SETTING
	BLOCK_KINDS,
	BLOCK_NONE		/* the top level */
};

struct block_def {
	const char *name, *doc;
	enum block_kind parent;
	const struct setting_def *settings;	/* ends with a NULL name */
};

extern const struct block_def block_table[BLOCK_KINDS];

/* SETTINGS_COUNT, BLOCK_KINDS or the kind's count when there is none of that name. */
unsigned setting_find(struct span name);
enum block_kind block_find(struct span name);
unsigned block_setting_find(enum block_kind kind, struct span name);
unsigned block_setting_count(enum block_kind kind);

struct ignored_def {
	const char *pattern, *reason;
	const char *harmless;	/* not NULL: refused unless it has this value */
};

const struct ignored_def *ignored_find(struct span name);	/* NULL: none */

const char *type_name(enum set_type type);	/* for people: "boolean", "size" */

/*
 * The number that text means for a type: BOOL 0 or 1, SIZE octets, TIME milliseconds, ENUM the index of the word; 0 for
 * the types that are text.  def names the words of an ENUM.  ERR_SYNTAX says what would be right.
 */
int value_parse(const struct setting_def *def, struct span text, uint64_t *num_out, struct err *e);
/* The default as text: of an ENUM its first word. */
struct span value_default(const struct setting_def *def);
struct span enum_word(const char *words, unsigned idx);	/* empty past the end */

/*
 * The best guess at what name was meant to be: feed candidates, then look at best (NULL: nothing is near).
 */
struct nearest {
	struct span name;
	const char *best;
	unsigned distance;
};
void nearest_init(struct nearest *n, struct span name);
void nearest_try(struct nearest *n, const char *candidate);
/* Changes (insert, delete, replace, swap of neighbours) from a to b, when they are max at most; else max + 1. */
unsigned edit_distance(struct span a, struct span b, unsigned max);
#endif
