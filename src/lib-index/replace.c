/* SPDX-License-Identifier: MIT */
/*
 * Putting a new file in the index's place: of a damaged one, or a smaller one.  The new one is made in the directory `fresh'
 * inside, and the old stays untouched until it is whole (so a full disk costs nothing); then it is renamed, and gets a lock
 * file of its own: the old one counts the old file's transactions.  All that under the lock of `sessions', and under the old
 * file's write lock where that can still be had.
 * Who still has the old one open sees that its file is not there any more when it next begins a write or looks for what is
 * new, and starts again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-index/check-priv.h"
#include "lib-index/session.h"

#define FRESH "fresh"

static void
remove_fresh(const struct index_env *env)
{
	unlinkat(env->dir_fd, FRESH "/data.mdb", 0);
	unlinkat(env->dir_fd, FRESH "/lock.mdb", 0);
	unlinkat(env->dir_fd, FRESH, AT_REMOVEDIR);
}

/* An empty `fresh'; its path. */
static int
make_fresh(const struct index_env *env, char path[4096], struct err *e)
{
	if (snprintf(path, 4096, "%s/" FRESH, env->path) >= 4096)
		return err_set(e, ERR_LIMIT, "index: %s: the path is too long", env->path);
	remove_fresh(env);
	if (mkdirat(env->dir_fd, FRESH, (env->mode & 0666) | 0700) == -1 && errno != EEXIST)
		return err_errno(e, "make %s", path);
	return 0;
}

/* fresh/data.mdb becomes data.mdb, and env is closed. */
static int
swap(struct index_env *env, struct err *e)
{
	MDB_txn *txn = NULL;
	int rc = 0;

	/* Nobody else is in the middle of a write then. */
	if (env->env != NULL && mdb_txn_begin(env->env, NULL, 0, &txn) != 0)
		txn = NULL;
	if (renameat(env->dir_fd, FRESH "/data.mdb", env->dir_fd, "data.mdb") == -1)
		rc = err_errno(e, "put a new index into %s", env->path);
	else
		unlinkat(env->dir_fd, "lock.mdb", 0);
	if (txn != NULL)
		mdb_txn_abort(txn);
	index_env_shut(env);
	remove_fresh(env);
	return rc;
}

static uint64_t
data_size(const struct index_env *env)
{
	struct stat sb;

	return fstatat(env->dir_fd, "data.mdb", &sb, 0) == 0 ? (uint64_t)sb.st_size : 0;
}

/* What is sound of old goes to fresh, whose path is `path'.  What could not be made to agree goes again. */
static int
fill_fresh(struct index_env *fresh, const char *path, struct index_env *old, enum index_salvage how, struct salvaged *got,
    struct err *e)
{
	struct index_verdict v;

	if (index_env_open(fresh, path, fresh->mode, true, e) == -1)
		return -1;
	if (old == NULL || old->env == NULL)
		return 0;
	if (!index_salvage(old, fresh, how == INDEX_SALVAGE_DOUBT, true, got))
		return err_set(e, ERR_QUOTA, "index %s: there is no room for a copy of it", old->path);
	if (mend_env(fresh, "in what was saved", &v))
		return 0;
	*got = (struct salvaged){ 0 };
	index_env_shut(fresh);
	remove_fresh(old);
	return mkdirat(old->dir_fd, FRESH, 0700) == -1 ? err_errno(e, "make %s", path) :
	    index_env_open(fresh, path, fresh->mode, true, e);
}

int
index_env_replace(struct index_env *env, enum index_salvage how, const char *why, struct err *e)
{
	struct index_env fresh = { .map_max = env->map_max, .mode = env->mode, .path = env->path };
	struct salvaged got = { 0 };
	struct err old_e = ERR_INIT;
	int64_t since = clock_us();
	uint64_t size = data_size(env);
	char path[4096];
	int rc;

	if (make_fresh(env, path, e) == -1)
		return -1;
	/*
	 * A file that can not even be opened has nothing to give.  Nothing is made in it: a first try may have died in the
	 * middle of a write, and then this process itself has the lock that it would wait for.
	 */
	if (how != INDEX_SALVAGE_NOTHING && size > 0 && env->env == NULL &&
	    index_env_open_guarded(env, env->path, env->mode, false, &old_e) == -1)
		env->env = NULL;
	fresh.map_start = (size_t)size * 2;
	rc = fill_fresh(&fresh, path, how == INDEX_SALVAGE_NOTHING ? NULL : env, how, &got, e);
	index_env_shut(&fresh);
	if (rc == 0)
		rc = swap(env, e);
	if (rc == -1) {
		remove_fresh(env);
		index_env_shut(env);
		return -1;
	}
	if (size == 0)
		return index_env_open(env, env->path, env->mode, true, e);
	/* Another boot is nothing to worry anybody about, as long as nothing is lost. */
	(how == INDEX_SALVAGE_DOUBT && got.hurt == 0 && got.mailboxes > 0 ? log_info : log_warning)(
	    "index %s: %s: made anew: %zu of %zu mailboxes whole, %zu messages and %zu summaries kept, in %lld ms; the rest is "
	    "taken from the mail, with the same UIDs", env->path, why, got.mailboxes - got.hurt, got.mailboxes, got.messages,
	    got.summaries, (long long)(clock_us() - since) / 1000);
	return index_env_open(env, env->path, env->mode, true, e);
}

