/* SPDX-License-Identifier: MIT */
#include "lib/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_HIGH (128 * 1024)	/* flush from here on */
#define RESERVE_MAX (64 * 1024)
#define READ_SIZE 8192

void
stream_init_fd(struct stream *s, int fd, size_t in_max, int timeout_ms)
{
	memset(s, 0, sizeof(*s));
	s->in_fd = s->out_fd = fd;
	buf_init(&s->in, in_max);
	buf_init(&s->out, OUT_HIGH + RESERVE_MAX);
	s->read_timeout_ms = s->write_timeout_ms = timeout_ms;
}

void
stream_init_mem(struct stream *s, struct span script, size_t in_max, size_t out_max)
{
	stream_init_fd(s, -1, in_max, -1);
	s->script = script;
	s->script_step = script.n;
	s->out.max = out_max;
}

void
stream_clear(struct stream *s)
{
	buf_wipe(&s->in);
	buf_clear(&s->out);
	s->in_pos = 0;
}

void
stream_drop(struct stream *s, size_t n)
{
	s->in_pos += n;
	if (s->in_pos == s->in.n) {
		s->in.n = 0;
		s->in_pos = 0;
	}
}

void
stream_unread(struct stream *s, struct span bytes)
{
	struct buf whole = BUF_INIT(s->in.max);

	buf_add(&whole, bytes);
	buf_add(&whole, stream_in(s));
	buf_clear(&s->in);
	s->in = whole;
	s->in_pos = 0;
}

/* Waits until fd is ready for events: 1, 0 at the end of the time, -1. */
static int
wait_fd(int fd, short events, int timeout_ms, struct err *e)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int rc;

	do
		rc = poll(&pfd, 1, timeout_ms);
	while (rc == -1 && errno == EINTR);
	return rc == -1 ? err_errno(e, "poll") : rc;
}

/* Room for one read, without going over in_max. */
static int
make_room(struct stream *s, size_t *room_out, struct err *e)
{
	size_t want;

	if (s->in_pos > 0) {
		buf_drop(&s->in, s->in_pos);
		s->in_pos = 0;
	}
	want = s->in.max - s->in.n < READ_SIZE ? s->in.max - s->in.n : READ_SIZE;
	if (want == 0)
		return err_set(e, ERR_LIMIT, "more than %zu octets unread", s->in.max);
	if (!buf_grow(&s->in, s->in.n + want)) {
		s->in.failed = false;
		return err_set(e, ERR_TEMP, "out of memory");
	}
	*room_out = want;
	return 0;
}

static int
fill_mem(struct stream *s, size_t room, struct err *e)
{
	size_t n = s->script.n < room ? s->script.n : room;

	if (n > s->script_step)
		n = s->script_step;
	if (n == 0) {
		s->eof = true;
		return err_set(e, ERR_EOF, "end of script");
	}
	memcpy(s->in.p + s->in.n, s->script.p, n);
	s->in.n += n;
	s->in_octets += n;
	s->script = span_from(s->script, n);
	return 0;
}

