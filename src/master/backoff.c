/* SPDX-License-Identifier: MIT */
#include "master/backoff.h"

double
backoff_after(struct backoff *b, double lived)
{
	double wait = 0.1;

	if (lived >= BACKOFF_LIVED)
		b->deaths = 0;
	if (b->deaths++ == 0)
		return 0.;
	for (unsigned i = 2; i < b->deaths && wait < BACKOFF_MAX; i++)
		wait *= 2.;
	return wait < BACKOFF_MAX ? wait : BACKOFF_MAX;
}
