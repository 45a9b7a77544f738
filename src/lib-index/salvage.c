/* SPDX-License-Identifier: MIT */
/*
 * Reading an index that may hold anything.  LMDB trusts its file: a damaged page can make it fail an assertion, follow a
 * pointer out of the map, or go in circles.  So while such a file is read, SIGSEGV, SIGBUS and SIGFPE and LMDB's
 * assertions jump back here, steps are counted, and what comes out is checked entry by entry.  The read takes no lock that
 * could be left behind, and the environment is given up afterwards.
 */
#include "lib-index/index-priv.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/log.h"

static sigjmp_buf rescue;
static volatile sig_atomic_t guarded;
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGABRT };

static void
on_fault(int sig)
{
	if (guarded)
		siglongjmp(rescue, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

void
index_assert_failed(const char *msg)
{
	if (guarded)
		siglongjmp(rescue, 1);
	log_fatal("index: %s", msg);
}

/* Runs fn(ctx): its answer, or false when it had to be rescued. */
static bool
run_guarded(bool (*fn)(void *), void *ctx)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER }, old[4];
	volatile bool ok = false;

	for (int i = 0; i < 4; i++)
		sigaction(faults[i], &sa, &old[i]);
	if (sigsetjmp(rescue, 1) == 0) {
		guarded = 1;
		ok = fn(ctx);
	}
	guarded = 0;
	for (int i = 0; i < 4; i++)
		sigaction(faults[i], &old[i], NULL);
	return ok;
}

struct reading {
	struct index_env *from, *into;
	enum idx_db db;
	size_t good, bad;
};

/* Keys must ascend, and be as many as the tree says. */
static bool
read_database(void *ctx)
{
	struct reading *r = ctx;
	MDB_txn *txn = NULL, *out = NULL;
	MDB_cursor *c = NULL;
	MDB_stat st;
	MDB_val k, v;
	char last[512];
	size_t last_n = 0, steps = 0;
	int rc;

	if (mdb_txn_begin(r->from->env, NULL, MDB_RDONLY, &txn) != 0)
		return false;
	if (mdb_stat(txn, r->from->dbi[r->db], &st) != 0 || mdb_cursor_open(txn, r->from->dbi[r->db], &c) != 0) {
		mdb_txn_abort(txn);
		return false;
	}
	if (r->into != NULL && mdb_txn_begin(r->into->env, NULL, 0, &out) != 0)
		out = NULL;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); rc == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		struct span key = span_of(k.mv_data, k.mv_size), value = span_of(v.mv_data, v.mv_size);

		if (++steps > st.ms_entries || k.mv_size == 0 || k.mv_size > 511 ||
		    (last_n > 0 && span_cmp(span_of(last, last_n), key) >= 0)) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(last, k.mv_data, k.mv_size);
		last_n = k.mv_size;
		if (!idx_entry_is_valid(r->db, key, value)) {
			r->bad++;
		} else if (out != NULL && mdb_put(out, r->into->dbi[r->db], &k, &v, r->db == DB_META ? 0 : MDB_APPEND) != 0) {
			rc = MDB_PANIC;
			break;
		} else {
			r->good++;
		}
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	if (out != NULL)
		mdb_txn_commit(out);
	return rc == MDB_NOTFOUND && steps == st.ms_entries;
}

/*
 * The list of free pages (LMDB's database 0: transaction number -> count, page numbers descending).  A page in it that is
 * out of range would be written to.
 */
static bool
read_free_list(void *ctx)
{
	struct index_env *env = ctx;
	MDB_txn *txn = NULL;
	MDB_cursor *c = NULL;
	MDB_envinfo info;
	MDB_stat st;
	MDB_val k, v;
	size_t steps = 0;
	bool ok = true;
	int rc;

	if (mdb_env_info(env->env, &info) != 0 || mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn) != 0)
		return false;
	if (mdb_stat(txn, 0, &st) != 0 || mdb_cursor_open(txn, 0, &c) != 0) {
		mdb_txn_abort(txn);
		return false;
	}
	for (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); rc == 0 && ok; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		size_t id, last = SIZE_MAX, count = v.mv_size / sizeof(size_t);

		ok = ++steps <= st.ms_entries && k.mv_size == sizeof(size_t) && count > 0 && v.mv_size % sizeof(size_t) == 0;
		if (ok)
			memcpy(&id, v.mv_data, sizeof(id));
		ok = ok && id < count;
		for (size_t i = 1, n = ok ? id : 0; i <= n && ok; i++) {
			memcpy(&id, (const char *)v.mv_data + i * sizeof(id), sizeof(id));
			ok = id >= 2 && id <= info.me_last_pgno && id < last;
			last = id;
		}
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	return ok && rc == MDB_NOTFOUND && steps == st.ms_entries;
}

bool
index_env_is_sound(struct index_env *env)
{
	if (!run_guarded(read_free_list, env))
		return false;
	for (int i = 0; i < DB_COUNT; i++) {
		struct reading r = { .from = env, .db = (enum idx_db)i };

		if (!run_guarded(read_database, &r))
			return false;
		if (r.bad > 0 && i != DB_SUMMARY)	/* a bad summary is made again when it is read */
			return false;
	}
	return true;
}

struct opening {
	struct index_env *env;
	const char *path;
	mode_t mode;
};

static bool
open_it(void *ctx)
{
	struct opening *o = ctx;
	struct err e = ERR_INIT;

	return index_env_open(o->env, o->path, o->mode, false, &e) == 0;
}

/*
 * The new environment must not be left in the middle of a write transaction when reading is rescued, so what is read is
 * proved sound first, a database at a time, and copied in a second pass over the same pages.  Message records whose state
 * or changes are lost with another database are of no use: all but the summaries come over together, or none.
 */
void
index_salvage(const char *from, mode_t mode, struct index_env *into)
{
	struct index_env *old = calloc(1, sizeof(*old));
	struct opening o = { old, from, mode };
	bool sound = true;
	size_t good = 0;

	if (old == NULL)
		return;
	if (!run_guarded(open_it, &o)) {
		free(old);
		return;		/* the environment is lost with it: bounded, and rare */
	}
	for (int i = 0; i < DB_COUNT && sound; i++) {
		struct reading r = { .from = old, .db = (enum idx_db)i };

		sound = run_guarded(read_database, &r) && (r.bad == 0 || i == DB_SUMMARY);
	}
	for (int i = 0; i < DB_COUNT && sound; i++) {
		struct reading r = { .from = old, .into = into, .db = (enum idx_db)i };

		sound = run_guarded(read_database, &r);
		good += r.good;
	}
	if (sound)
		log_debug("index %s: %zu entries taken over", from, good);
	index_env_shut(old);
	free(old);
}
