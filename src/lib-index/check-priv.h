/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_CHECK_PRIV_H
#define CULVER_LIB_INDEX_CHECK_PRIV_H
/* Between check.c and mend.c. */
#include "lib-index/check.h"
#include "lib-index/index-priv.h"

enum {
	BAD_STATE = 1 << 0,
	BAD_NAME = 1 << 1,
	BAD_MESSAGES = 1 << 2,		/* records, or keys of such, that are damaged or can not be */
	BAD_COUNTS = 1 << 3,
	BAD_NUMBERS = 1 << 4,		/* uidnext, highestmodseq */
	BAD_LOG = 1 << 5,
	BAD_SUMMARIES = 1 << 6,
	BAD_KEYWORDS = 1 << 7,
};

struct box_check {
	uint32_t id;
	unsigned bad;
	bool known, named;
	struct idx_state is;		/* without the name */
	/* Counted. */
	uint32_t messages, unseen, deleted, unsized, dirty, tombstones, last_uid;
	uint64_t bytes, physical, unsized_bytes, last_modseq;
	uint64_t changed_sum, logged_sum;	/* over (modseq, uid): of records, of the log */
	size_t uids_at, uids_n;		/* in check.uids */
	size_t lost;			/* damaged records */
	char first[96];			/* the first finding, for the log's line */
	size_t findings;
};

struct check {
	struct index_env *env;
	MDB_txn *txn;			/* given, or begun for reading */
	uint32_t only;			/* a mailbox's id; 0: all */
	index_finding_fn *on_finding;
	void *ctx;

	MDB_cursor *cursor;
	enum idx_db db;
	struct box_check *boxes;	/* by id */
	size_t count, cap;
	uint32_t *uids;			/* of all messages, mailbox by mailbox */
	size_t uids_n, uids_cap;
	uint32_t *strays;		/* ids without a state */
	size_t strays_n, strays_cap;
	struct index_verdict v;
	bool no_memory;
};

/* False: the pages are damaged, or memory is out (c->no_memory). */
bool check_run(struct check *c);
void check_clear(struct check *c);
/* The mailbox's name, from its state; in room. */
struct span check_name(struct check *c, const struct box_check *b, char room[INDEX_NAME_MAX]);

/* mend.c: what check_run found is put right within txn, which is a writing one; a line in the log for each mailbox. */
int mend_apply(struct check *c, const char *why, struct err *e);
/* Checks all of env, and mends.  False: the pages are damaged.  why: for the log; *out: what was found. */
bool mend_env(struct index_env *env, const char *why, struct index_verdict *out);
#endif
