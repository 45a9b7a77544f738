/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_TRANSCRIPT_H
#define CULVER_TESTS_TRANSCRIPT_H
/*
 * Plays a conversation against a protocol engine in memory, and compares.  A file of tests/transcript/ has lines
 *	# text		a comment; the first one names the RFC section
 *	O: name=value	an option for the test program
 *	C: text		the client sends text and CRLF
 *	C= text		the client sends text alone; \r \n \0 \t \\ and \xNN are octets
 *	S: text		the server sends exactly this line
 *	S~ pattern	the server sends a line that matches; * is any text
 * What the client sends is one input; it is played whole and in small pieces, and the answers must be the same.
 */
#include "lib/stream.h"

struct transcript_ops {
	/* Before each playing: everything as new. */
	void (*start)(void *ctx);
	void (*option)(void *ctx, struct span name, struct span value);
	/* The engine's whole session on s. */
	void (*play)(void *ctx, struct stream *s);
	void (*stop)(void *ctx);
	void *ctx;
};

/* Fails the running cmocka test where the answers differ. */
void transcript_file(const char *path, const struct transcript_ops *ops);
/* All *.t of a directory below the source's tests/transcript/ (environment: srcdir). */
void transcript_dir(const char *name, const struct transcript_ops *ops);
#endif
