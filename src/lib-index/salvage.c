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
	/* Here, so that they can be ended when reading was rescued. */
	MDB_txn *txn, *out;
	MDB_cursor *cursor;
};

/* Keys must ascend, and be as many as the tree says. */
static bool
read_database(void *ctx)
{
	struct reading *r = ctx;
	MDB_stat st;
	MDB_val k, v;
	char last[512];
	size_t last_n = 0, steps = 0;
	int rc;

	if (mdb_txn_begin(r->from->env, NULL, MDB_RDONLY, &r->txn) != 0 ||
	    mdb_stat(r->txn, r->from->dbi[r->db], &st) != 0 ||
	    mdb_cursor_open(r->txn, r->from->dbi[r->db], &r->cursor) != 0)
		return false;
	if (r->into != NULL && mdb_txn_begin(r->into->env, NULL, 0, &r->out) != 0)
		return false;
	for (rc = mdb_cursor_get(r->cursor, &k, &v, MDB_FIRST); rc == 0; rc = mdb_cursor_get(r->cursor, &k, &v, MDB_NEXT)) {
		struct span key = span_of(k.mv_data, k.mv_size), value = span_of(v.mv_data, v.mv_size);

		if (++steps > st.ms_entries || k.mv_size == 0 || k.mv_size > 511 ||
		    (last_n > 0 && span_cmp(span_of(last, last_n), key) >= 0))
			return false;
		memcpy(last, k.mv_data, k.mv_size);
		last_n = k.mv_size;
		if (r->db == DB_META && span_eq(key, SPAN("version"))) {
			r->good++;
			continue;
		}
		if (!idx_value_open(r->db, key, &value) || !idx_entry_is_valid(r->db, key, value)) {
			r->bad++;
			continue;
		}
		if (r->out != NULL && mdb_put(r->out, r->into->dbi[r->db], &k, &v, r->db == DB_META ? 0 : MDB_APPEND) != 0)
			return false;
		r->good++;
	}
	return rc == MDB_NOTFOUND && steps == st.ms_entries;
}

/*
 * The list of free pages (LMDB's database 0: transaction number -> count, page numbers descending).  A page in it that is
 * out of range would be written to.
 */
static bool
read_free_list(void *ctx)
{
	struct reading *r = ctx;
	MDB_envinfo info;
	MDB_stat st;
	MDB_val k, v;
	size_t steps = 0;
	int rc;

	if (mdb_env_info(r->from->env, &info) != 0 || mdb_txn_begin(r->from->env, NULL, MDB_RDONLY, &r->txn) != 0 ||
	    mdb_stat(r->txn, 0, &st) != 0 || mdb_cursor_open(r->txn, 0, &r->cursor) != 0)
		return false;
	for (rc = mdb_cursor_get(r->cursor, &k, &v, MDB_FIRST); rc == 0; rc = mdb_cursor_get(r->cursor, &k, &v, MDB_NEXT)) {
		size_t page, last = SIZE_MAX, listed, count = v.mv_size / sizeof(size_t);

		if (++steps > st.ms_entries || k.mv_size != sizeof(size_t) || count == 0 || v.mv_size % sizeof(size_t) != 0)
			return false;
		memcpy(&listed, v.mv_data, sizeof(listed));
		if (listed >= count)
			return false;
		for (size_t i = 1; i <= listed; i++, last = page) {
			memcpy(&page, (const char *)v.mv_data + i * sizeof(page), sizeof(page));
			if (page < 2 || page > info.me_last_pgno || page >= last)
				return false;
		}
	}
	return rc == MDB_NOTFOUND && steps == st.ms_entries;
}

/* fn(r), rescued, and what it began ended; what it wrote is kept only when all went well. */
static bool
read_guarded(bool (*fn)(void *), struct reading *r)
{
	bool ok = run_guarded(fn, r);

	if (r->cursor != NULL)
		mdb_cursor_close(r->cursor);
	if (r->txn != NULL)
		mdb_txn_abort(r->txn);
	if (r->out != NULL && ok)
		ok = mdb_txn_commit(r->out) == 0;
	else if (r->out != NULL)
		mdb_txn_abort(r->out);
	return ok;
}

bool
index_env_is_sound(struct index_env *env)
{
	struct reading list = { .from = env };

	if (!read_guarded(read_free_list, &list))
		return false;
	for (int i = 0; i < DB_COUNT; i++) {
		struct reading r = { .from = env, .db = (enum idx_db)i };

		if (!read_guarded(read_database, &r))
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
	bool create;
	struct err *e;
};

static bool
open_it(void *ctx)
{
	struct opening *o = ctx;

	return index_env_open(o->env, o->path, o->mode, o->create, o->e) == 0;
}

int
index_env_open_guarded(struct index_env *env, const char *path, mode_t mode, struct err *e)
{
	struct opening o = { env, path, mode, true, e };

	if (run_guarded(open_it, &o))
		return 0;
	if (e->code == ERR_NONE) {
		env->env = NULL;	/* given up where it stood */
		err_set(e, ERR_CORRUPT, "%s: it can not be opened", path);
	}
	return -1;
}

/*
 * What is read is proved sound first, and copied in a second pass.  Message records whose state or changes are lost with
 * another database are of no use: all come over together, or none.
 */
void
index_salvage(const char *from, mode_t mode, struct index_env *into)
{
	struct index_env *old = calloc(1, sizeof(*old));
	struct err e = ERR_INIT;
	struct opening o = { old, from, mode, false, &e };
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

		sound = read_guarded(read_database, &r) && (r.bad == 0 || i == DB_SUMMARY);
	}
	for (int i = 0; i < DB_COUNT && sound; i++) {
		struct reading r = { .from = old, .into = into, .db = (enum idx_db)i };

		sound = read_guarded(read_database, &r);
		good += r.good;
	}
	if (sound)
		log_debug("index %s: %zu entries taken over", from, good);
	index_env_shut(old);
	free(old);
}
