/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_MEMORY_STORAGE_PRIV_H
#define CULVER_TESTS_MEMORY_STORAGE_PRIV_H
/* What memory-storage.c (storage.h, quota.h) and memory-mailbox.c (mailbox.h) share. */
#include "memory-storage.h"

#define MSGS_MAX 4096
#define KEYWORDS_MAX 64

struct msg {
	uint32_t uid;
	unsigned flags;
	uint64_t keywords, modseq;
	int64_t date;
	struct span text;		/* owned */
	uint64_t expunged_modseq;	/* 0: it is there */
	bool recent;
};

struct box {
	struct span name;	/* owned; p NULL: deleted */
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	struct msg msgs[MSGS_MAX];
	size_t count;
	struct span keywords[KEYWORDS_MAX];	/* owned */
	size_t keyword_count;
};

struct mailbox {
	struct box *box;
	bool read_only;
	uint32_t *uids, count;		/* the view */
	uint64_t modseq;
	size_t keyword_count;
	bool recent[MSGS_MAX];
	struct view_change expunged[MSGS_MAX];
	uint32_t flags[MSGS_MAX];
	struct buf summary;
	struct span names[KEYWORDS_MAX];
	bool opened_deleted;
	uint32_t uidvalidity;
};

struct span memory_copy(struct span s);	/* owned; abort()s without memory */
struct box *memory_find(struct span name);	/* NULL: there is none */
bool memory_is_there(const struct msg *m);	/* not expunged */
int memory_check_name(struct span name, struct err *e);	/* ERR_SYNTAX: no mailbox can be called so */
/* Whether so much more fits; ERR_OVERQUOTA. */
int memory_quota_allows(uint64_t bytes, uint64_t messages, struct err *e);
#endif
