/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_VIEW_H
#define CULVER_LIB_CONFIG_VIEW_H
/* What settings.c (the image and the global settings) and view-block.c (the blocks) share. */
#include "lib-config/image.h"
#include "lib-config/settings.h"

#define VIEW_MEMORY_MAX ((size_t)1 << 20)	/* of one view's overrides */

struct settings {
	const char *map;
	size_t size;
	const struct img_header *head;
};

/* A value that this view alone has. */
struct own_value {
	struct span text;
	uint64_t num;
};

struct own_plugin {
	struct span key, value;
	struct own_plugin *next;
};

/* One value of a block that is not the block's own. */
struct block_set {
	unsigned idx;			/* among the kind's settings */
	struct own_value value;
	struct block_set *next;
};

struct view_block {
	const struct img_block *img;
	uint32_t parent;		/* in the view's table */
	struct block_set *sets;		/* newest first */
};

struct set_view {
	const struct settings *s;
	struct arena *arena;			/* NULL until there is an override */
	const struct img_value *img[SETTINGS_COUNT];	/* NULL: the top level's */
	const struct own_value *own[SETTINGS_COUNT];	/* these win */
	struct own_plugin *plugin;
	/* The scopes that hold, in the order in which they apply. */
	const struct img_scope **scopes;
	size_t scope_count;
	/* NULL: the blocks are those of the top level, as they are in the image.  Their numbers are the same in both. */
	struct view_block *blocks;
	size_t block_count, block_cap;
};

static inline const void *
image_at(const struct settings *s, enum image_table t, uint32_t idx)
{
	return s->map + s->head->tables[t].offset + (size_t)idx * image_record_size[t];
}

static inline struct span
image_text(const struct settings *s, struct img_range r)
{
	return span_of(s->map + s->head->tables[IMG_TEXT].offset + r.first, r.count);
}

bool view_arena(struct set_view *v);		/* makes the arena if it is not there; false: out of memory */
bool view_blocks_build(struct set_view *v);	/* the table of blocks, merged from all scopes that hold */
/* Sets path (kind/name/.../setting) in a block.  ERR_NOTFOUND, ERR_SYNTAX as set_view_override. */
int view_block_override(struct set_view *v, struct span path, struct span value, struct err *e);
#endif
