/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPES_H
#define CULVER_LIB_DELIVER_RECIPES_H
/*
 * A user's procmail recipes (doc/procmail.md), where mail_plugins has procmail.  They come before Sieve: what they leave where
 * mail goes without them (DEFAULT is mailbox:INBOX at first) is given to the rest of the delivery, a Sieve script or the plain
 * saving.  What they have parsed and compiled stays from one message to the next.
 */
#include "lib-deliver/host.h"
#include "lib-deliver/program.h"
#include "lib-filter/procmail/run.h"

struct deliver_recipes;

/* How mail is delivered that recipes leave where it would be without them.  r's message may be another than the one that came. */
typedef int deliver_rest(const struct deliver_request *r, struct deliver_host *host, struct deliver_result *out, struct err *e);

bool deliver_recipes_are_on(const struct set_view *view);

/* The files of procmail_rc, in a, whether they are there or not; NULL-terminated. */
int deliver_recipes_files(const struct set_view *view, struct span user, struct span home, struct arena *a,
    const char *const **out, struct err *e);

/* What recipes run with: their limits, $SENDMAIL, and NAME=value, of which there are as many as it says. */
#define DELIVER_RECIPES_VARIABLES 5
struct procmail_limits deliver_recipes_limits(const struct set_view *view);
struct span deliver_recipes_sendmail(const struct set_view *view);
size_t deliver_recipes_variables(const struct deliver_request *r, struct span detail, struct arena *a,
    struct span out[DELIVER_RECIPES_VARIABLES]);

/*
 * Starts the process that runs programs, where these settings want one: before the asking process shuts itself in, and by
 * `become' (program.h) as the user.  out->sock is -1 where there is none.
 */
int deliver_recipes_start_helper(const struct set_view *view, program_become *become, void *ctx, struct program_helper *out,
    struct err *e);

/*
 * helper must live as long.  NULL with no error: recipes are not switched on.  NULL with an error: something is wrong with
 * the settings.
 */
struct deliver_recipes *deliver_recipes_new(const struct set_view *view, struct span user, struct span home,
    const struct program_helper *helper, struct err *e);
void deliver_recipes_free(struct deliver_recipes *x);	/* NULL is fine */

/*
 * Runs them.  0: the message is delivered, or out has the refusal that they want.  -1: it could not be kept either.  What went
 * wrong besides is in the log and the journal, with file and line.
 */
int deliver_recipes_run(struct deliver_recipes *x, const struct deliver_request *r, struct deliver_host *host, deliver_rest *rest,
    struct deliver_result *out, struct err *e);

/* The process for programs has ended: who can start another should. */
bool deliver_recipes_lost_helper(const struct deliver_recipes *x);	/* NULL is fine */

/* What Landlock must allow: behind those of *rw and *ro (NULL-terminated), in a.  ERR_TEMP. */
int deliver_recipes_paths(const struct set_view *view, struct span user, struct span home, struct arena *a,
    const char *const **rw, const char *const **ro, struct err *e);
#endif
