/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_SEQUENCE_H
#define CULVER_LIB_FILTER_SIEVE_SEQUENCE_H
/*
 * The scripts that run on a user's mail: sieve_before..., the active one of the user (or sieve_default), sieve_after..., and
 * sieve_discard.  Opened once for a user, run for each message:
 *
 *	sieve_sequence_open(site, &q, &e);
 *	sieve_sequence_run(q, message, host, a, &outcome, &e);		outcome.actions are for the caller to do
 *	sieve_sequence_close(q);
 *
 * Files are looked at for each message, so that a new script counts at once; what has not changed stays compiled.
 */
#include "lib-filter/sieve/chain.h"
#include "lib-filter/sieve/site.h"

enum sieve_place { SIEVE_BEFORE, SIEVE_PERSONAL, SIEVE_DEFAULT, SIEVE_AFTER, SIEVE_DISCARD };

struct sieve_sequence;

/* What site points to must stay.  ERR_SYNTAX: a setting is wrong. */
int sieve_sequence_open(const struct sieve_site *site, struct sieve_sequence **out, struct err *e);
void sieve_sequence_close(struct sieve_sequence *q);	/* NULL is fine */
/* From here on nothing is written beside scripts: no binaries, no log for the user. */
void sieve_sequence_only_look(struct sieve_sequence *q);

struct sieve_failure {
	struct sieve_failure *next;
	enum sieve_place place;
	const char *path;
	unsigned line;			/* 0: none is known */
	const char *why;
};

struct sieve_outcome {
	struct filter_action *actions;	/* NULL: the message is discarded */
	struct sieve_failure *failures;	/* scripts that are wrong, or failed: they are as if they were not there */
	size_t scripts;			/* that ran to their end */
};

/*
 * All of it in a.  host->script may be NULL: what is included is found where the settings say.  -1: no memory, too
 * many scripts; the message is to be kept or tried again.
 */
int sieve_sequence_run(struct sieve_sequence *q, const struct filter_message *m, const struct filter_host *host,
    struct arena *a, struct sieve_outcome *out, struct err *e);

/* The scripts that would run now, in their order, whether they are right or not; but for those of dictionaries. */
int sieve_sequence_each(struct sieve_sequence *q, struct arena *a, void (*each)(void *ctx, enum sieve_place place, const char *path),
    void *ctx, struct err *e);

/*
 * Scripts that the caller names, for IMAP's events (imapsieve.h): limits and what is included are as in deliveries, what scripts
 * may require is imapsieve_available() of that.
 */
struct sieve_step {
	enum sieve_place place;		/* SIEVE_PERSONAL: the user's, else of the server */
	const char *path;
};
int sieve_sequence_open_steps(const struct sieve_site *site, struct sieve_sequence **out, struct err *e);
/* A script that is not there is a failure.  The outcome has what stands behind the last that ran. */
int sieve_sequence_run_steps(struct sieve_sequence *q, const struct sieve_step *steps, size_t count, const struct filter_message *m,
    const struct filter_host *host, struct arena *a, struct sieve_outcome *out, struct err *e);

/* Directories that must be readable for a process that is walled in before it runs scripts; up to NULL, in a.  NULL: no memory. */
const char *const *sieve_sequence_paths(const struct sieve_sequence *q, struct arena *a);
/*
 * What such a process must be able to write so that the user is told of mistakes: the directory that sieve_user_log is in, or else
 * the file beside the script.  That is made here, empty, for a script that was changed lately: the process, of which this is to be
 * called before it is walled in, and as the user, has no right to the directory later.  NULL: nothing, or no memory.
 */
const char *sieve_sequence_log_path(const struct sieve_sequence *q, struct arena *a);
#endif
