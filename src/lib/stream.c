/* SPDX-License-Identifier: MIT */
#include "lib/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/sys.h"

#define OUT_HIGH (128 * 1024)	/* flush from here on */
#define RESERVE_MAX (64 * 1024)
#define READ_MIN 8192
#define READ_MAX 65536
#define OUT_KEPT 16384	/* what a session that waits may hold */

void
stream_init_fd(struct stream *s, int fd, size_t in_max, int timeout_ms)
{
	memset(s, 0, sizeof(*s));
	s->in_fd = s->out_fd = fd;
	buf_init(&s->in, in_max);
	s->in.secret = true;	/* commands carry passwords */
	buf_init(&s->out, OUT_HIGH + RESERVE_MAX);
	s->read_timeout_ms = s->write_timeout_ms = timeout_ms;
	s->read_size = READ_MIN;
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

static void
fail(struct stream *s, const struct err *e)
{
	if (!s->failed)
		s->why_failed = *e;
	s->failed = true;
}

void
stream_unread(struct stream *s, struct span bytes)
{
	struct span rest = stream_in(s);
	struct buf whole = BUF_INIT(s->in.max);

	/* These were taken in already: the limit is for what is to come. */
	if (bytes.n + rest.n > whole.max)
		whole.max = bytes.n + rest.n;
	whole.secret = true;
	buf_add(&whole, bytes);
	buf_add(&whole, rest);
	if (whole.failed) {
		buf_clear(&whole);
		fail(s, &(struct err){ ERR_TEMP, "out of memory" });
		return;
	}
	buf_clear(&s->in);
	s->in = whole;
	s->in_pos = 0;
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
	want = s->in.max - s->in.n < s->read_size ? s->in.max - s->in.n : s->read_size;
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

static int
wait_input(struct stream *s, struct err *e)
{
	int rc = fd_wait(s->in_fd, POLLIN, s->read_timeout_ms, e);

	return rc == 0 ? err_set(e, ERR_TIMEOUT, "no input for %d ms", s->read_timeout_ms) : rc;
}

int
stream_fill(struct stream *s, struct err *e)
{
	/* Who has just been answered has hardly asked again already: looking first would be a system call for nothing. */
	bool answered = s->in_fd != -1 && s->out.n > 0;
	size_t room = 0;
	ssize_t n;

	if (stream_flush(s, e) == -1 || make_room(s, &room, e) == -1)
		return -1;
	if (s->on_wait != NULL)
		s->on_wait(s->ctx);
	if (s->eof)
		return err_set(e, ERR_EOF, "connection closed");
	if (s->in_fd == -1)
		return fill_mem(s, room, e);
	if (answered && wait_input(s, e) == -1)
		return -1;
	for (;;) {
		n = recv(s->in_fd, s->in.p + s->in.n, room, MSG_DONTWAIT);
		if (n == -1 && errno == ENOTSOCK) {
			/* read() can not be told not to wait */
			if (wait_input(s, e) == -1)
				return -1;
			n = read(s->in_fd, s->in.p + s->in.n, room);
		}
		if (n > 0) {
			if (s->record != NULL)
				s->record(s->record_ctx, false, span_of(s->in.p + s->in.n, (size_t)n));
			s->in.n += (size_t)n;
			s->in_octets += (uint64_t)n;
			if ((size_t)n == s->read_size && s->read_size < READ_MAX)
				s->read_size *= 2;
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
		if (wait_input(s, e) == -1)
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

		if (i < in.n && i < max) {
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
	if (stream_flush(s, e) == -1)
		return -1;
	if (stream_in(s).n > 0 || s->eof || s->in_fd == -1)
		return 1;
	if (s->out_fd != -1 && s->out.cap > OUT_KEPT)
		buf_clear(&s->out);
	return fd_wait2(s->in_fd, POLLIN, other_fd, POLLIN, timeout_ms, e);
}

static int
send_all(struct stream *s, struct span bytes, struct err *e)
{
	if (s->record != NULL)
		s->record(s->record_ctx, true, bytes);
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
		rc = fd_wait(s->out_fd, POLLOUT, s->write_timeout_ms, e);
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
	if (s->failed) {
		*e = s->why_failed;
		return -1;
	}
	if (s->out_fd == -1)
		return 0;
	if (s->out.n > 0 && send_all(s, buf_span(&s->out), e) == -1)
		fail(s, e);
	s->out.n = 0;
	return s->failed ? -1 : 0;
}

static void
flush_if_full(struct stream *s, size_t more)
{
	struct err e = ERR_INIT;

	if (s->out_fd != -1 && s->out.n > 0 && more > OUT_HIGH - (s->out.n < OUT_HIGH ? s->out.n : OUT_HIGH))
		stream_flush(s, &e);	/* a failure sticks in s->failed */
}

static void
check_output(struct stream *s)
{
	if (s->out.failed)
		fail(s, &(struct err){ ERR_LIMIT, "output over its limit" });
}

void
stream_put(struct stream *s, struct span bytes)
{
	struct err e = ERR_INIT;

	flush_if_full(s, bytes.n);
	if (s->failed)
		return;
	if (s->out_fd != -1 && bytes.n > OUT_HIGH) {
		if (send_all(s, bytes, &e) == -1)
			fail(s, &e);
		return;
	}
	buf_add(&s->out, bytes);
	check_output(s);
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
	check_output(s);
}

void
stream_put_u64(struct stream *s, uint64_t v)
{
	flush_if_full(s, 20);
	if (s->failed)
		return;
	buf_add_u64(&s->out, v);
	check_output(s);
}

char *
stream_reserve(struct stream *s, size_t size)
{
	flush_if_full(s, size);
	if (s->failed)
		return NULL;
	if (size > RESERVE_MAX || size > s->out.max - s->out.n || !buf_grow(&s->out, s->out.n + size)) {
		s->out.failed = true;
		check_output(s);
		return NULL;
	}
	return s->out.p + s->out.n;
}

void
stream_commit(struct stream *s, size_t n)
{
	s->out.n += n;
}
