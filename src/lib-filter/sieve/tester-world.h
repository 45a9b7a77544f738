/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_TESTER_WORLD_H
#define CULVER_LIB_FILTER_SIEVE_TESTER_WORLD_H
/* The world in which tests run: a host (filter.h) whose answers are all in memory.  What tester.c's words change. */
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/tester.h"

#define TESTER_ERRORS_MAX 100

struct tester_message {
	struct tester_message *next;
	struct span text, from, to;	/* from, to: of the envelope, of mail that was sent */
	struct span flags;		/* words with a space between */
};

struct tester_mailbox {
	struct tester_mailbox *next;
	struct span name, special_use, id;
	bool deleted;
	struct tester_message *messages;
};

struct tester_pair {			/* a setting, a METADATA entry, a binary, a mark */
	struct tester_pair *next;
	struct span mailbox, name, value;
	bool removed;
};

struct sieve_tester {
	const struct sieve_tester_io *io;
	struct arena *a;		/* of the whole run */
	struct filter_host host;
	struct sieve_extset available;	/* to the scripts that are tested */
	struct filter_message message;
	struct tester_mailbox *mailboxes;
	struct tester_message *sent;
	struct tester_pair *settings, *metadata, *binaries, *marks;
	struct span errors[TESTER_ERRORS_MAX];
	size_t error_count;
	struct sieve_script *script;	/* the last that was compiled; NULL: none */
	struct filter_action *result;	/* of the last that was run */
	bool has_result;		/* else the result is that of the test itself */
	const struct filter_action *done;	/* up to here it was executed */
	bool kept;
	/* the test at work */
	struct span test;
	char why[SIEVE_ERROR_MAX];	/* it has failed */
	unsigned line;
	struct sieve_tester_result count;
};

void tester_world_init(struct sieve_tester *t);
bool tester_pair_set(struct sieve_tester *t, struct tester_pair **list, struct span mailbox, struct span name, struct span value);
struct tester_pair *tester_pair_get(struct tester_pair *list, struct span mailbox, struct span name);
struct tester_mailbox *tester_mailbox_get(const struct sieve_tester *t, struct span name);
struct tester_mailbox *tester_mailbox_add(struct sieve_tester *t, struct span name);
/* The text with CRLF at the end of each line: mail as it comes.  p == NULL: no memory. */
struct span tester_mail_lines(struct sieve_tester *t, struct span text);
/* The message is this now, and the envelope what its header says. */
bool tester_set_message(struct sieve_tester *t, struct span text);
/* ${tst.NAME} in a test; false: there is none of that name. */
bool tester_variable(const struct sieve_tester *t, struct span name, struct span *out);
/* Does the actions.  1; 0: some could not be done, and the message was kept; -1: no memory. */
int tester_execute(struct sieve_tester *t, struct filter_action *actions);
void tester_error(struct sieve_tester *t, const char *text);
struct sieve_limits tester_limits(const struct sieve_tester *t);
#endif
