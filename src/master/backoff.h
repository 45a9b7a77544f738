/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MASTER_BACKOFF_H
#define CULVER_MASTER_BACKOFF_H
/*
 * When a process that died is started again: at once the first time, so that a mailbox serves again within the second;
 * then later and later, so that one that can not live costs nothing.
 */
struct backoff {
	unsigned deaths;	/* in a row, each soon after its start */
};

#define BACKOFF_MAX 60.		/* seconds */
#define BACKOFF_LIVED 10.	/* who lived that long starts with a clean slate */

/* Seconds to wait after a death; lived: how long the process had run. */
double backoff_after(struct backoff *b, double lived);
#endif
