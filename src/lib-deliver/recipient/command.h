/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_COMMAND_H
#define CULVER_LIB_DELIVER_RECIPIENT_COMMAND_H
/* What stands behind the | of an alias or a .forward, as words: no shell reads it. */
#include "lib/arena.h"
#include "lib/err.h"

#define RECIPIENT_ARGUMENTS 100

/*
 * Words with white space between them; '...', "..." and \c take a character's meaning away.  An "exec" in front is passed over.
 * What only a shell could do (; & | < > $ ` ( ) * ? [ and a line end, outside of quotes; $ and ` in "...") is refused with
 * ERR_SYNTAX: it would be done differently from what is meant.  -1 also for ERR_LIMIT.
 */
int recipient_command_parse(struct span text, struct arena *a, struct span argv[RECIPIENT_ARGUMENTS], size_t *count_out,
    struct err *e);
#endif
