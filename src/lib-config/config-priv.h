/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_CONFIG_PRIV_H
#define CULVER_LIB_CONFIG_CONFIG_PRIV_H
/*
 * A configuration in memory, between its text and its image.  A scope is what holds under one combination of filters;
 * the first one has no filters and is the top level.  Everything lives in the configuration's arena.
 */
#include "lib/array.h"
#include "lib/buf.h"
#include "lib-config/config.h"
#include "lib-config/line.h"
#include "lib-config/netaddr.h"
#include "lib-config/table.h"

#define CONFIG_MEMORY_MAX ((size_t)64 << 20)
#define CONFIG_FILE_MAX ((size_t)1 << 20)
#define CONFIG_FILES_MAX 1000
#define CONFIG_INCLUDE_DEPTH 16
#define CONFIG_DEPTH 16			/* of blocks */
#define CONFIG_SCOPES_MAX 500
#define CONFIG_BLOCKS_MAX 4000
#define CONFIG_PLUGIN_MAX 10000
#define CONFIG_NOTES_MAX 100

struct place {
	const char *file;	/* NULL: built in */
	unsigned line;
};

struct value {
	struct span text;	/* p NULL: not set, the default counts */
	uint64_t num;
	struct span file;	/* the text was in this file; p NULL: it stood in the configuration */
	bool is_set;		/* by the configuration; false for what is built in */
	struct place place;
};

struct plugin_value {
	struct span key;
	struct value value;
};

struct block {
	enum block_kind kind;
	struct span name;
	struct block *parent;
	struct value *values;		/* block_setting_count(kind) */
	bool built_in;
	struct place place;
};

struct filter {
	struct span protocol;		/* empty: any */
	bool not_protocol;
	struct netaddr local, remote;	/* family 0: any */
	struct span local_text, remote_text;
	struct span local_name;		/* words; empty: any */
};

struct scope {
	struct filter filter;
	struct scope *outer;		/* whose values $name sees next; NULL at the top */
	struct value values[SETTINGS_COUNT];
	struct array plugin;		/* struct plugin_value */
	struct array blocks;		/* struct block *, a parent before its children */
};

struct config {
	struct arena *arena;
	struct array scopes;		/* struct scope * */
	struct array notes;		/* struct config_note */
	struct array warned;		/* struct span: what a warning was given for already */
	unsigned errors, files, blocks;
	bool closed;			/* no files but the text itself: for tests */
};

/* Notes: file:line: text.  Past CONFIG_NOTES_MAX they are only counted. */
void config_error(struct config *c, struct place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void config_warning(struct config *c, struct place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* True the first time for `what`. */
bool config_warn_once(struct config *c, struct span what);

struct scope *scope_top(const struct config *c);
struct scope *scope_for(struct config *c, struct scope *outer, const struct filter *filter);	/* found or made */
/* A block by kind, parent and name (found unless it has none, or made); NULL when there are too many. */
struct block *block_for(struct config *c, struct scope *s, struct block *parent, enum block_kind kind,
    struct span name, struct place at);
/* In the order in which they apply, the top level first; the count. */
size_t scopes_sorted(const struct config *c, struct scope *sorted_out[CONFIG_SCOPES_MAX]);
struct plugin_value *plugin_for(struct scope *s, struct span key);
/* What a setting is for: its text, or the default's. */
struct span value_text(const struct setting_def *def, const struct value *v);

/* service.c: the services that are part of Culver, and those of Dovecot that are not. */
extern const char services_text[];
enum service_use { SERVICE_OURS, SERVICE_IGNORED, SERVICE_UNKNOWN };
enum service_use service_use(struct span name, const char **reason_out);
void services_nearest(struct nearest *n);

/* check.c: what can only be said when all is read. */
void config_check(struct config *c);
/* Whether the image gets a namespace of its own, because the configuration has no private one. */
bool config_needs_namespace(const struct config *c);
/* $name in what is built in. */
struct span config_resolve(const struct config *c, struct span text);
#endif
