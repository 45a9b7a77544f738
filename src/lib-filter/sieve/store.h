/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_STORE_H
#define CULVER_LIB_FILTER_SIEVE_STORE_H
/*
 * A user's own scripts: files NAME.sieve in a directory, and a symbolic link to the active one, as Dovecot has them.  For
 * whoever has become that user.  What is changed survives a crash whole: the old or the new.
 */
#include "lib/buf.h"
#include "lib-filter/sieve/site.h"

struct sieve_store;

struct sieve_stored {
	struct sieve_stored *next;
	struct span name;
	uint64_t size;
	bool active;
};

/* The directory is made when a script is put there.  ERR_NOTFOUND: the user has no place for scripts. */
int sieve_store_open(const struct sieve_site *site, struct sieve_store **out, struct err *e);
void sieve_store_close(struct sieve_store *st);		/* NULL is fine */

/* By name; in a. */
int sieve_store_list(struct sieve_store *st, struct arena *a, struct sieve_stored **out, struct err *e);
/* Appends its text.  ERR_NOTFOUND: there is none, or it is no plain file; ERR_TOOBIG: more than out may hold. */
int sieve_store_get(struct sieve_store *st, struct span name, struct buf *out, struct err *e);
/*
 * Makes it, or replaces it.  ERR_SYNTAX: no name, or that of the link; ERR_TOOBIG, ERR_LIMIT (number of scripts), ERR_OVERQUOTA (octets): as
 * sieve_store_has_space().  Whether the text is a valid script is the caller's to know.
 */
int sieve_store_put(struct sieve_store *st, struct span name, struct span text, struct err *e);
int sieve_store_has_space(struct sieve_store *st, struct span name, uint64_t size, struct err *e);
int sieve_store_delete(struct sieve_store *st, struct span name, struct err *e);	/* ERR_INUSE: it is the active one */
/* ERR_EXISTS: the new name is taken.  The active one stays active. */
int sieve_store_rename(struct sieve_store *st, struct span old, struct span name, struct err *e);
/*
 * An empty name: none is active any more.  A file (no link) in the link's place is moved to the directory first, as
 * "dovecot.orig" (or "dovecot.orig-2" ...), so that nobody's script is lost.
 */
int sieve_store_activate(struct sieve_store *st, struct span name, struct err *e);
/* The name of the active one; false: there is none (or a file of no name). */
bool sieve_store_active(struct sieve_store *st, struct arena *a, struct span *out);
#endif
