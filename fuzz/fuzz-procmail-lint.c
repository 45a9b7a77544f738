/* SPDX-License-Identifier: MIT */
/* Any rcfile: what is told of it is one line each, and of a line that it has. */
#include <stdlib.h>
#include "lib-filter/procmail/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned lines;
	size_t octets;
};

static void
on_found(void *ctx, bool is_error, unsigned line, const char *text)
{
	const struct seen *s = ctx;

	(void)is_error;
	if (line > s->lines || text[0] == '\0' || strchr(text, '\n') != NULL)
		abort();
}

static void
on_include(void *ctx, unsigned line, struct span name)
{
	const struct seen *s = ctx;

	if (line > s->lines || name.n == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = { .lines = 1, .octets = size };
	const struct procmail_lint_host host = { .ctx = &seen, .found = on_found, .include = on_include,
						 .home = SPAN("/home/bob"), .user = SPAN("bob"), .no_programs = size % 2 == 0 };
	struct arena *a = arena_new((size_t)64 << 20);
	struct procmail_lint *l = procmail_lint_new(&host);
	const struct procmail_rc *rc;

	for (size_t i = 0; i < size; i++)
		seen.lines += data[i] == '\n';
	if (a != NULL && l != NULL && (rc = procmail_rc_parse(span_of(data, size), a)) != NULL)
		procmail_lint_run(l, rc);
	procmail_lint_free(l);
	arena_free(a);
	return 0;
}
