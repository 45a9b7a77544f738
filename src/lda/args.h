/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LDA_ARGS_H
#define CULVER_LDA_ARGS_H
/* The command line of culver-lda, and what it finds at the start of the message. */
#include "lib/span.h"

#define LDA_OVERRIDES 64

struct lda_args {
	const char *config, *user, *sender, *original, *recipient, *mailbox, *path;
	const char *overrides[LDA_OVERRIDES];
	size_t override_count;
	bool help;
	bool tells_rejection;	/* -e: a refusal's reason goes to standard error, for the MTA's bounce */
};

/* 0, or -1 with the mistake in why (for standard error). */
int lda_args_parse(int argc, char *const *argv, struct lda_args *out, char *why, size_t room);

/*
 * A "From sender date" line, as sendmail and procmail put one in front, is no part of the message: it is cut off.  Its
 * sender; empty when there is none.
 */
struct span lda_from_line(struct span *message);
#endif
