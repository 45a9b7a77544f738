/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_FILTER_LIST_H
#define CULVER_LIB_DELIVER_FILTER_LIST_H
/*
 * Lists that are kept outside of scripts (RFC 6134): plugin { sieve_list_NAME = [file:]PATH }, an entry a line; what begins
 * with # is a comment.  Or dict:file:PATH[;prefix=PREFIX], a file dictionary as Dovecot has it (lines in pairs, a key and its value):
 * an entry is what stands behind the prefix of a key, which is priv/ or shared/ where none is given; values do not count.  A file that
 * is not there is an empty list.  A script names it
 *
 *	"NAME"					sieve_list_NAME
 *	":addrbook:default", "urn:ietf:params:sieve:addrbook:default"	sieve_list_addrbook_default
 *	"tag:example.com,2026:staff"		sieve_list_tag_example_com_2026_staff
 *
 * so that each octet that is neither a letter nor a digit stands as _.  Entries are compared without regard to case.
 */
#include "lib/arena.h"
#include "lib/err.h"
#include "lib-config/settings.h"

struct filter_lists;

/* What was read stays for the time of one delivery.  view, user and home must live as long.  NULL: out of memory. */
struct filter_lists *filter_lists_new(const struct set_view *view, struct span user, struct span home, struct arena *a);
void filter_lists_free(struct filter_lists *l);	/* NULL is fine; all else is the arena's */

bool filter_list_exists(struct filter_lists *l, struct span list);
bool filter_list_has(struct filter_lists *l, struct span list, struct span value);
/* False: it can not be read now. */
bool filter_list_members(struct filter_lists *l, struct span list, struct span **out, size_t *count_out);

/* The directories of all lists, for Landlock: up to max of them, in a; how many.  Those that a is too small for are left out. */
size_t filter_list_dirs(const struct set_view *view, struct span user, struct span home, struct arena *a, const char **out, size_t max);
#endif