/* With the lock of `sessions'; condemned meanwhile, so that a death in the middle makes the next copy what it finds. */
static int
compact_locked(struct index_env *env, struct err *e)
{
	bool suspect = session_is_suspect(env->session_fd);
	char path[4096];
	MDB_txn *txn;
	int rc;

	if (make_fresh(env, path, e) == -1)
		return -1;
	if ((rc = mdb_txn_begin(env->env, NULL, 0, &txn)) != 0)
		return index_err(e, rc, "write");
	session_suspect(env->session_fd, SESSION_CONDEMNED);
	rc = mdb_env_copy2(env->env, path, MDB_CP_COMPACT);
	if (rc != 0)
		index_err(e, rc, "copy");
	/* The writer's lock is held until the copy stands in the place of what it was made from. */
	else if (renameat(env->dir_fd, FRESH "/data.mdb", env->dir_fd, "data.mdb") == -1)
		rc = err_errno(e, "put a new index into %s", env->path);
	else
		unlinkat(env->dir_fd, "lock.mdb", 0);
	if (rc != 0 || !suspect)
		session_suspect(env->session_fd, suspect ? SESSION_CRASHED : SESSION_CLEAN);
	mdb_txn_abort(txn);
	remove_fresh(env);
	return rc == 0 ? 0 : -1;
}

int
index_compact(struct index *ix, uint64_t *before_out, uint64_t *after_out, struct err *e)
{
	struct index_env *env = ix->env;
	int rc;

	index_read_end(ix);
	if (index_check(ix, e) == -1)
		return -1;
	*before_out = data_size(env);
	if (env->session_fd == -1 || !session_lock(env->session_fd, true))
		return err_set(e, ERR_DENIED, "index %s: it can not be replaced", env->path);
	rc = compact_locked(env, e);
	session_lock(env->session_fd, false);
	if (rc == -1)
		return -1;
	*after_out = data_size(env);
	return index_env_refresh(env, e);
}

static int
on_reader(const char *msg, void *ctx)
{
	unsigned *count = ctx;

	/* A line for each, behind one with headings. */
	*count += strstr(msg, "pid") == NULL && strchr(msg, '(') == NULL;
	return 0;
}

int
index_stats(struct index *ix, struct index_stats *out, struct err *e)
{
	struct index_txn *t;
	MDB_envinfo info;
	MDB_stat st;
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	*out = (struct index_stats){ 0 };
	index_read_end(ix);
	mdb_reader_list(ix->env->env, on_reader, &out->readers);
	if (index_read(ix, &t, e) == -1)
		return -1;
	mdb_env_info(ix->env->env, &info);
	mdb_env_stat(ix->env->env, &st);
	out->page_size = st.ms_psize;
	out->pages = info.me_last_pgno + 1;
	out->map_size = info.me_mapsize;
	out->map_max = ix->env->map_max;
	out->file_size = data_size(ix->env);
	for (int db = 0; db < DB_COUNT; db++) {
		rc = mdb_stat(t->txn, ix->env->dbi[db], &st);
		if (rc != 0)
			return index_err(e, rc, index_db_names[db]);
		out->db[db].name = index_db_names[db];
		out->db[db].entries = st.ms_entries;
		out->db[db].size = (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * st.ms_psize;
	}
	rc = mdb_cursor_open(t->txn, 0, &c);
	if (rc != 0)
		return index_err(e, rc, "free pages");
	for (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); rc == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		size_t count = 0;

		if (v.mv_size >= sizeof(count))
			memcpy(&count, v.mv_data, sizeof(count));
		out->free_pages += count;
	}
	mdb_cursor_close(c);
	index_read_end(ix);
	return rc == MDB_NOTFOUND ? 0 : index_err(e, rc, "free pages");
}
