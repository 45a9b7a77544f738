/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_SIEVE_H
#define CULVER_LIB_DELIVER_SIEVE_H
/*
 * A user's Sieve scripts, as Dovecot's settings name them: sieve_before, sieve (or sieve_default where the user has none),
 * sieve_after.  They stay compiled from one delivery to the next, and are read again when their files have changed.
 */
#include "lib-deliver/host.h"
#include "lib-filter/sieve/shelf.h"

/*
 * NULL with no error: no filter is switched on (mail_plugins = sieve; not sieve_enabled = no), so mail goes to its mailbox.  NULL with an error:
 * something is wrong with the settings.
 */
struct deliver_filter *deliver_filter_new(const struct set_view *view, struct span user, struct span home, struct err *e);
void deliver_filter_free(struct deliver_filter *f);	/* NULL is fine */
/* From here on scripts of the server are on a shelf (lib-filter/sieve/shelf.h) that other users' filters have, too; NULL: none. */
void deliver_filter_share(struct deliver_filter *f, struct sieve_shelf *shelf);

/*
 * What is to be done with m, in host's arena.  Scripts that fail (their errors are in the log and the journal) are as if they
 * were not there: the implicit keep stands.  -1: no memory for that.
 */
int deliver_filter_run(struct deliver_filter *f, const struct filter_message *m, struct deliver_host *host,
    struct filter_action **out, struct err *e);

/* Directories with the scripts, for Landlock: NULL-terminated, in a, behind those of `first'.  NULL: out of memory. */
const char *const *deliver_filter_paths(const struct set_view *view, struct span user, struct span home,
    const char *const *first, struct arena *a);
/*
 * The same for what is written there: behind those of *rw, in a; to be called as the user (sieve_sequence_log_path()).
 * ERR_TEMP: out of memory.
 */
int deliver_filter_writes(const struct set_view *view, struct span user, struct span home, struct arena *a, const char *const **rw,
    struct err *e);
#endif
