/* SPDX-License-Identifier: MIT */
#include "lib-deliver/queue-client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/stream.h"
#include "lib-deliver/queue-head.h"

#define TIMEOUT_MS 30000
#define ANSWER_MAX 512

int
queue_connect(const struct set_view *view, struct err *e)
{
	const struct timeval patience = { .tv_sec = TIMEOUT_MS / 1000 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%.*s/" QUEUE_SOCKET, SPAN_ARG(set_str(view, SET_base_dir))), fd;

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(e, ERR_LIMIT, "base_dir is too long for a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(e, "socket");
	/* A queue that does not accept must not be waited for without end either. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1) {
		err_errno(e, "the queue at %s", sa.sun_path);
		close(fd);
		return -1;
	}
	return fd;
}

static int
exchange(struct stream *s, const struct queue_head *head, const struct outgoing *o, struct err *e)
{
	struct buf text = BUF_INIT(QUEUE_HEAD_MAX);
	struct queue_head again;
	struct span line;
	size_t used;

	queue_head_write(&text, head);
	/* An address of a script, or of the command line of culver-lda, with a line end in it would be another head. */
	if (text.failed || queue_head_parse(buf_span(&text), &again, &used) != 1 || used != text.n) {
		buf_clear(&text);
		return err_set(e, ERR_SYNTAX, "an address of the envelope is none");
	}
	stream_put(s, buf_span(&text));
	buf_clear(&text);
	for (size_t i = 0; i < o->part_count; i++)
		stream_put(s, o->parts[i]);
	if (stream_line(s, ANSWER_MAX, &line, e) == -1)
		return err_wrap(e, "the queue");
	if (!span_starts(line, SPAN("OK ")))
		return err_set(e, ERR_TEMP, "the queue: %.*s", SPAN_ARG(span_sub(line, 0, 200)));
	return 0;
}

int
queue_submit(void *ctx, const struct outgoing *o, struct err *e)
{
	const struct queue_head head = { .kind = o->kind, .user = o->user, .sender = o->sender, .recipient = o->recipient,
					 .keep_for = o->keep_for, .dsn = o->dsn, .size = outgoing_size(o) };
	struct stream s;
	int fd = queue_connect(ctx, e), rc;

	if (fd == -1)
		return -1;
	stream_init_fd(&s, fd, ANSWER_MAX, TIMEOUT_MS);
	rc = exchange(&s, &head, o, e);
	stream_clear(&s);
	close(fd);
	return rc;
}
