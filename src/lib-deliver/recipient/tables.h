/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_TABLES_H
#define CULVER_LIB_DELIVER_RECIPIENT_TABLES_H
/*
 * The tables of the settings, as text in files, and what they include.  Who may read the files looks after them
 * (recipient_tables_refresh); who may not is given their text (pack, unpack).  A new version of a file that has a mistake in it
 * is logged and not used: the last one that had none stays.  Where there is none (the server has just been started) it is used
 * as far as it is understood, and mail for what the other lines name waits.  A table that could never be read makes the whole
 * set unusable: nothing is known of any address then.
 */
#include "lib/buf.h"
#include "lib-config/settings.h"
#include "lib-deliver/recipient/access.h"
#include "lib-deliver/recipient/virtual.h"

enum recipient_table_kind { RECIPIENT_TABLE_ACCESS, RECIPIENT_TABLE_VIRTUAL, RECIPIENT_TABLE_ALIASES, RECIPIENT_TABLE_INCLUDE };

/* Where an answer stands. */
struct recipient_place {
	struct span path;	/* lives until the next refresh */
	unsigned line;
};

struct recipient_tables;

/* Those of recipient_access, recipient_virtual and recipient_aliases; nothing is read yet.  NULL without an error: none. */
struct recipient_tables *recipient_tables_new(const struct set_view *view, struct err *e);
/* The same from lists of paths, for tests. */
struct recipient_tables *recipient_tables_of(struct span access, struct span virtual, struct span aliases,
    const struct recipient_limits *limits, struct err *e);
void recipient_tables_free(struct recipient_tables *t);	/* NULL is fine */

/*
 * Looks at the files, unless it did so within the last second (now: clock_ms()), and reads those that have changed.  A file
 * that was written just now, and not put there whole by a rename, is read when it has been left alone for a second: the first
 * call waits for that.  Mistakes are logged, once a version.
 */
void recipient_tables_refresh(struct recipient_tables *t, int64_t now);
uint64_t recipient_tables_generation(const struct recipient_tables *t);	/* another one after each change */
bool recipient_tables_usable(const struct recipient_tables *t);
/* Whether there is a table of that kind. */
bool recipient_tables_has(const struct recipient_tables *t, enum recipient_table_kind kind);
/* The first table that is not usable and why; false: all are. */
bool recipient_tables_problem(const struct recipient_tables *t, struct span *path_out, const char **why_out);

/* All texts as one. */
void recipient_tables_pack(const struct recipient_tables *t, struct buf *out);
/* The opposite: takes the place of what t has.  -1: ERR_SYNTAX, ERR_TEMP; t is as it was. */
int recipient_tables_unpack(struct recipient_tables *t, struct span packed, uint64_t generation, struct err *e);

/* The first of the tables that knows it, in the order of the settings. */
const struct recipient_alias *recipient_tables_alias(const struct recipient_tables *t, struct span name, struct recipient_place *place_out);
bool recipient_tables_virtual(const struct recipient_tables *t, struct span local, struct span domain, struct span delimiters,
    bool is_local, struct recipient_virtual_match *out, struct recipient_place *place_out);
/* NULL: it could not be read. */
const struct recipient_targets *recipient_tables_include(const struct recipient_tables *t, struct span path);
const struct recipient_access_entry *recipient_tables_address(const struct recipient_tables *t, enum recipient_access_tag tag,
    struct span local, struct span domain, struct span delimiters, struct recipient_place *place_out);
const struct recipient_access_entry *recipient_tables_client(const struct recipient_tables *t, struct span name,
    struct span address, struct recipient_place *place_out);
#endif
