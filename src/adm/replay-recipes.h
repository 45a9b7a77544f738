/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_REPLAY_RECIPES_H
#define CULVER_ADM_REPLAY_RECIPES_H
/*
 * What procmail's recipes would make of a message: they run with a host that only writes down what they want.  Programs are not
 * run: a condition or a delivery by one counts as successful, a filter by one leaves the message as it is; each is told.
 */
#include "lib-deliver/deliver.h"

struct replay_recipes {
	const char *const *files;	/* rcfiles, all of them are run; NULL-terminated */
	struct span given;		/* the text of files[0] instead of what is read; p NULL: all are read */
	struct span user, home;
	const struct set_view *view;
	struct span place;		/* where mail goes without recipes: INBOX */
};

/*
 * The actions for r's message, in a; what is left where it would be without recipes is a FILTER_SAVE with `keep'.  *why_out:
 * what went wrong besides; NULL: nothing.  -1: ERR_TEMP.
 */
int replay_recipes_run(const struct replay_recipes *x, const struct deliver_request *r, struct arena *a,
    struct filter_action **out, const char **why_out, struct err *e);
#endif
