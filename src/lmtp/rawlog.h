/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_RAWLOG_H
#define CULVER_LMTP_RAWLOG_H
/*
 * lmtp_rawlog_dir: what a client says and hears, each line with its time, in two files a connection, which only their owner can read.
 * For the search of a mistake: mail is in them.
 */
#include "lib/err.h"
#include "lib/span.h"

#define RAWLOG_MAX ((uint64_t)256 << 20)	/* octets of one file */

struct rawlog {
	int fds[2];			/* in, out; -1: not written, or no more */
	uint64_t left[2];
	bool inside[2];			/* a line has begun */
};

/* Makes the two files in the directory, which must be there; out's descriptors are the caller's.  -1: there are none. */
int rawlog_open(const char *dir, int fds_out[2], struct err *e);
void rawlog_init(struct rawlog *r, const int fds[2]);
/* For stream's record: ctx is a struct rawlog.  A file that can not be written, or is full, gets no more; the session goes on. */
void rawlog_record(void *ctx, bool sent, struct span octets);
#endif
