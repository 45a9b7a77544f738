/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_SIEVE_RIG_H
#define CULVER_TESTS_SIEVE_RIG_H
/* A script, a message, and a host that is a table: what is to be done, as text. */
#include "lib/buf.h"
#include "lib-filter/sieve/script.h"

#define RIG_NOW 1700000000		/* Tue, 14 Nov 2023 22:13:20 +0000 */

struct sieve_rig {
	const char *mail;
	size_t mail_size;			/* 0: mail is a string */
	const char *const (*settings)[2];	/* up to { NULL } */
	const char *lists;			/* "name=value,value;name=..." */
	const char *program_output;		/* what each program writes; NULL: its input */
	int program_status;
	unsigned timeout;			/* of the last program */
	bool no_programs;
	struct span ran;			/* the last one: "path arg arg < input" */
	struct span logged;			/* lines that scripts have logged */
	struct filter_message envelope;		/* all but the message itself */
	struct sieve_limits limits;
	const struct filter_host *host;		/* set by the run */

	struct arena *a;
	struct filter_action *actions;		/* of the last run: the script itself is gone */
	struct sieve_error error;
};

void rig_init(struct sieve_rig *rig, const char *mail);
void rig_clear(struct sieve_rig *rig);
/* Appends what they are: "save X; keep", "nothing". */
void rig_put_actions(struct buf *out, const struct filter_action *actions);
/* "save X; keep", "line 3: why", "failed at line 3: why: keep". */
struct span rig_run(struct sieve_rig *rig, const char *script);
/* The message that the action of that number stores or sends. */
struct span rig_message(const struct sieve_rig *rig, size_t idx);
const struct filter_action *rig_action(const struct sieve_rig *rig, size_t idx);

/* Runs script and compares: the line it prints for a difference has both. */
struct rig_case {
	const char *script, *want;
};
/* How many are different. */
size_t rig_cases(struct sieve_rig *rig, const struct rig_case *cases, size_t n);
#endif
