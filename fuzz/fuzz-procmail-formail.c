/* SPDX-License-Identifier: MIT */
/* Any arguments (one a line, an empty line behind them) on any message: no output is larger than what went in and was asked for. */
#include <stdlib.h>
#include "lib-filter/procmail/formail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGUMENTS 20

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct formail_context c = { .now = 1795844000, .host_name = SPAN("mx"), .unique = 7 };
	struct span in = span_of(data, size), argv[ARGUMENTS], line;
	struct buf out = BUF_INIT((size_t)1 << 22);
	size_t argc = 0, asked = 0;
	enum formail_rc rc;

	while (argc < ARGUMENTS && span_next(&in, '\n', &line) && line.n > 0) {
		argv[argc++] = line;
		asked += line.n + 256;
	}
	rc = formail_run(argv, argc, in, &c, &out);
	if (rc != FORMAIL_DONE && rc != FORMAIL_NOBODY && rc != FORMAIL_FAILED && rc != FORMAIL_UNKNOWN)
		abort();
	/* A prefix for each line, a name in front of each field: bounded by the lines. */
	if ((rc == FORMAIL_DONE || rc == FORMAIL_NOBODY) && !out.failed && out.n > (in.n + 2) * (asked + 16) + 4096)
		abort();
	buf_clear(&out);
	return 0;
}
