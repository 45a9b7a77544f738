/* SPDX-License-Identifier: MIT */
/*
 * procmail-run [NAME=value ...] RCFILE: the recipes on the message of standard input, with files and programs as they are,
 * so that what comes of it can be compared with what procmail(1) makes of the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib-deliver/procmail-host.h"
#include "lib/sys.h"

static void
on_log(void *ctx, struct span text)
{
	(void)ctx;
	fprintf(stderr, "%.*s", SPAN_ARG(text));
}

static int
on_save(void *ctx, struct span mailbox, struct span text, struct err *e)
{
	(void)ctx;
	(void)e;
	printf("mailbox %.*s: %zu octets\n", SPAN_ARG(mailbox), text.n);
	return 0;
}

int
main(int argc, char **argv)
{
	struct procmail_files files = { .log = on_log, .save = on_save, .programs = true, .no_sync = true };
	struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;
	struct procmail_request r = { .shell = SPAN("/bin/sh") };
	struct procmail_result result;
	struct procmail_host host;
	struct buf text = BUF_INIT((size_t)1 << 30);
	struct span settings[64];
	struct err e = ERR_INIT;
	char dir[4096];

	r.settings = settings;
	for (int i = 1; i < argc; i++)
		if (span_chr(span_str(argv[i]), '=') < strlen(argv[i]) && r.setting_count < 64)
			settings[r.setting_count++] = span_str(argv[i]);
		else
			r.rc_names = span_str(argv[i]);
	if (r.rc_names.n == 0 || fd_read_all(0, text.max, &text, &e) == -1 || getcwd(dir, sizeof(dir)) == NULL) {
		fprintf(stderr, "usage: procmail-run [NAME=value ...] RCFILE <message\n");
		return 64;
	}
	r.text = buf_span(&text);
	r.home = span_str(getenv("HOME"));
	r.user = span_str(getenv("LOGNAME"));
	r.dir = span_str(dir);
	r.host_name = span_str(host_name());
	r.process = (unsigned)getpid();
	procmail_files_host(&files, &host);
	if (procmail_run(&r, &host, &limits, &result, &e) == -1) {
		fprintf(stderr, "%s\n", e.log);
		return 75;
	}
	buf_clear(&result.folder);
	buf_clear(&text);
	return result.exit_code;
}
