/* SPDX-License-Identifier: MIT */
/*
 * Stands in for the imap and pop3 parents where the tests are about the way to a session, not about mail: a session that
 * answers the login and then each line with what it knows of itself.  Called "imap" or "pop3".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/stream.h"
#include "lib-protocol/worker-parent.h"

static void
answer(struct stream *io, struct span line, const struct session_start *ss)
{
	if (span_ieq(line, SPAN("whoami")))
		stream_putf(io, "uid=%u gid=%u user=%.*s home=%.*s rip=%.*s secured=%d hub=%d\r\n", getuid(), getgid(),
			    SPAN_ARG(ss->id.user), SPAN_ARG(ss->id.home), SPAN_ARG(ss->rip), ss->secured, ss->hub_fd != -1);
	else if (span_ieq(line, SPAN("crash")))
		abort();
	else if (span_ieq(line, SPAN("bulk")))
		for (int i = 0; i < 1000000; i++)
			stream_putf(io, "%07d 0123456789 0123456789 0123456789 0123456789\r\n", i);
	else if (span_ieq(line, SPAN("warn")))
		log_warning("as it was asked to");
	stream_putf(io, "got %zu: %.*s\r\n", line.n, SPAN_ARG(line));
}

static int
serve(const struct session_start *ss)
{
	struct err e = ERR_INIT;
	struct stream io;
	struct span line;

	stream_init_fd(&io, ss->client_fd, 65536, 60000);
	stream_unread(&io, ss->preread);
	if (ss->tag.n > 0)
		stream_putf(&io, "%.*s OK Logged in\r\n", SPAN_ARG(ss->tag));
	else
		stream_puts(&io, "+OK Logged in.\r\n");
	while (stream_line(&io, 8192, &line, &e) == 0)
		answer(&io, line, ss);
	stream_puts(&io, worker_is_told_to_end() ? "* BYE told\r\n" : "* BYE end\r\n");
	stream_flush(&io, &e);
	log_info("Logged out");
	return 0;
}

int
main(int argc, char **argv)
{
	struct worker_parent_options o = { .serve = serve };
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	o.service = slash != NULL && strcmp(slash, "/pop3") == 0 ? "pop3" : "imap";
	return worker_parent_main(&o);
}
