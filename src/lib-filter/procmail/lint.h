/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_LINT_H
#define CULVER_LIB_FILTER_PROCMAIL_LINT_H
/*
 * What a reader of an rcfile should know before mail depends on it: what could not be understood, and what is done otherwise
 * than procmail does it (doc/procmail.md, "Differences on purpose").  Nothing is run, and nothing is read: files that are
 * included are the caller's to read.
 */
#include "lib-filter/procmail/rc.h"

struct procmail_lint_host {
	void *ctx;
	/* text is valid during the call. */
	void (*found)(void *ctx, bool is_error, unsigned line, const char *text);
	/* INCLUDERC and SWITCHRC, where the name can be known: as it is written, with variables replaced.  May be NULL. */
	void (*include)(void *ctx, unsigned line, struct span name);
	struct span home, user;		/* $HOME, $LOGNAME */
	bool no_programs;		/* the settings let recipes run none */
};

/* The variables that are known go on from one file to the next. */
struct procmail_lint;

/* NULL: no memory.  What host points to must stay. */
struct procmail_lint *procmail_lint_new(const struct procmail_lint_host *host);
void procmail_lint_free(struct procmail_lint *l);	/* NULL is fine */
void procmail_lint_run(struct procmail_lint *l, const struct procmail_rc *rc);
/* What is known of $MAILDIR, which relative names are relative to; empty: nothing. */
struct span procmail_lint_dir(const struct procmail_lint *l);
#endif
