/* SPDX-License-Identifier: MIT */
#include "adm/progress.h"

#include <stdio.h>
#include <unistd.h>
#include "lib/sys.h"

#define BAR_CELLS 30

void
progress_begin(struct progress *p, const char *what, uint64_t total)
{
	*p = (struct progress){ .what = what, .total = total, .began_ms = clock_ms(), .on = isatty(STDERR_FILENO) == 1 };
}

static void
draw(struct progress *p, int64_t now)
{
	uint64_t seconds = (uint64_t)(now - p->began_ms) / 1000;
	char bar[BAR_CELLS + 1];
	size_t full;

	p->drawn_ms = now;
	p->drawn = true;
	if (p->total == 0) {
		fprintf(stderr, "\r\033[K%s: %llu", p->what, (unsigned long long)p->done);
		return;
	}
	full = (size_t)(p->done >= p->total ? BAR_CELLS : p->done * BAR_CELLS / p->total);
	for (size_t i = 0; i < BAR_CELLS; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_CELLS] = '\0';
	fprintf(stderr, "\r\033[K%s: [%s] %llu/%llu", p->what, bar, (unsigned long long)p->done,
	    (unsigned long long)p->total);
	if (p->done > 0 && p->done < p->total && seconds > 0)
		fprintf(stderr, " %llu s left", (unsigned long long)(seconds * (p->total - p->done) / p->done));
}

void
progress_step(struct progress *p, uint64_t done)
{
	int64_t now;

	p->done = done;
	if (!p->on)
		return;
	now = clock_ms();
	if (now - p->began_ms >= 500 && now - p->drawn_ms >= 100)
		draw(p, now);
}

void
progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->on = false;
}
