/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_SEQUENCE_H
#define CULVER_LIB_FILTER_SIEVE_SEQUENCE_H
/*
 * Which scripts run on a user's mail, and in what order: sieve_before..., the active one of the user (or sieve_default),
 * sieve_after..., and sieve_discard.  Then sieve_sequence_run() is all that a delivery needs:
 *
 *	sieve_sequence_run(site, message, host, a, &result, &e)  ->  result.actions, to be done by the caller
 *
 * host->script may be left NULL: included scripts are found where the site has them.
 */
#include "lib-filter/sieve/chain.h"
#include "lib-filter/sieve/site.h"

enum sieve_place { SIEVE_BEFORE, SIEVE_PERSONAL, SIEVE_DEFAULT, SIEVE_AFTER, SIEVE_DISCARD };

struct sieve_source {
	struct sieve_source *next;
	enum sieve_place place;		/* only SIEVE_PERSONAL is the user's: others may use sieve_global_extensions */
	const char *path;
	const char *setting;		/* that names it, for the log */
};

#define SIEVE_SOURCES_MAX 200

/*
 * The scripts that are there, in order; *out NULL: none.  A directory stands for its files *.sieve, in the order of their
 * names.  What is set but not there is left out.  -1: a setting is wrong.
 */
int sieve_sequence_find(const struct sieve_site *site, struct arena *a, struct sieve_source **out, struct err *e);

struct sieve_outcome {
	struct filter_action *actions;	/* never NULL but when the message is discarded */
	size_t scripts;			/* that ran */
	const struct sieve_source *failed;	/* NULL: all went well */
	char why[512];			/* of the failure: path, line, what is wrong */
};

/* 0, also when a script is wrong or fails (the message is kept then, out->why says it); -1: no memory, a setting is wrong. */
int sieve_sequence_run(const struct sieve_site *site, const struct filter_message *m, const struct filter_host *host,
    struct arena *a, struct sieve_outcome *out, struct err *e);
#endif
