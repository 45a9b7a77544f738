/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_NOTIFY_H
#define CULVER_LIB_FILTER_SIEVE_NOTIFY_H
/* What the two commands "notify" share: a notification by mail. */
#include "lib-filter/sieve/mailto.h"
#include "lib-filter/sieve/run.h"

struct sieve_notification {
	const struct mailto *to;
	struct span from;		/* of :from, with or without a name; empty: the postmaster */
	struct span message;		/* what :message says; p NULL: nothing */
	struct span importance;		/* "1" high, "2" usual, "3" low */
	struct span body;		/* p NULL: a line of ours */
	struct span id;			/* for "denotify"; p NULL: none */
	bool old;			/* of the command before RFC 5435, whose mark is not that of RFC 5436 */
};

/* Adds the actions that send it; *text_out: what they send, p NULL when nothing is sent. */
int sieve_notify_send(struct sieve_run *r, const struct sieve_node *n, const struct sieve_notification *x, struct span *text_out);
#endif
