/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STREAM_H
#define CULVER_LIB_STREAM_H
/*
 * The two directions of a session, blocking, with limits: what a worker reads from and writes to.  The engine above
 * knows no descriptor: in a unit test both ends are memory.
 *
 * Input is a window on what has arrived: stream_fill() makes it longer, stream_drop() takes bytes off its front.
 * Output gathers and flushes itself when it is full, so a session's memory stays bounded whatever it sends.  A failed
 * write sticks (`failed`): the engine goes on to its next look at the input and finds the end there.
 */
#include "lib/buf.h"
#include "lib/err.h"

struct stream {
	int in_fd, out_fd;		/* -1: memory */
	struct buf in;			/* use stream_in() */
	size_t in_pos;			/* taken off the front already */
	struct buf out;			/* not sent yet; with memory: everything ever written */
	int read_timeout_ms, write_timeout_ms;	/* of one wait; -1: for ever */
	bool eof, failed;
	size_t read_size;		/* asked of the system at once; grows while the input keeps coming */
	struct err why_failed;		/* what stream_flush says once failed is set */
	uint64_t in_octets, out_octets;	/* totals, for the log */
	struct span script;		/* memory: what the peer will send, handed out by script_step octets */
	size_t script_step;
	/* When set, asked by stream_fill before it waits, with ctx: e.g. to flush, or to look at other descriptors. */
	void (*on_wait)(void *ctx);
	void *ctx;
	/* When set, shown every octet that has come, and that is about to be sent. */
	void (*record)(void *ctx, bool sent, struct span octets);
	void *record_ctx;
};

/* fd is borrowed.  in_max bounds what may be held unread (one command line, say). */
void stream_init_fd(struct stream *s, int fd, size_t in_max, int timeout_ms);
/* A test's: input from script, output into s->out, max octets of it. */
void stream_init_mem(struct stream *s, struct span script, size_t in_max, size_t out_max);
void stream_clear(struct stream *s);

static inline struct span
stream_in(const struct stream *s)	/* valid until the next fill */
{
	return span_of(s->in.p == NULL ? "" : s->in.p + s->in_pos, s->in.n - s->in_pos);
}

void stream_drop(struct stream *s, size_t n);
void stream_unread(struct stream *s, struct span bytes);	/* puts bytes before what is there: what login had read */

/*
 * Flushes the output, then waits for at least one more octet.  0; -1: ERR_EOF, ERR_TIMEOUT, ERR_LIMIT (in_max octets
 * are held already), or the system's.
 */
int stream_fill(struct stream *s, struct err *e);
/* Whole lines: waits until the input holds an LF; *line_out is without its line end, and dropped from the input (still
 * valid until the next fill).  ERR_LIMIT when no LF comes within max octets. */
int stream_line(struct stream *s, size_t max, struct span *line_out, struct err *e);
/*
 * Flushes (and frees the output's memory if it has become large: a wait may be long), then waits for input or for other_fd (-1: none) to be readable, timeout_ms at most.  1 input is there (also
 * what was there already, and the end of it), 2 other_fd, 0 the time is over, -1 error.
 */
int stream_wait(struct stream *s, int other_fd, int timeout_ms, struct err *e);

void stream_put(struct stream *s, struct span bytes);
void stream_puts(struct stream *s, const char *text);
void stream_putf(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void stream_put_u64(struct stream *s, uint64_t v);
/*
 * size octets of room in the output for the caller to fill, then stream_commit(n <= size).  size <= 64 KiB.  NULL when
 * the output has failed.
 */
char *stream_reserve(struct stream *s, size_t size);
void stream_commit(struct stream *s, size_t n);
int stream_flush(struct stream *s, struct err *e);
#endif
