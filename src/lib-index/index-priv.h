/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_PRIV_H
#define CULVER_LIB_INDEX_PRIV_H
/* Shared by the files of lib-index alone. */
#include <lmdb.h>
#include "lib-index/index.h"

/*
 * An environment may be open once in a process (LMDB's locks belong to the process), so handles on the same one share it.
 */
struct index_env {
	struct index_env *next;
	MDB_env *env;
	MDB_txn *opening;		/* while its databases are opened */
	MDB_dbi dbi[DB_COUNT];
	uint64_t dev, ino;		/* of the directory */
	uint64_t data_ino;		/* of data.mdb */
	char *path;
	mode_t mode;
	int dir_fd;
	uint64_t map_max, map_start;	/* map_start: at least that large from the beginning; 0: the usual */
	unsigned flags;			/* for LMDB, besides ours */
	uint32_t version;		/* that the file says */
	bool private;			/* in memory: see private.c */
	enum err_code private_why;
	int private_fd;
	int64_t private_since;		/* clock_ms */
	int session_fd, session_slot;	/* session.h; -1 */
	unsigned users;
	struct index *handles;
	bool writing;
	bool suspect;			/* a damaged value was met in this process */
	bool map_full;			/* met: the map grows before the next write */
	unsigned writes;		/* of this process */
	unsigned generation;
};

struct index_txn {
	struct index *ix;
	MDB_txn *txn;
	bool write;
};

struct index {
	struct index_env *env;
	struct index *next;		/* handle on the same environment */
	struct index_txn read, write;
	bool reading;
	MDB_cursor *read_cursor[DB_COUNT];	/* kept and renewed: for index_message_get */
	bool cursor_fresh[DB_COUNT];		/* belongs to this beginning of the read transaction */
	uint64_t last_found[DB_COUNT];		/* the message key that it stands on, as a number; 0: another, or none */
};

struct index_cursor {
	MDB_cursor *c;
	struct index *ix;
	enum idx_db db;
	bool brief;			/* values are given as they are stored, unchecked */
};

extern const char *const index_db_names[DB_COUNT];

/* The err of an LMDB return code. */
int index_err(struct err *e, int rc, const char *what);
/* The same for one database; damage is remembered (index_mark_suspect). */
int index_db_err(struct index *ix, struct err *e, int rc, enum idx_db db);
/* ERR_CORRUPT for a damaged value, remembered. */
int index_value_damaged(struct index *ix, enum idx_db db, struct span key, struct err *e);
/* Opens the environment alone.  The LMDB code. */
int index_env_open(struct index_env *env, const char *path, mode_t mode, bool create, struct err *e);
void index_env_shut(struct index_env *env);
/* Whether the file in the directory is still the one that is open; if not, opens what is there now, or a new one. */
int index_env_refresh(struct index_env *env, struct err *e);
/* Makes room for a write transaction: the map grows while nothing is going on. */
int index_env_room(struct index_env *env, struct err *e);
void index_env_reset_readers(struct index_env *env);

/* index_env_open(create) of a file that may hold anything. */
int index_env_open_guarded(struct index_env *env, const char *path, mode_t mode, bool create, struct err *e);
/* guard.c: where LMDB's assertions end. */
void index_assert_failed(const char *msg);
/* Runs fn(ctx), which reads a file that may hold anything: its answer, or false when it had to be rescued. */
bool index_run_guarded(bool (*fn)(void *), void *ctx);
/* Whether LMDB's list of free pages has only pages that may be written to. */
bool index_free_list_is_sound(struct index_env *env);

/* private.c: an index of this process's own instead of the one that can not be written; why says so. */
int index_private_start(struct index_env *env, const struct err *why, struct err *e);
void index_private_end(struct index_env *env);
/* index.c: a first look, without leaving anything. */
bool index_can_be_shared(const char *path, mode_t mode);

enum index_salvage {
	INDEX_SALVAGE_NOTHING,
	INDEX_SALVAGE,
	INDEX_SALVAGE_DOUBT,	/* and numbers may be behind: see IDX_STATE_DOUBT */
};
/*
 * replace.c: a new index in the place of the damaged one, with what of it is sound; env->env is the damaged one, open or
 * not.  With `sessions' locked.  why: for the log.
 */
int index_env_replace(struct index_env *env, enum index_salvage how, const char *why, struct err *e);

struct salvaged {
	size_t mailboxes, hurt, messages, summaries;
};
/*
 * Copies what is well-formed from `old' into the empty `into', mailbox by mailbox; the states of those that lost something
 * say so.  doubt: all do (the system went down: numbers may be behind).  False: nothing could be read.
 */
bool index_salvage(struct index_env *old, struct index_env *into, bool doubt, bool summaries, struct salvaged *out);
#endif
