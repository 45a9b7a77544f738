/* SPDX-License-Identifier: MIT */
#include "lib-index/index-priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include "lib/log.h"

#define BEGIN_TRIES 4
#define ROOM_LOW 262144	/* octets */

enum { PAGE = 4096, CACHE_LINE = 64 };

/* LMDB's answers to beginning that have a cure. */
static int
begin(struct index_env *env, unsigned flags, MDB_txn **out)
{
	int rc = 0, dead;

	for (int i = 0; i < BEGIN_TRIES; i++) {
		rc = mdb_txn_begin(env->env, NULL, flags, out);
		if (rc == MDB_MAP_RESIZED) {
			index_env_reset_readers(env);
			mdb_env_set_mapsize(env->env, 0);
		} else if (rc == MDB_READERS_FULL) {
			mdb_reader_check(env->env, &dead);
		} else {
			break;
		}
	}
	return rc;
}

int
index_read(struct index *ix, struct index_txn **out, struct err *e)
{
	int rc = 0;

	*out = &ix->read;
	if (ix->reading)
		return 0;
	/* It was lost, and could not be made again a moment ago. */
	if (ix->env->env == NULL && index_env_refresh(ix->env, e) == -1)
		return -1;
	if (ix->read.txn != NULL) {
		rc = mdb_txn_renew(ix->read.txn);
		if (rc == MDB_MAP_RESIZED) {
			index_env_reset_readers(ix->env);
			mdb_env_set_mapsize(ix->env->env, 0);
			rc = mdb_txn_renew(ix->read.txn);
		}
	} else {
		rc = begin(ix->env, MDB_RDONLY, &ix->read.txn);
	}
	if (rc == MDB_PANIC && index_env_refresh(ix->env, e) == 0) {
		/* A write to the disk failed: what is in the file counts. */
		rc = begin(ix->env, MDB_RDONLY, &ix->read.txn);
	}
	if (rc != 0)
		return index_err(e, rc, "read");
	ix->read.ix = ix;
	ix->reading = true;
	memset(ix->cursor_fresh, 0, sizeof(ix->cursor_fresh));
	memset(ix->last_found, 0, sizeof(ix->last_found));
	return 0;
}

void
index_read_end(struct index *ix)
{
	if (!ix->reading)
		return;
	mdb_txn_reset(ix->read.txn);
	ix->reading = false;
}

bool
index_may_retry(const struct index *ix)
{
	MDB_envinfo info;

	if (!ix->env->map_full || ix->env->env == NULL)
		return false;
	mdb_env_info(ix->env->env, &info);
	return ix->env->map_max == 0 || info.me_mapsize < ix->env->map_max;
}

static bool
is_current(const struct index_env *env)
{
	struct stat sb;

	if (env->private)
		return true;
	return fstatat(env->dir_fd, "data.mdb", &sb, 0) == 0 && (uint64_t)sb.st_ino == env->data_ino;
}

int
index_check(struct index *ix, struct err *e)
{
	if (is_current(ix->env))
		return 0;
	log_info("index %s: it was removed or replaced: opening what is there now", ix->env->path);
	return index_env_refresh(ix->env, e);
}

int
index_write(struct index *ix, struct index_txn **out, struct err *e)
{
	bool was_private = ix->env->private;
	int rc, dead;

	index_read_end(ix);
	/* Without a table of readers nothing keeps the pages that another handle reads. */
	if (ix->env->private)
		index_env_reset_readers(ix->env);
	if (ix->env->writing)
		return err_set(e, ERR_TEMP, "index: a write within a write");
	if (ix->env->env == NULL && index_env_refresh(ix->env, e) == -1)
		return -1;
	for (int try = 0;; try++) {
		/* What the caller is about to do may be for the index that was shared a moment ago. */
		if (ix->env->private && !was_private)
			return index_private_refuse(ix, e);
		if (index_env_room(ix->env, e) == -1)
			return -1;
		rc = begin(ix->env, 0, &ix->write.txn);
		if (rc == MDB_PANIC && try < BEGIN_TRIES && index_env_refresh(ix->env, e) == 0)
			continue;
		if (rc != 0)
			return index_err(e, rc, "write");
		/* Looked at with the lock in hand: whoever replaces the index holds it meanwhile. */
		if (is_current(ix->env))
			break;
		mdb_txn_abort(ix->write.txn);
		log_info("index %s: it was removed or replaced: opening what is there now", ix->env->path);
		if (try == BEGIN_TRIES)
			return err_set(e, ERR_TEMP, "index: it is replaced all the time");
		if (index_env_refresh(ix->env, e) == -1)
			return -1;
	}
	/* A dead reader's slot keeps old pages from being used again. */
	if (((++ix->env->writes) & 1023) == 1)
		mdb_reader_check(ix->env->env, &dead);
	ix->env->writing = true;
	ix->write.ix = ix;
	ix->write.write = true;
	*out = &ix->write;
	return 0;
}

