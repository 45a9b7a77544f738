/* SPDX-License-Identifier: MIT */
#include "lib-deliver/program-socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-config/script-request.h"

#define HEAD_MAX ((size_t)1 << 20)
#define WAITING_MS 200
#define BUSY_MS 50		/* until a socket that has no room for more clients is tried again */
#define CHUNK 16384
#define END_OCTETS 2		/* "+\n" or "-\n", behind what the program wrote */
#define SLACK_MS 500		/* the service ends what takes too long, and can say so still */

struct talk {
	const struct program_request *r;
	const char *path;
	struct buf *out;
	int64_t deadline;
	int fd;
	struct span parts[2];		/* what is still to be sent: the request, the input */
	bool sent, unread;		/* unread: the other side wants no more of it */
	char end[END_OCTETS];		/* the last octets that came */
	size_t end_n;
};

static int
too_late(const struct talk *t, struct err *e)
{
	return err_set(e, ERR_TIMEOUT, "%s: the program took too long", t->path);
}

/* 1: something can be done; 0: not yet. */
static int
wait_for(struct talk *t, short events, int ms, struct err *e)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int64_t left = t->deadline - clock_ms();
	int rc;

	if (left <= 0)
		return too_late(t, e);
	if (left < ms)
		ms = (int)left;
	rc = poll(&p, events == 0 ? 0 : 1, ms);
	if (rc == -1 && errno != EINTR)
		return err_errno(e, "poll");
	if (rc <= 0 && t->r->waiting != NULL)
		t->r->waiting(t->r->waiting_ctx);
	return rc > 0;
}

static int
open_socket(struct talk *t, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(t->path);

	if (n >= sizeof(sa.sun_path))
		return err_set(e, ERR_LIMIT, "%s: the path is too long for a socket", t->path);
	memcpy(sa.sun_path, t->path, n);
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd == -1)
		return err_errno(e, "socket");
	while (connect(t->fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(e, ERR_NOTFOUND, "%s is not there", t->path);
		if (errno != EAGAIN && errno != EINTR)
			return err_errno(e, "%s", t->path);
		if (wait_for(t, 0, BUSY_MS, e) == -1)
			return -1;
	}
	return 0;
}

/* As much as goes; the end of it is told, since the program reads up to there. */
static int
put(struct talk *t, struct err *e)
{
	for (size_t i = 0; i < 2; i++) {
		struct span *s = &t->parts[i];

		while (s->n > 0) {
			ssize_t n = send(t->fd, s->p, s->n, MSG_NOSIGNAL);

			if (n == -1 && errno == EINTR)
				continue;
			if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
				return 0;
			if (n == -1 && errno != EPIPE && errno != ECONNRESET)
				return err_errno(e, "%s", t->path);
			t->unread = t->unread || n == -1;
			if (n == -1)
				break;
			*s = span_from(*s, (size_t)n);
		}
	}
	t->sent = true;
	if (!t->unread)
		(void)shutdown(t->fd, SHUT_WR);
	return 0;
}

/* All but the last octets is output. */
static void
take(struct talk *t, const char *p, size_t n)
{
	char both[CHUNK + END_OCTETS];
	size_t keep;

	memcpy(both, t->end, t->end_n);
	memcpy(both + t->end_n, p, n);
	n += t->end_n;
	keep = n < END_OCTETS ? n : END_OCTETS;
	memcpy(t->end, both + n - keep, keep);
	t->end_n = keep;
	if (t->r->output_max > 0)
		buf_add(t->out, span_of(both, n - keep));
}

/* 1: there is no more. */
static int
get(struct talk *t, struct err *e)
{
	char in[CHUNK];
	ssize_t n = recv(t->fd, in, sizeof(in), 0);

	if (n > 0) {
		take(t, in, (size_t)n);
		return 0;
	}
	if (n == 0)
		return 1;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	if (errno != ECONNRESET)
		return err_errno(e, "%s", t->path);
	t->unread = true;	/* which is what it means here */
	return 1;
}

static int
talk(struct talk *t, int *status, struct err *e)
{
	int rc = open_socket(t, e);

	while (rc == 0) {
		rc = wait_for(t, (short)(t->sent ? POLLIN : POLLIN | POLLOUT), WAITING_MS, e);
		if (rc != 1)
			continue;
		rc = t->sent ? 0 : put(t, e);
		if (rc == 0)
			rc = get(t, e);
	}
	if (rc == -1)
		return -1;
	if (t->end_n < END_OCTETS || t->end[1] != '\n' || (t->end[0] != '+' && t->end[0] != '-'))
		return err_set(e, ERR_EOF, "%s: the answer does not tell how the program ended", t->path);
	*status = t->end[0] == '+' ? 0 : 1;
	if (*status == 0 && t->unread && !t->r->ignore_write_errors)
		return err_set(e, ERR_EOF, "%s: the program did not read all of its input", t->path);
	return 0;
}

int
program_socket_run(const char *path, const struct program_request *r, struct buf *out, int *status, struct err *e)
{
	unsigned timeout = r->timeout == 0 ? PROGRAM_TIMEOUT : r->timeout;
	struct talk t = { .r = r, .path = path, .out = out, .fd = -1, .deadline = clock_ms() + (int64_t)timeout * 1000 + SLACK_MS };
	struct buf head = BUF_INIT(HEAD_MAX);
	int rc = 0;

	*status = 0;
	script_request_begin_answered(&head, timeout);
	for (size_t i = 1; rc == 0 && i < r->argc; i++) {
		/* An empty line would be the end. */
		if (r->argv[i].n == 0)
			rc = err_set(e, ERR_SYNTAX, "%s: an empty argument can not be given over a socket", path);
		script_request_add(&head, r->argv[i]);
	}
	script_request_end(&head);
	if (rc == 0 && head.failed)
		rc = err_set(e, ERR_LIMIT, "%s: the arguments are too long", path);
	t.parts[0] = buf_span(&head);
	t.parts[1] = r->input;
	if (rc == 0)
		rc = talk(&t, status, e);
	if (t.fd != -1)
		close(t.fd);
	buf_clear(&head);
	return rc;
}