int
stream_fill(struct stream *s, struct err *e)
{
	size_t room = 0;
	ssize_t n;
	int rc;

	if (stream_flush(s, e) == -1 || make_room(s, &room, e) == -1)
		return -1;
	if (s->on_wait != NULL)
		s->on_wait(s->ctx);
	if (s->eof)
		return err_set(e, ERR_EOF, "connection closed");
	if (s->in_fd == -1)
		return fill_mem(s, room, e);
	for (;;) {
		n = recv(s->in_fd, s->in.p + s->in.n, room, MSG_DONTWAIT);
		if (n == -1 && errno == ENOTSOCK)
			n = read(s->in_fd, s->in.p + s->in.n, room);
		if (n > 0) {
			s->in.n += (size_t)n;
			s->in_octets += (uint64_t)n;
			return 0;
		}
		if (n == 0 || errno == ECONNRESET || errno == EPIPE) {
			s->eof = true;
			return err_set(e, ERR_EOF, "connection closed");
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_errno(e, "read");
		rc = wait_fd(s->in_fd, POLLIN, s->read_timeout_ms, e);
		if (rc == 0)
			return err_set(e, ERR_TIMEOUT, "no input for %d ms", s->read_timeout_ms);
		if (rc == -1)
			return -1;
	}
}

int
stream_line(struct stream *s, size_t max, struct span *line_out, struct err *e)
{
	size_t looked = 0;

	for (;;) {
		struct span in = stream_in(s);
		size_t i = looked + span_chr(span_from(in, looked), '\n');

		if (i < in.n) {
			stream_drop(s, i + 1);
			if (i > 0 && in.p[i - 1] == '\r')
				i--;
			*line_out = span_of(in.p, i);
			return 0;
		}
		if (in.n >= max)
			return err_set(e, ERR_LIMIT, "line of more than %zu octets", max);
		looked = in.n;
		if (stream_fill(s, e) == -1)
			return -1;
	}
}

int
stream_wait(struct stream *s, int other_fd, int timeout_ms, struct err *e)
{
	struct pollfd pfd[2] = { { .fd = s->in_fd, .events = POLLIN }, { .fd = other_fd, .events = POLLIN } };
	int rc;

	if (stream_flush(s, e) == -1)
		return -1;
	if (stream_in(s).n > 0 || s->eof || s->in_fd == -1)
		return 1;
	do
		rc = poll(pfd, 2, timeout_ms);
	while (rc == -1 && errno == EINTR);
	if (rc == -1)
		return err_errno(e, "poll");
	return pfd[0].revents != 0 ? 1 : pfd[1].revents != 0 ? 2 : 0;
}

static int
send_all(struct stream *s, struct span bytes, struct err *e)
{
	while (bytes.n > 0) {
		ssize_t n = send(s->out_fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		int rc;

		if (n == -1 && errno == ENOTSOCK)
			n = write(s->out_fd, bytes.p, bytes.n);
		if (n >= 0) {
			bytes = span_from(bytes, (size_t)n);
			s->out_octets += (uint64_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET)
			return err_set(e, ERR_EOF, "connection closed");
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_errno(e, "write");
		rc = wait_fd(s->out_fd, POLLOUT, s->write_timeout_ms, e);
		if (rc == 0)
			return err_set(e, ERR_TIMEOUT, "peer takes no output for %d ms", s->write_timeout_ms);
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
stream_flush(struct stream *s, struct err *e)
{
	if (s->failed)
		return err_set(e, ERR_EOF, "connection closed");
	if (s->out_fd == -1) {
		s->failed = s->out.failed;
		return s->failed ? err_set(e, ERR_LIMIT, "output over its limit") : 0;
	}
	if (s->out.n > 0 && send_all(s, buf_span(&s->out), e) == -1) {
		s->failed = true;
		s->out.n = 0;
		return -1;
	}
	s->out.n = 0;
	return 0;
}

static void
flush_if_full(struct stream *s, size_t more)
{
	struct err e = ERR_INIT;

	if (s->out_fd != -1 && s->out.n > 0 && more > OUT_HIGH - (s->out.n < OUT_HIGH ? s->out.n : OUT_HIGH))
		stream_flush(s, &e);	/* a failure sticks in s->failed */
}

void
stream_put(struct stream *s, struct span bytes)
{
	struct err e = ERR_INIT;

	flush_if_full(s, bytes.n);
	if (s->failed)
		return;
	if (s->out_fd != -1 && bytes.n > OUT_HIGH) {
		s->failed = send_all(s, bytes, &e) == -1;
		return;
	}
	buf_add(&s->out, bytes);
	if (s->out.failed)
		s->failed = true;
}

void
stream_puts(struct stream *s, const char *text)
{
	stream_put(s, span_str(text));
}

void
stream_putf(struct stream *s, const char *fmt, ...)
{
	va_list ap;

	flush_if_full(s, RESERVE_MAX);
	if (s->failed)
		return;
	va_start(ap, fmt);
	buf_addv(&s->out, fmt, ap);
	va_end(ap);
	if (s->out.failed)
		s->failed = true;
}

void
stream_put_u64(struct stream *s, uint64_t v)
{
	flush_if_full(s, 20);
	if (!s->failed)
		buf_add_u64(&s->out, v);
}

char *
stream_reserve(struct stream *s, size_t size)
{
	flush_if_full(s, size);
	if (s->failed || size > RESERVE_MAX || !buf_grow(&s->out, s->out.n + size)) {
		s->failed = true;
		return NULL;
	}
	return s->out.p + s->out.n;
}

void
stream_commit(struct stream *s, size_t n)
{
	s->out.n += n;
}
