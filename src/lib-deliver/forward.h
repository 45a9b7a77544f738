/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_FORWARD_H
#define CULVER_LIB_DELIVER_FORWARD_H
/*
 * A user's ~/.forward, where recipient_forward is on: a list of where mail goes instead of the mailbox (recipient/target.h).
 * It is read as the user, for each message; .forward+detail comes before .forward.  The user's own address in it, with a
 * backslash or without, is the rest of the delivery (recipes, a Sieve script, the plain saving): so is his name at any domain of
 * this server where auth takes domains off names.  A file that others could have written, or that is not understood, is not
 * used, which the log tells: mail goes where it would go without it.  One that can not be read now (ERR_TEMP) makes mail wait.
 */
#include "lib-deliver/recipes.h"
#include "lib-deliver/recipient/target.h"

struct deliver_forward;

/* In the environment of a .forward's programs: who delivers there for them does not ask the file again. */
#define DELIVER_FORWARD_ENV "CULVER_FORWARD"

bool deliver_forward_is_on(const struct set_view *view);

/* As deliver_recipes_start_helper(), for the programs of a .forward. */
int deliver_forward_start_helper(const struct set_view *view, struct program_helper *out, struct err *e);

/* helper must live as long.  NULL with no error: it is not switched on, or the user has no home. */
struct deliver_forward *deliver_forward_new(const struct set_view *view, struct span user, struct span home,
    const struct program_helper *helper, struct err *e);
void deliver_forward_free(struct deliver_forward *f);	/* NULL is fine */

/*
 * Does what the file says, what stays here first; rest alone where there is none.  What can not be done is told in the log, and
 * the message stays here then.  -1: it could not be kept either.
 */
int deliver_forward_run(struct deliver_forward *f, const struct deliver_request *r, struct deliver_host *host, deliver_rest *rest,
    struct deliver_result *out, struct err *e);

/* Whether a message would stay here, as far as the file tells: where all of it goes elsewhere no room is needed. */
bool deliver_forward_keeps(const struct deliver_forward *f, const struct deliver_request *r);

/* Whether an item of the user's file is his own mailbox: \bob or bob in bob's own file, or an address of his. */
bool deliver_forward_is_own(const struct deliver_request *r, struct span user, const struct recipient_target *t);

/* What Landlock must allow: behind those of *rw and *ro (NULL-terminated), in a.  ERR_TEMP. */
int deliver_forward_paths(const struct set_view *view, struct span home, struct arena *a, const char *const **rw,
    const char *const **ro, struct err *e);

/*
 * The list in a file of the home's, in a.  1; 0: there is none, or it is empty; -1: it is not to be used (*line_out, 0: not for
 * a line of it).  It must be a plain file of the user's or root's that nobody else may write, and so must be the directories
 * above it (or have the sticky bit).  What it includes is read in the same way, and stands in its place.
 */
int deliver_forward_read(struct span home, struct span name, uid_t uid, size_t max_targets, struct arena *a,
    struct recipient_targets *out, unsigned *line_out, struct err *e);
#endif
