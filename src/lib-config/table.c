/* SPDX-License-Identifier: MIT */
#include "lib-config/table.h"

const struct setting_def setting_table[SETTINGS_COUNT] = {
#define SETTING(name, type, def, doc) { #name, TYPE_##type, def, doc },
#include "lib-config/settings.def"
#undef SETTING
};

/* One flat array of all kinds; in it a line without a name stands in front of each kind, and at the end. */
enum {
#define BLOCK(kind, parent, doc) HEAD_##kind,
#define BLOCK_SETTING(kind, name, type, def, doc) FLAT_##kind##_##name,
#include "lib-config/blocks.def"
#undef BLOCK
#undef BLOCK_SETTING
	FLAT_COUNT
};

static const struct setting_def flat[FLAT_COUNT + 1] = {
#define BLOCK(kind, parent, doc) { NULL, TYPE_STR, NULL, doc },
#define BLOCK_SETTING(kind, name, type, def, doc) { #name, TYPE_##type, def, doc },
#include "lib-config/blocks.def"
#undef BLOCK
#undef BLOCK_SETTING
	{ NULL, TYPE_STR, NULL, NULL }
};

const struct block_def block_table[BLOCK_KINDS] = {
#define BLOCK(kind, parent, doc) { #kind, doc, BLOCK_##parent, flat + HEAD_##kind + 1 },
#define BLOCK_SETTING(kind, name, type, def, doc)
#include "lib-config/blocks.def"
#undef BLOCK
#undef BLOCK_SETTING
};

static const struct ignored_def ignored_table[] = {
#define IGNORED(pattern, reason) { #pattern, reason, NULL },
#define REFUSED(name, harmless, reason) { #name, reason, harmless },
#include "lib-config/ignored.def"
#undef IGNORED
#undef REFUSED
};

unsigned
setting_find(struct span name)
{
	unsigned id = 0;

	while (id < SETTINGS_COUNT && !span_eq(span_str(setting_table[id].name), name))
		id++;
	return id;
}

enum block_kind
block_find(struct span name)
{
	unsigned kind = 0;

	while (kind < BLOCK_KINDS && !span_eq(span_str(block_table[kind].name), name))
		kind++;
	return (enum block_kind)kind;
}

unsigned
block_setting_find(enum block_kind kind, struct span name)
{
	const struct setting_def *defs = block_table[kind].settings;
	unsigned idx = 0;

	while (defs[idx].name != NULL && !span_eq(span_str(defs[idx].name), name))
		idx++;
	return idx;
}

unsigned
block_setting_count(enum block_kind kind)
{
	unsigned count = 0;

	while (block_table[kind].settings[count].name != NULL)
		count++;
	return count;
}

const struct ignored_def *
ignored_find(struct span name)
{
	for (size_t i = 0; i < sizeof(ignored_table) / sizeof(ignored_table[0]); i++) {
		struct span pattern = span_str(ignored_table[i].pattern);

		if (span_ends(pattern, SPAN("*")) ? span_starts(name, span_sub(pattern, 0, pattern.n - 1)) :
		    span_eq(name, pattern))
			return &ignored_table[i];
	}
	return NULL;
}

const char *
type_name(enum set_type type)
{
	static const char *const names[] = {
		[TYPE_BOOL] = "yes or no", [TYPE_NUM] = "number", [TYPE_SIZE] = "size", [TYPE_TIME] = "time",
		[TYPE_MODE] = "permissions", [TYPE_STR] = "text", [TYPE_VARS] = "text with %variables",
		[TYPE_FILE] = "file", [TYPE_LIST] = "words", [TYPE_ENUM] = "one of",
	};

	return names[type];
}
