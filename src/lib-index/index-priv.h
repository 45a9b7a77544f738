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
	MDB_dbi dbi[DB_COUNT];
	uint64_t dev, ino;		/* of the directory */
	uint64_t data_ino;		/* of data.mdb */
	char *path;
	mode_t mode;
	int dir_fd;
	uint64_t map_max;
	int session_fd, session_slot;	/* session.h; -1 */
	unsigned users;
	struct index *handles;
	bool writing;
	unsigned writes;		/* of this process */
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
int index_env_open_guarded(struct index_env *env, const char *path, mode_t mode, struct err *e);
/* Where LMDB's assertions end: see salvage.c. */
void index_assert_failed(const char *msg);
/* salvage.c: whether every entry can be read and is well-formed, whatever the file holds; never crashes. */
bool index_env_is_sound(struct index_env *env);
/* Copies what is well-formed from the directory `from' into the empty environment; best effort. */
void index_salvage(const char *from, mode_t mode, struct index_env *into);
#endif
