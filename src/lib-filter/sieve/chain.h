/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_CHAIN_H
#define CULVER_LIB_FILTER_SIEVE_CHAIN_H
/*
 * Several scripts, one after the other, on one message.  The next one runs only when the one before would have kept the
 * message: its keep, implicit or by the command, is not done but is what the next script starts with.  What is still to be
 * kept after the last is kept.  A script that fails is as if it had not been there.
 */
#include "lib-filter/sieve/script.h"

struct sieve_chain {
	const struct filter_message *message;
	struct filter_message changed;		/* as a script before has changed it */
	struct span flags;			/* that the next script begins with */
	const struct filter_host *host;
	struct sieve_limits limits;		/* what is left of them, for all scripts together */
	struct arena *a;
	struct span name;			/* of the script that runs next: the actions have it; set by the caller */
	struct filter_action *actions, **tail;
	struct filter_action *keep;		/* the last keep that was wanted; NULL: the message is not to be kept */
	bool no_memory;
};

/* Whether it saves the message that came where a keep does: a keep, and fileinto of that mailbox (filter_host.keep_mailbox). */
bool sieve_action_keeps(const struct filter_action *x, struct span keep_mailbox);
/*
 * Of two redirects to one address, two saves in one mailbox, two refusals, two answers, one is enough: what of the list (up to x, if that is
 * in it) makes x one too many.  NULL: nothing.
 */
struct filter_action *sieve_action_known(struct filter_action *list, const struct filter_action *x, struct span keep_mailbox);

void sieve_chain_begin(struct sieve_chain *c, const struct filter_message *m, const struct filter_host *host,
    const struct sieve_limits *limits, struct arena *a);
/* Whether a further script would run. */
bool sieve_chain_goes_on(const struct sieve_chain *c);
/* Runs it, if the chain goes on.  -1: it failed, *error. */
int sieve_chain_run(struct sieve_chain *c, const struct sieve_script *s, struct sieve_error *error);
/* After all of them have discarded the message: one more script runs, and its implicit keep is to discard. */
int sieve_chain_run_discard(struct sieve_chain *c, const struct sieve_script *s, struct sieve_error *error);
/* The message is kept after all. */
void sieve_chain_keep(struct sieve_chain *c);
/* All actions, the keep among them.  -1: no memory for it. */
int sieve_chain_end(struct sieve_chain *c, struct filter_action **out);
#endif
