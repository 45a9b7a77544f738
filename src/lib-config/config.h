/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_CONFIG_H
#define CULVER_LIB_CONFIG_CONFIG_H
/*
 * From the text of dovecot.conf to the image.  For the master and the tools only.
 */
#include "lib/buf.h"
#include "lib/err.h"

struct config;
struct set_filter;	/* settings.h */

/* A remark on the configuration: file:line: text. */
struct config_note {
	bool is_error;
	const char *text;
};

/*
 * Parses path and what it includes.  NULL with e set when the file can not be
 * read; a config with errors (config_notes) when its content is wrong: such a one gives no image.
 */
struct config *config_read(const char *path, struct err *e);
/* The same of a text, under the name `name`; it can not include files. */
struct config *config_read_text(struct span text, const char *name, struct err *e);
void config_free(struct config *c);
size_t config_notes(const struct config *c, const struct config_note **notes_out);
bool config_has_errors(const struct config *c);
/* key=value from a command line (-o): as if it stood at the end of the file. */
int config_override(struct config *c, struct span assignment, struct err *e);
/* Showing a configuration, in its own language: what is printed can be read again, and means the same. */
enum dump_what {
	DUMP_CHANGED,	/* what the configuration sets to something else than the default */
	DUMP_SET,	/* what it sets */
	DUMP_ALL,
};

struct dump_options {
	enum dump_what what;
	const struct set_filter *filter;	/* NULL: filters are shown as blocks; else what is in effect there */
	bool values_only;	/* without the names */
	bool secrets;		/* passwords in the arguments of databases too */
	bool simple;		/* a line a setting: path=value */
	struct span module;	/* only settings whose names begin so; empty: all */
};

/* ERR_LIMIT when out is too small. */
int config_dump(struct config *c, const struct dump_options *o, struct buf *out, struct err *e);
/* One setting ("mail_location", "plugin/quota", "service/imap/user"), or all of a block ("plugin", "service/imap", or
 * "namespace" for all of the kind).  ERR_NOTFOUND; the text names the nearest. */
int config_dump_name(struct config *c, const struct dump_options *o, struct span name, struct buf *out, struct err *e);

/* The settings (or the blocks with theirs) as the middle part of a manual page. */
void settings_manual(struct buf *out);
void blocks_manual(struct buf *out);

/* A new sealed memory file with the image; the caller closes it. */
int config_image(struct config *c, struct err *e);
#endif
