/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_QUEUE_HEAD_H
#define CULVER_LIB_DELIVER_QUEUE_HEAD_H
/*
 * What stands in front of a message in the queue, and in front of one that is handed to it: "CULVER-QUEUE 1", then lines of a
 * word and its value, then an empty line.  The message's octets follow.
 */
#include "lib-deliver/outgoing.h"

#define QUEUE_HEAD_MAX 8192
#define QUEUE_VALUE_MAX 512

struct queue_head {
	enum outgoing_kind kind;
	struct span user, sender, recipient, keep_for;
	struct outgoing_dsn dsn;
	uint64_t size;		/* of the message */
	int64_t created;	/* seconds since 1970; 0: by who takes it in */
};

void queue_head_write(struct buf *out, const struct queue_head *head);
/* 1: *used_out octets were the head, values are spans of in; 0: more is needed; -1: it is none. */
int queue_head_parse(struct span in, struct queue_head *out, size_t *used_out);
#endif
