/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_LOCATION_H
#define CULVER_LIB_STORAGE_LOCATION_H
/*
 * mail_location: "maildir:~/Maildir:INBOX=~/Maildir/.INBOX:INDEX=/var/index/bob:CONTROL=...:LAYOUT=fs".  A ':' that belongs
 * to a path is written twice.  The options:
 *
 *	INBOX=path INDEX=path CONTROL=path	elsewhere than below the root
 *	INDEXPVT=path	what is one user's alone of mail that several share
 *	LAYOUT=maildir++|fs	maildir++ for Maildir; fs for mbox
 *	DIRNAME=name	the mail of a folder is in this directory of it (LAYOUT=fs), so that folders may have any name
 *	FULLDIRNAME=name	the same, for what CONTROL= holds as well
 *	UTF-8		names on disk are in UTF-8, not in modified UTF-7
 *	SUBSCRIPTIONS=name	of the file
 *	NO-NOSELECT	no folder that is only the parent of others is left, or made, without one
 *	ALT= INDEXCACHE= ITERINDEX LISTINDEX= VOLATILEDIR= KEEP-NOSELECT
 *			without effect: the one index holds, and this is the default, what they are about; ALT is for dbox
 */
#include "lib/arena.h"
#include "lib/err.h"

struct location {
	struct span driver;			/* "maildir", "mbox" */
	/* Absolute, in the arena; NULL when not given. */
	const char *root, *inbox, *index, *index_pvt, *control;
	const char *dirname, *subscriptions;	/* names without '/'; NULL when not given */
	bool fs_layout, layout_given;
	bool full_dirname;			/* dirname is a level of control, too */
	bool utf8, no_noselect;
};

/* text: variables expanded.  home may be empty: then "~" is ERR_SYNTAX.  An option that is not known is ERR_SYNTAX. */
int location_parse(struct span text, struct span home, struct arena *a, struct location *out, struct err *e);
/* For an empty mail_location: looks for mail in the usual places of home, and of mbox files in /var/mail. */
int location_find(struct span user, struct span home, struct arena *a, struct location *out, struct err *e);
#endif
