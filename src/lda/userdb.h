/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LDA_USERDB_H
#define CULVER_LDA_USERDB_H
/* Who a recipient is: from the server's socket for user look-ups, in the language that MTAs speak with it too. */
#include "lib-protocol/identity.h"

/*
 * Asks at the socket `path` for user.  Strings go to the arena; groups are left out.  ERR_NOTFOUND: there is no such
 * user; ERR_TEMP, ERR_DENIED and the system's: ask again later.
 */
int userdb_ask(const char *path, struct span user, struct arena *a, struct identity *out, struct err *e);

/* One line of the answer, without its LF.  1: it was the answer; 0: another line; -1. */
int userdb_line(struct span line, struct arena *a, struct identity *out, struct err *e);
#endif
