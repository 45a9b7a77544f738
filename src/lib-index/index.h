/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_INDEX_H
#define CULVER_LIB_INDEX_INDEX_H
/*
 * One user's index: an LMDB environment in a directory of its own.  Nothing in it is needed for durability, so nothing is
 * ever synced; what is damaged is moved away and made anew from the mail.
 *
 * A handle has one read transaction that begins by itself and is cheap to begin again; index_read_end() before waiting
 * for anything.  One write transaction at a time over all processes, by LMDB's robust mutex, which a dead holder frees.
 */
#include <sys/types.h>
#include "lib-index/schema.h"

struct index;
struct index_txn;

enum index_health {
	INDEX_FINE,
	INDEX_FRESH,	/* it was not there, or was made anew: the mail must be scanned */
};

/*
 * Opens or makes the index in the directory path (its parent must be there).  A process that died without closing it, a
 * reboot, or a value found damaged make it be verified first; what does not stand that is replaced by an empty one, with
 * the messages and summaries that could be saved.  map_max: largest address space.  After fork, never before.
 */
int index_open(const char *path, mode_t mode, uint64_t map_max, struct index **out, struct err *e);
/*
 * Where the index can not be written, what is opened is this process's own, in memory, and gone with it: numbers that are
 * given in it mean nothing to others.  Nothing may be changed then (index_private_refuse: -1 and why).
 */
bool index_is_private(const struct index *ix);
/* Looks now and then whether it can be written again, and opens it: transactions of the process end then. */
void index_private_retry(struct index *ix);
int index_private_refuse(const struct index *ix, struct err *e);
void index_close(struct index *ix);	/* NULL is fine */
/*
 * For a process that keeps it open and does nothing with it: it counts as closed, for those who look who has it open and
 * should the process be killed.  index_wake comes before anything else then.  False (also of index_rest): close it, since
 * who opens it now would look at it more closely, or would find another one.
 */
bool index_rest(struct index *ix);
bool index_wake(struct index *ix);
/* "dev:ino" of the directory: what notifications call this index.  16 octets. */
void index_identity(const struct index *ix, char out[16]);
/* The next open verifies, and the next sync mends (check.h).  Called by whoever meets a damaged value. */
void index_mark_suspect(struct index *ix);
bool index_is_suspect(const struct index *ix);

/* Whether the directory is there, and the one that was opened. */
bool index_is_in_place(const struct index *ix);

/* Removes a closed index from the disk: of mail that another server has now. */
void index_remove(const char *path);

/* How many other processes have it open at this moment, and the ids of the first max of them; -1. */
int index_others(struct index *ix, uint32_t *pids, int max, struct err *e);

/* Damage was met (e says what): replaces the index, with what of it is sound.  All transactions of the process end. */
int index_recover(struct index *ix, struct err *e);

/* The handle's read transaction, begun if it is not. */
int index_read(struct index *ix, struct index_txn **out, struct err *e);
void index_read_end(struct index *ix);
/* Another number after each time that the environment was opened anew: what was known of its mailboxes may be wrong. */
unsigned index_generation(const struct index *ix);
/* Whether what failed with ERR_QUOTA did so because the map was too small, and may be tried again in a larger one. */
bool index_may_retry(const struct index *ix);
/* Notices that somebody removed or replaced the index, and opens what is there now.  Ends the reading transaction then. */
int index_check(struct index *ix, struct err *e);
/* Ends the reading one first.  An index that was removed or replaced meanwhile is opened anew. */
int index_write(struct index *ix, struct index_txn **out, struct err *e);
int index_commit(struct index_txn *t, struct err *e);	/* t is gone in any case */
void index_abort(struct index_txn *t);			/* NULL is fine */

/* One value.  1 found (spans are valid until the transaction ends or changes something), 0 not there, -1. */
int index_get(struct index_txn *t, enum idx_db db, struct span key, struct span *value_out, struct err *e);
int index_put(struct index_txn *t, enum idx_db db, struct span key, struct span value, struct err *e);
int index_del(struct index_txn *t, enum idx_db db, struct span key, struct err *e);	/* not there: 0 */

/* Walking in the order of keys.  Cursors end with their transaction: close them before. */
struct index_cursor;
struct index_cursor *index_cursor_open(struct index_txn *t, enum idx_db db, struct err *e);
void index_cursor_close(struct index_cursor *c);	/* NULL is fine */
/* The first entry with a key >= from / the next.  1, 0 at the end, -1. */
int index_cursor_seek(struct index_cursor *c, struct span from, struct span *key_out, struct span *value_out, struct err *e);
int index_cursor_next(struct index_cursor *c, struct span *key_out, struct span *value_out, struct err *e);
/* From here on values are given as they are stored, unchecked: for who only removes. */
void index_cursor_unchecked(struct index_cursor *c);
/* The entry of exactly that key: quick when it is near the last one. */
int index_cursor_find(struct index_cursor *c, struct span key, struct span *value_out, struct err *e);
/* Replaces the value of the entry the cursor stands on / removes it (then next gives the one behind it). */
int index_cursor_replace(struct index_cursor *c, struct span key, struct span value, struct err *e);
int index_cursor_del(struct index_cursor *c, struct err *e);

/* What is known of a mailbox.  1, 0, -1. */
int index_state_get(struct index_txn *t, uint32_t id, struct idx_state *out, struct err *e);
int index_state_put(struct index_txn *t, const struct idx_state *st, struct err *e);	/* keeps the total: total.h */
int index_mailbox_find(struct index_txn *t, struct span name, uint32_t *id_out, struct err *e);
int index_message_get(struct index_txn *t, uint32_t id, uint32_t uid, struct idx_message *out, struct err *e);
/* Replaces a message's record (and nothing else): for what is found out about it. */
int index_message_put(struct index_txn *t, uint32_t id, uint32_t uid, const struct idx_message *m, struct err *e);

/* Walks the messages of one mailbox from uid on. */
struct index_walk {
	struct index_cursor *c;
	uint32_t id, uid;
	bool started;
	bool brief;		/* set it after beginning: only m.flags and m.bits are wanted, which is many times quicker */
	struct idx_message m;	/* of uid */
	struct span raw;
};
int index_walk_begin(struct index_walk *w, struct index_txn *t, uint32_t id, uint32_t from_uid, struct err *e);
int index_walk_next(struct index_walk *w, struct err *e);	/* 1, 0 at the end, -1 */
void index_walk_end(struct index_walk *w);

/*
 * The UIDs of one mailbox from from_uid on, with their flags: the quick way.  fn returns false to stop.
 */
typedef bool index_uid_fn(void *ctx, uint32_t uid, uint8_t flags);
int index_each_uid(struct index_txn *t, uint32_t id, uint32_t from_uid, index_uid_fn *fn, void *ctx, struct err *e);
/* The first and the last UID; 0 when there is no message. */
int index_uid_bounds(struct index_txn *t, uint32_t id, uint32_t *first_out, uint32_t *last_out, struct err *e);

/* A number for a new mailbox, or UIDVALIDITY: never given before to this user. */
int index_new_number(struct index_txn *t, uint32_t *out, struct err *e);
int index_number_seen(struct index_txn *t, uint32_t number, struct err *e);

struct index *index_txn_index(struct index_txn *t);
#endif
