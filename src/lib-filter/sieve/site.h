/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_SITE_H
#define CULVER_LIB_FILTER_SIEVE_SITE_H
/*
 * Sieve as the configuration sets it up for one user: plugin { sieve... }.
 *
 *	sieve = [file:]PATH[;active=PATH][;name=NAME]	the user's scripts: a directory, and the link to the active one; or a
 *							file, which is the active one (file:~/sieve;active=~/.dovecot.sieve)
 *	sieve_dir		with a file as `sieve': where the scripts are (~/sieve)
 *	sieve_before, sieve_before2, ...	scripts, or directories of them, that run before the user's
 *	sieve_after, sieve_after2, ...		and after it
 *	sieve_default		instead of the user's, when there is none
 *	sieve_discard		when all the others have left nothing to do with the message
 *	sieve_global (sieve_global_dir)		the directory of scripts that "include :global" names
 *
 *	sieve_user_log		where the user is told what is wrong with the own script (beside it)
 *
 * In all of them ~/ is the user's home, where a path without a slash in front begins too, and %variables are replaced.  Of a
 * directory, name= is the script that is meant: NAME.sieve.  Each may be a script of a file dictionary instead (dict.h):
 * dict:file:PATH[;name=NAME].
 */
#include "lib-config/settings.h"
#include "lib-filter/sieve/script.h"

struct sieve_site {
	void *ctx;
	bool (*setting)(void *ctx, const char *name, struct span *out);	/* as it is written; NULL: none is set */
	struct span user, home;		/* home SPAN_NONE: the user has none */
	struct sieve_shelf *shelf;	/* for scripts of the server; NULL: each sequence has its own */
};

/* The settings of a view: ctx is the struct set_view. */
bool sieve_site_setting(void *view, const char *name, struct span *out);

struct sieve_location {
	const char *path;		/* with variables and home replaced; no slash at its end */
	const char *active;		/* NULL: none is given */
	struct span name;		/* empty: none */
	bool dict;			/* path is a file dictionary, and name that of a script in it */
	bool storage;			/* it began with file: */
};

/* ERR_SYNTAX: what is wrong with the value of that setting; ERR_NOTFOUND: it is not set, or it needs a home. */
int sieve_site_location(const struct sieve_site *site, const char *setting, struct arena *a, struct sieve_location *out,
    struct err *e);
/* The same for a value that the caller has; setting: its name, for *e. */
int sieve_site_location_of(const struct sieve_site *site, const char *setting, struct span value, struct arena *a,
    struct sieve_location *out, struct err *e);
/*
 * The user's scripts: path is the directory, active the link (or the file) of the active script; neither is NULL.  With a
 * dictionary there is none of them (ERR_NOTFOUND): sieve_site_personal_dict() tells.
 */
int sieve_site_personal(const struct sieve_site *site, struct arena *a, struct sieve_location *out, struct err *e);
/* *out NULL: it is not set. */
int sieve_site_user_log(const struct sieve_site *site, struct arena *a, const char **out, struct err *e);
/* False: the user's scripts are in no dictionary; or in one whose place is wrong, as sieve_site_personal() tells. */
bool sieve_site_personal_dict(const struct sieve_site *site, struct arena *a, struct sieve_location *out);

/*
 * What scripts may use: sieve_extensions, and those of the server sieve_global_extensions, which the user's may not.  A name that is not known is
 * left out, and is in *bad_out (may be NULL).
 */
void sieve_site_extensions(const struct sieve_site *site, struct sieve_extset *personal, struct sieve_extset *global,
    struct span *bad_out);
/* sieve_max_actions, sieve_max_redirects, sieve_max_cpu_time, sieve_variables_max_scope_size, sieve_variables_max_variable_size. */
void sieve_site_limits(const struct sieve_site *site, struct sieve_limits *out);
/* sieve_include_max_includes, sieve_include_max_nesting_depth: no more than this program allows; sieve_variables_max_scope_size. */
void sieve_site_include_limits(const struct sieve_site *site, struct sieve_compile_options *out);
size_t sieve_site_script_max(const struct sieve_site *site);	/* sieve_max_script_size */

/* For the host's `script': the text of an included script.  ERR_NOTFOUND. */
int sieve_site_include(const struct sieve_site *site, bool personal, struct span name, struct arena *a, struct span *out,
    struct err *e);

/* A name that a script may have: text without control characters (RFC 5804 section 1.6) and slashes. */
#define SIEVE_NAME_MAX 245		/* octets: with ".sieve" it is a file's name */
bool sieve_name_is_valid(struct span name);
#endif
