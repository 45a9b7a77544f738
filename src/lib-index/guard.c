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

bool
index_run_guarded(bool (*fn)(void *), void *ctx)
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

struct free_list {
	struct index_env *env;
	MDB_txn *txn;
	MDB_cursor *cursor;
};

/*
 * The list of free pages (LMDB's database 0: transaction number -> count, page numbers descending).  A page in it that is
 * out of range would be written to.
 */
static bool
read_free_list(void *ctx)
{
	struct free_list *r = ctx;
	MDB_envinfo info;
	MDB_stat st;
	MDB_val k, v;
	size_t steps = 0;
	int rc;

	if (mdb_env_info(r->env->env, &info) != 0 || mdb_txn_begin(r->env->env, NULL, MDB_RDONLY, &r->txn) != 0 ||
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

bool
index_free_list_is_sound(struct index_env *env)
{
	struct free_list list = { .env = env };
	bool ok = index_run_guarded(read_free_list, &list);

	if (list.cursor != NULL)
		mdb_cursor_close(list.cursor);
	if (list.txn != NULL)
		mdb_txn_abort(list.txn);
	return ok;
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

/*
 * An environment that died while it was opened can not be closed: that would touch what killed it.  It is kept where leak
 * checkers find it; more than these a process does not meet.
 */
#define GIVEN_UP 256
static struct {
	MDB_env *env;
	MDB_txn *txn;
} given_up[GIVEN_UP];
static size_t given_up_n;

int
index_env_open_guarded(struct index_env *env, const char *path, mode_t mode, bool create, struct err *e)
{
	struct opening o = { env, path, mode, create, e };

	if (index_run_guarded(open_it, &o))
		return 0;
	if (e->code == ERR_NONE) {
		given_up[given_up_n % GIVEN_UP].env = env->env;
		given_up[given_up_n++ % GIVEN_UP].txn = env->opening;
		env->env = NULL;
		env->opening = NULL;
		err_set(e, ERR_CORRUPT, "%s: it can not be opened", path);
	}
	return -1;
}
