/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_VACATION_H
#define CULVER_LIB_FILTER_SIEVE_VACATION_H
/* What makes an automatic answer: whether there may be one, and its text. */
#include "lib-filter/sieve/run.h"

#define VACATION_ADDRESSES_MAX 200	/* of :addresses */

struct vacation {
	struct span reason, subject, from;	/* subject, from: p NULL: not given */
	struct span to;				/* the envelope's sender */
	bool mime;
	struct span own[VACATION_ADDRESSES_MAX + 60];	/* addresses of the user */
	size_t own_count;
	struct span matched;			/* the one of them that the message was sent to; p NULL: any will do */
};

/* NULL: the message may be answered; else why not.  Sets v->matched. */
const char *vacation_forbidden(struct sieve_run *r, const struct sieve_node *n, struct vacation *v);
/* The whole message, with CRLF line ends, in *out. */
int vacation_compose(struct sieve_run *r, const struct sieve_node *n, const struct vacation *v, struct span *out);
#endif
