/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_CRASH_TRACE_H
#define CULVER_TESTS_CRASH_TRACE_H
/*
 * A child process of which every system call that touches one directory tree is seen, whoever makes it (LMDB and libc
 * too): by ptrace, which a seccomp filter calls in for those alone.  They are numbered from 1.  At a number the child is
 * killed, or the call fails, or does half; or all are written down, with their data, in a journal.
 */
#include "tree.h"

enum call_class {
	CALL_OPEN,	/* of what is there */
	CALL_MAKE,	/* open that makes a file, mkdir, link, symlink */
	CALL_RENAME,
	CALL_REMOVE,
	CALL_WRITE,
	CALL_SIZE,	/* ftruncate, fallocate */
	CALL_SYNC,
	CALL_META,	/* times, modes, owners */
	CALL_READ,
	CALL_LOOK,	/* stat, access */
	CALL_LIST,
	CALL_LOCK,
	CALL_CLOSE,
	CALL_MAP,
	CALL_CLASSES
};

/* How far the operation is: in memory shared with it. */
struct progress {
	unsigned begun, acked;	/* steps */
	unsigned announced;	/* so much was told clients */
};

struct call {
	enum call_class class;
	bool changes;		/* what is on disk */
	struct progress at;	/* when it was made */
	char what[160];		/* for people */
};

enum plan_kind {
	PLAN_NONE,	/* runs to its end, observed */
	PLAN_KILL,	/* before the call is done */
	PLAN_FAIL,	/* the call fails and nothing is done */
	PLAN_FAIL_ALL,	/* so do all that change something, from there on */
	PLAN_SHORT,	/* a write does half */
	PLAN_LIE,	/* it is done, and the answer is that it failed */
	PLAN_STORM,	/* every call that can be interrupted is, twice */
};

struct plan {
	enum plan_kind kind;
	unsigned at;
	int error;
};

/* One thing that happened to the tree. */
enum event_kind { EV_ENTRY, EV_WRITE, EV_SIZE, EV_TIME, EV_SYNC };

struct event {
	enum event_kind kind;
	unsigned call;
	/* EV_ENTRY: name goes from dir (NULL: nothing goes), node comes into dir_to as name_to (NULL: nothing comes). */
	uint32_t node, dir, dir_to;
	char *name, *name_to;
	struct timespec dir_time, dir_to_time;	/* of the directories behind it */
	uint64_t at;		/* EV_WRITE: offset; EV_SIZE: size */
	char *data;
	size_t n;
	struct timespec time;	/* EV_TIME */
};

struct journal {
	struct tree base;	/* before the first */
	struct tree now;	/* behind the last: its nodes are those of the events */
	struct event *events;
	size_t count, cap;
};

struct traced {
	unsigned calls;
	struct call *list;	/* PLAN_NONE: all of them, calls long */
	int status;		/* as of waitpid */
	bool fired;		/* the plan's call came */
	struct call call;	/* it */
};

/*
 * Runs body(ctx) in a child.  progress is looked at with each call.  j may be NULL.  False: the
 * system does not let us trace.
 */
bool trace_run(void (*body)(void *), void *ctx, const char *root, const struct plan *plan,
    const struct progress *progress, struct journal *j, struct traced *out);
void traced_clear(struct traced *t);

/* Errors worth trying at a call of this class: 0 behind the last. */
const int *errors_of(enum call_class class);

/* Whether a call is LMDB's own. */
bool is_lmdb(const char *what);

/* journal.c */
void journal_clear(struct journal *j);

enum keep_entries {
	ENTRIES_SYNCED,		/* only what was synced */
	ENTRIES_ALL,
	ENTRIES_BUT_LAST,
	ENTRIES_PREFIX,		/* a common prefix: ext4, xfs */
	ENTRIES_RANDOM,		/* of each directory a prefix */
};
enum keep_data { DATA_LOST, DATA_ZEROS, DATA_ALL, DATA_RANDOM };
enum keep_index { INDEX_AS_FILES, INDEX_BASE, INDEX_LATEST, INDEX_MISSING, INDEX_TORN, INDEX_STALE };

struct choice {
	enum keep_entries entries;
	enum keep_data data;
	enum keep_index index;
	bool whole_writes;	/* of a file that was not synced a write is there or not */
	bool no_zeros;		/* a file grows with its data, not before */
	uint64_t seed;
};

/*
 * What is on disk after the power was cut before call number `call'.  index_dir: the path of the index below the root,
 * which is never synced; stale: an older content of its data.mdb.  out is to be cleared.
 */
void journal_cut(const struct journal *j, unsigned call, const struct choice *c, const char *index_dir,
    const struct tree_node *stale, struct tree *out);
uint64_t random_next(uint64_t *seed);
#endif