/* LMDB calls it EIO when not all of a page could be written: which is a full disk, mostly, or a file that may not grow. */
static bool
has_no_room(const struct index_env *env)
{
	struct statvfs vfs;
	struct rlimit limit;
	struct stat sb;

	if (env->dir_fd == -1)
		return false;
	if (fstatvfs(env->dir_fd, &vfs) == 0 && (uint64_t)vfs.f_bavail * vfs.f_frsize < ROOM_LOW)
		return true;
	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    fstatat(env->dir_fd, "data.mdb", &sb, 0) == 0 && (uint64_t)sb.st_size + ROOM_LOW > limit.rlim_cur;
}

int
index_commit(struct index_txn *t, struct err *e)
{
	int rc = mdb_txn_commit(t->txn);

	t->txn = NULL;
	t->ix->env->writing = false;
	if (rc == MDB_MAP_FULL)
		t->ix->env->map_full = true;
	else if (rc == EIO && has_no_room(t->ix->env))
		rc = ENOSPC;
	return rc == 0 ? 0 : index_err(e, rc, "commit");
}

void
index_abort(struct index_txn *t)
{
	if (t == NULL || t->txn == NULL)
		return;
	mdb_txn_abort(t->txn);
	t->txn = NULL;
	t->ix->env->writing = false;
}

struct index *
index_txn_index(struct index_txn *t)
{
	return t->ix;
}

