/* SPDX-License-Identifier: MIT */
/*
 * Any rcfile on any message (a line of "%%" between them) with a host that does nothing, twice with the same cache: both runs
 * come to the same, and within their limits.
 */
#include <stdlib.h>
#include "lib-filter/procmail/cache.h"
#include "lib-filter/procmail/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	(void)dir;
	if (!span_eq(name, SPAN("rc")))
		return err_set(e, ERR_NOTFOUND, "none");
	buf_add(out, *(struct span *)ctx);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), rc, settings[] = { SPAN("VERBOSE=yes"), SPAN("LOGABSTRACT=all") };
	struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;
	struct procmail_host host = { .ctx = &rc, .read = on_read };
	struct procmail_request r = { .rc_names = SPAN("rc"), .user = SPAN("bob"), .home = SPAN("/home/bob"), .host_name = SPAN("mx"),
		.inbox = SPAN("mailbox:INBOX"), .dir = SPAN("/home/bob"), .settings = settings, .setting_count = 2 };
	struct procmail_result result, first = { .exit_code = 0 };
	struct err e = ERR_INIT;
	size_t at = span_find(in, SPAN("\n%%\n"));

	rc = at == SIZE_MAX ? in : span_sub(in, 0, at + 1);
	r.text = at == SIZE_MAX ? SPAN("Subject: x\n\nbody\n") : span_from(in, at + 4);
	limits.steps = 2000;
	limits.match_work = 1000000;
	limits.memory = (size_t)8 << 20;
	limits.clones = 10;
	r.cache = procmail_cache_new((size_t)1 << 20);
	for (unsigned i = 0; r.cache != NULL && i < 2; i++) {
		if (procmail_run(&r, &host, &limits, &result, &e) == -1)
			break;
		buf_clear(&result.folder);
		/* What is warm needs less work, so it may come further. */
		if (i > 0 && result.problems == first.problems && (result.delivered != first.delivered || result.exit_code != first.exit_code))
			abort();
		first = result;
	}
	procmail_cache_free(r.cache);
	return 0;
}
