/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_THREAD_H
#define CULVER_LIB_STORAGE_THREAD_H
/* Conversations: THREAD (RFC 5256 section 3, algorithms ORDEREDSUBJECT and REFERENCES). */
#include "lib-storage/mailbox.h"

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

/* A tree in two arrays: the children of a node are nodes[order[first]] to nodes[order[first + count - 1]]. */
struct thread_node {
	uint32_t seq;			/* 0: a message that is not there, which holds others together; nodes[0] is the root */
	uint32_t first, count;
};

struct thread_tree {
	struct thread_node *nodes;
	uint32_t *order;
};

/*
 * Threads the messages of these ascending sequence numbers; *out is in arena.  Messages that are gone meanwhile are left
 * out.  ERR_LIMIT: the arena is too small.
 */
int thread_messages(struct mailbox *box, enum thread_algorithm how, const uint32_t *seqs, size_t count, struct arena *a,
    struct thread_tree *out, struct err *e);
#endif