static inline MDB_val
val_of(struct span s)
{
	return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

/* The handle's own cursor for reading: renewed once a transaction. */
static int
read_cursor(struct index_txn *t, enum idx_db db, MDB_cursor **out)
{
	struct index *ix = t->ix;
	int rc = 0;

	if (ix->read_cursor[db] == NULL)
		rc = mdb_cursor_open(t->txn, ix->env->dbi[db], &ix->read_cursor[db]);
	else if (!ix->cursor_fresh[db])
		rc = mdb_cursor_renew(t->txn, ix->read_cursor[db]);
	ix->cursor_fresh[db] = rc == 0;
	*out = ix->read_cursor[db];
	return rc;
}

/*
 * LMDB fills a page from its end: in front of the summary just found lies, most often, the next message's.  It comes from memory
 * while this one is worked on.
 */
static void
fetch_ahead(const MDB_val *v)
{
	size_t n = v->mv_size < PAGE ? v->mv_size + CACHE_LINE : PAGE;

	for (size_t i = CACHE_LINE; i <= n; i += CACHE_LINE)
		__builtin_prefetch((const char *)v->mv_data - i);
}

/* Messages are mostly asked for in their order: then the entry is the cursor's next, and need not be searched. */
static int
find_near(struct index *ix, enum idx_db db, MDB_cursor *c, struct span key, MDB_val *k, MDB_val *v)
{
	bool counts = key.n == IDX_KEY_MESSAGE;
	uint64_t number = counts ? be64_get(key.p) : 0;
	int rc;

	if (counts && ix->last_found[db] != 0 && number == ix->last_found[db] + 1) {
		rc = mdb_cursor_get(c, k, v, MDB_NEXT);
		if (rc == 0 && span_eq(span_of(k->mv_data, k->mv_size), key)) {
			ix->last_found[db] = number;
			if (db == DB_SUMMARY)
				fetch_ahead(v);
			return 0;
		}
		*k = val_of(key);
	}
	rc = mdb_cursor_get(c, k, v, MDB_SET_KEY);
	ix->last_found[db] = rc == 0 ? number : 0;
	return rc;
}

int
index_db_err(struct index *ix, struct err *e, int rc, enum idx_db db)
{
	index_err(e, rc, index_db_names[db]);
	if (rc == MDB_MAP_FULL)
		ix->env->map_full = true;
	else if (e->code == ERR_CORRUPT)
		index_mark_suspect(ix);
	return -1;
}

int
index_value_damaged(struct index *ix, enum idx_db db, struct span key, struct err *e)
{
	index_mark_suspect(ix);
	if (db == DB_META || db == DB_MAILBOX || key.n < IDX_KEY_ID)
		return err_set(e, ERR_CORRUPT, "index: the value of %.*s in \"%s\" is damaged", SPAN_ARG(key), index_db_names[db]);
	return err_set(e, ERR_CORRUPT, "index: the %s of %u in mailbox %u is damaged", index_db_names[db],
	    key.n > IDX_KEY_ID ? be32_get(key.p + key.n - 4) : 0, be32_get(key.p));
}

int
index_get(struct index_txn *t, enum idx_db db, struct span key, struct span *value_out, struct err *e)
{
	MDB_val k = val_of(key), v;
	struct span value;
	int rc;

	if (key.n == 0 || key.n > 511)
		return 0;
	if (!t->write) {
		MDB_cursor *c;

		rc = read_cursor(t, db, &c);
		if (rc == 0)
			rc = find_near(t->ix, db, c, key, &k, &v);
	} else {
		rc = mdb_get(t->txn, t->ix->env->dbi[db], &k, &v);
	}
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_db_err(t->ix, e, rc, db);
	value = span_of(v.mv_data, v.mv_size);
	/* A summary has checksums of its own (lib-mail/summary.h): who wants its first octets need not read it whole. */
	if (db == DB_SUMMARY && value.n >= IDX_SUM_LEN)
		value.n -= IDX_SUM_LEN;
	else if (!idx_value_open(db, key, &value))
		return index_value_damaged(t->ix, db, key, e);
	*value_out = value;
	return 1;
}

/* Puts the value and its checksum into the room that LMDB made; value lies nowhere in the index's own pages. */
static void
fill_in(MDB_val room, enum idx_db db, struct span key, struct span value)
{
	uint32_t sum = idx_sum(db, key, value);

	if (value.n > 0)
		memcpy(room.mv_data, value.p, value.n);
	be32_put((char *)room.mv_data + value.n, sum);
}

int
index_put(struct index_txn *t, enum idx_db db, struct span key, struct span value, struct err *e)
{
	MDB_val k = val_of(key), v = { value.n + IDX_SUM_LEN, NULL };
	int rc = mdb_put(t->txn, t->ix->env->dbi[db], &k, &v, MDB_RESERVE);

	if (rc != 0)
		return index_db_err(t->ix, e, rc, db);
	fill_in(v, db, key, value);
	return 0;
}

int
index_del(struct index_txn *t, enum idx_db db, struct span key, struct err *e)
{
	MDB_val k = val_of(key);
	int rc = mdb_del(t->txn, t->ix->env->dbi[db], &k, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 : index_db_err(t->ix, e, rc, db);
}

struct index_cursor *
index_cursor_open(struct index_txn *t, enum idx_db db, struct err *e)
{
	struct index_cursor *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	c->db = db;
	c->ix = t->ix;
	rc = mdb_cursor_open(t->txn, t->ix->env->dbi[db], &c->c);
	if (rc != 0) {
		index_db_err(t->ix, e, rc, db);
		free(c);
		return NULL;
	}
	return c;
}

void
index_cursor_close(struct index_cursor *c)
{
	if (c == NULL)
		return;
	mdb_cursor_close(c->c);
	free(c);
}

void
index_cursor_unchecked(struct index_cursor *c)
{
	c->brief = true;
}

static int
cursor_get(struct index_cursor *c, MDB_val *k, MDB_cursor_op op, struct span *key_out, struct span *value_out, struct err *e)
{
	struct span key, value;
	MDB_val v;
	int rc = mdb_cursor_get(c->c, k, &v, op);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_db_err(c->ix, e, rc, c->db);
	key = span_of(k->mv_data, k->mv_size);
	value = span_of(v.mv_data, v.mv_size);
	/* "version" has none: see index.c. */
	if (!c->brief && !(c->db == DB_META && span_eq(key, SPAN("version"))) && !idx_value_open(c->db, key, &value))
		return index_value_damaged(c->ix, c->db, key, e);
	if (key_out != NULL)
		*key_out = key;
	*value_out = value;
	return 1;
}

int
index_cursor_seek(struct index_cursor *c, struct span from, struct span *key_out, struct span *value_out, struct err *e)
{
	MDB_val k = val_of(from);

	return cursor_get(c, &k, MDB_SET_RANGE, key_out, value_out, e);
}

int
index_cursor_next(struct index_cursor *c, struct span *key_out, struct span *value_out, struct err *e)
{
	MDB_val k;

	/* LMDB remembers the deletion itself: its next then stays. */
	return cursor_get(c, &k, MDB_NEXT, key_out, value_out, e);
}

int
index_cursor_find(struct index_cursor *c, struct span key, struct span *value_out, struct err *e)
{
	MDB_val k = val_of(key);

	return cursor_get(c, &k, MDB_SET_KEY, NULL, value_out, e);
}

int
index_cursor_replace(struct index_cursor *c, struct span key, struct span value, struct err *e)
{
	MDB_val k = val_of(key), v = { value.n + IDX_SUM_LEN, NULL };
	int rc = mdb_cursor_put(c->c, &k, &v, MDB_CURRENT | MDB_RESERVE);

	if (rc != 0)
		return index_db_err(c->ix, e, rc, c->db);
	fill_in(v, c->db, key, value);
	return 0;
}

int
index_cursor_del(struct index_cursor *c, struct err *e)
{
	int rc = mdb_cursor_del(c->c, 0);

	return rc == 0 ? 0 : index_db_err(c->ix, e, rc, c->db);
}
