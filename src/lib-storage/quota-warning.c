/* SPDX-License-Identifier: MIT */
/*
 * quota_warning: a limit that is crossed runs a program.  A process that serves mail executes nothing: it writes the
 * arguments to the socket of a service that does (src/script/), and does not wait for what comes of it.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/buf.h"
#include "lib/log.h"
#include "lib-config/script-request.h"
#include "lib-storage/quota-priv.h"

#define SEND_TIMEOUT_S 2

static bool
is_crossed(const struct quota_amount *at, const struct quota_amount *base, bool falls, uint64_t before, uint64_t after)
{
	int64_t n;

	if (!at->is_set || (at->is_percent && (!base->is_set || base->n == 0)))
		return false;
	n = quota_amount_of(at, base->n);
	if (n < 0)
		return false;
	return falls ? before >= (uint64_t)n && after < (uint64_t)n : before < (uint64_t)n && after >= (uint64_t)n;
}

bool
quota_warning_is_met(const struct quota_warning *w, const struct quota_limits *base, const struct quota_used *before,
    const struct quota_used *after)
{
	return is_crossed(&w->limits.bytes, &base->bytes, w->falls, before->bytes, after->bytes) ||
	    is_crossed(&w->limits.messages, &base->messages, w->falls, before->messages, after->messages);
}

static int
send_to(const struct quota *q, struct span name, struct span request, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = SEND_TIMEOUT_S };
	bool whole = name.n > 0 && name.p[0] == '/';
	int n, fd, rc = 0;
	ssize_t sent;

	n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%.*s%s%.*s", SPAN_ARG(whole ? SPAN("") : q->conf.base_dir),
	    whole ? "" : "/", SPAN_ARG(name));
	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(e, ERR_LIMIT, "the path is too long for a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(e, "socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1)
		rc = err_errno(e, "%s", sa.sun_path);
	for (size_t at = 0; rc == 0 && at < request.n; at += (size_t)sent) {
		sent = send(fd, request.p + at, request.n - at, MSG_NOSIGNAL);
		if (sent == -1 && errno == EINTR)
			sent = 0;
		else if (sent == -1)
			rc = err_errno(e, "%s", sa.sun_path);
	}
	close(fd);
	return rc;
}

static void
run(const struct quota *q, struct span command)
{
	struct buf request = BUF_INIT(SCRIPT_REQUEST_MAX);
	struct span rest = command, name, word;
	struct err e = ERR_INIT;

	if (!span_next(&rest, ' ', &name))
		return;
	script_request_begin(&request);
	while (span_next(&rest, ' ', &word))
		if (word.n > 0)
			script_request_add(&request, word);
	script_request_end(&request);
	if (request.failed)
		err_set(&e, ERR_LIMIT, "too many arguments");
	else
		send_to(q, name, buf_span(&request), &e);
	if (e.code != ERR_NONE)
		log_error("quota_warning %.*s: %s", SPAN_ARG(command), e.log);
	else
		log_debug("quota_warning %.*s", SPAN_ARG(command));
	buf_clear(&request);
}

/* One at most: the first that is met, so the highest limit stands first. */
void
quota_warn(const struct quota *q, const struct quota_root *r, const struct quota_used *before,
    const struct quota_used *after)
{
	for (size_t i = 0; i < r->warning_count; i++) {
		if (!quota_warning_is_met(&r->warnings[i], &r->limits, before, after))
			continue;
		run(q, r->warnings[i].command);
		return;
	}
}
