/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_PROGRESS_H
#define CULVER_ADM_PROGRESS_H
/* A bar on standard error for work that takes longer than a moment; silent when that is not a terminal. */
#include "lib/span.h"

struct progress {
	const char *what;
	uint64_t total, done;
	int64_t began_ms, drawn_ms;
	bool on, drawn;
};

void progress_begin(struct progress *p, const char *what, uint64_t total);	/* total 0: unknown */
void progress_step(struct progress *p, uint64_t done);	/* draws at most ten times a second, after half a second */
void progress_end(struct progress *p);			/* clears the line */
#endif
