/* SPDX-License-Identifier: MIT */
/*
 * What recipes cost a message, without files and programs: procmail-bench [RCFILE [MESSAGE [runs]]].  Without arguments thirty
 * recipes of the usual kind, none of which matches, and a message of 4 KB.  Times are this process's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lib-filter/procmail/cache.h"
#include "lib-filter/procmail/run.h"
#include "lib/sys.h"

static struct buf rc = { .max = (size_t)1 << 20 }, message = { .max = (size_t)1 << 30 };

static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	(void)ctx;
	(void)dir;
	(void)name;
	(void)e;
	buf_add(out, buf_span(&rc));
	return 0;
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	(void)ctx;
	(void)e;
	buf_add(out, d->names[0]);
	return 0;
}

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
make_input(void)
{
	static const char *const fields[] = { "From", "Sender", "List-Id", "Subject", "X-Mailer" };

	for (unsigned i = 0; i < 30; i++)
		buf_addf(&rc, ":0%s\n* ^%s:.*(list%u|other%u)@example\\.(org|net)\n%s.lists/%u/\n\n", i % 3 == 0 ? ":" : "", fields[i % 5],
		    i, i, i % 7 == 0 ? "" : "$HOME/", i);
	buf_adds(&message, "From ann@example.org Sat Nov 28 05:33:20 2026\n");
	for (unsigned i = 0; i < 6; i++)
		buf_addf(&message, "Received: from mail%u.example.org (mail%u.example.org [192.0.2.%u])\n"
		    "\tby mx.example.com (Postfix) with ESMTPS id 4Fz%uxyz for <bob@example.com>;\n\tSat, 28 Nov 2026 05:33:1%u +0000\n", i, i, i, i, i);
	buf_adds(&message, "From: Ann Example <ann@example.org>\nTo: Bob <bob@example.com>\nSubject: about the thing of last week\n"
	    "Message-ID: <20261128053320.12345@example.org>\nList-Id: <talk.example.org>\nX-Mailer: something 1.0\n\n");
	while (message.n < 4096)
		buf_adds(&message, "A line of the body, as they are: neither short nor long.\n");
}

int
main(int argc, char **argv)
{
	struct procmail_host host = { .read = on_read, .deliver = on_deliver };
	struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;
	struct procmail_request r = { .rc_names = SPAN("rc"), .user = SPAN("bob"), .home = SPAN("/home/bob"), .host_name = SPAN("mx"),
		.inbox = SPAN("mailbox:INBOX"), .dir = SPAN("/home/bob") };
	unsigned runs = argc > 3 ? (unsigned)atoi(argv[3]) : 10000;
	struct procmail_result result = { .exit_code = 0 };
	struct err e = ERR_INIT;

	if (argc > 1 && file_read(argv[1], rc.max, &rc, &e) == -1)
		fprintf(stderr, "%s\n", e.log);
	if (argc > 2 && file_read(argv[2], message.max, &message, &e) == -1)
		fprintf(stderr, "%s\n", e.log);
	if (argc == 1)
		make_input();
	r.text = buf_span(&message);
	for (unsigned kept = 0; kept < 2; kept++) {
		double begin = cpu_us();
		unsigned count = kept ? runs : runs / 20 + 1;

		r.cache = kept ? procmail_cache_new(PROCMAIL_CACHE_OCTETS) : NULL;
		for (unsigned i = 0; i < count; i++) {
			if (procmail_run(&r, &host, &limits, &result, &e) == -1)
				return 1;
			if (i + 1 < count)
				buf_clear(&result.folder);
		}
		printf("%s: %.1f us a message; to %.*s\n", kept ? "compiled before" : "compiled each time", (cpu_us() - begin) / count,
		    SPAN_ARG(buf_span(&result.folder)));
		buf_clear(&result.folder);
		procmail_cache_free(r.cache);
	}
	buf_clear(&rc);
	buf_clear(&message);
	return 0;
}
