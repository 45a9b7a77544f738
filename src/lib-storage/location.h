/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_LOCATION_H
#define CULVER_LIB_STORAGE_LOCATION_H
/* mail_location: "maildir:~/Maildir:INBOX=~/Maildir/.INBOX:INDEX=/var/index/bob:CONTROL=...:LAYOUT=fs". */
#include "lib/arena.h"
#include "lib/err.h"

struct location {
	struct span driver;			/* "maildir" */
	const char *root, *inbox, *index, *control;	/* absolute, in the arena; NULL when not given (index: MEMORY too) */
	bool fs_layout;
};

/* text: variables expanded.  home may be empty: then "~" is ERR_SYNTAX.  An option that is not known is ERR_SYNTAX. */
int location_parse(struct span text, struct span home, struct arena *a, struct location *out, struct err *e);
/* For an empty mail_location: looks for mail in the usual places of home. */
int location_find(struct span home, struct arena *a, struct location *out, struct err *e);
#endif
