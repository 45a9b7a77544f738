/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LDA_ARGS_H
#define CULVER_LDA_ARGS_H
/* The command line of culver-lda, and what it finds at the start of the message. */
#include "lib/arena.h"

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

/* An address of the command line, with or without angle brackets: it goes into a header.  Else *why_out is a few words. */
bool lda_address(struct span text, struct arena *a, struct span *out, const char **why_out);
/*
 * A sender: what MTAs hand on of it need not be an address, and is no reason to refuse the mail.  *out is empty for <> and for
 * MAILER-DAEMON, as Postfix's pipe(8) and "From " lines call nobody, and its p is NULL where the sender can not be told.  False:
 * there must be a mistake in the command line.
 */
bool lda_sender(struct span text, struct arena *a, struct span *out, const char **why_out);

/*
 * A "From sender date" line, as sendmail and procmail put one in front, is no part of the message: it is cut off.  Its
 * sender as it stands there; p is NULL when there is no such line.
 */
struct span lda_from_line(struct span *message);
#endif
