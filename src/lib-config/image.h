/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_IMAGE_H
#define CULVER_LIB_CONFIG_IMAGE_H
/*
 * The sealed memory file: a header, then tables of fixed records, then text.  Records refer to each other by number and
 * to text by offset and length, so it can be mapped anywhere.  It lives as long as one start of the server and is read
 * by programs of the same build only: table_hash stands for settings.def and blocks.def.
 *
 * Scope 0 is the top level: its values are the table `values`, one for each setting, in order.  The other scopes follow
 * in the order in which they apply, the more specific ones last, and hold only what they change.
 */
#include "lib-config/netaddr.h"
#include "lib-config/table.h"

#define IMAGE_MAGIC "CULVSET1"
#define IMAGE_MAX ((size_t)64 << 20)
#define IMAGE_NONE UINT32_MAX

enum image_table {
	IMG_VALUES, IMG_SCOPES, IMG_OVERRIDES, IMG_PLUGIN, IMG_BLOCKS, IMG_BLOCK_VALUES, IMG_TEXT,
	IMG_TABLES
};

struct img_range {
	uint32_t first, count;
};

struct img_header {
	char magic[8];
	uint64_t table_hash;
	uint64_t size;				/* of all */
	struct {
		uint32_t offset, count;		/* count of records; of octets for the text */
	} tables[IMG_TABLES];
};

struct img_value {
	uint64_t num;
	struct img_range text;
	uint32_t is_set;
	uint32_t setting;	/* its own number, checked when the image is opened */
};

struct img_scope {
	struct netaddr local, remote;
	uint32_t not_protocol;
	struct img_range protocol, local_name;
	struct img_range overrides, plugin, blocks;
};

struct img_plugin {
	struct img_range key, value;
};

struct img_block {
	uint32_t kind;
	uint32_t parent;	/* a block before this one of the same scope, or IMAGE_NONE */
	struct img_range name;
	uint32_t first_value;	/* block_setting_count(kind) of them */
};

extern const size_t image_record_size[IMG_TABLES];
uint64_t image_table_hash(void);
#endif
