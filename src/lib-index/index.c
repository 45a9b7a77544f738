/* SPDX-License-Identifier: MIT */
/*
 * Opening.  The directory holds LMDB's two files, and `sessions'.  How the index is put in the place of a damaged one:
 * replace.c.
 *
 * meta: "version" (u32, without a checksum), "number" (u32: the last mailbox id or UIDVALIDITY given),
 * "skipped" (see message.c), "batch..." (batch.c),
 * "total" (total.h), "quota" (lib-storage/quota-owner.c).
 */
#include "lib-index/index-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-index/check-priv.h"
#include "lib-index/session.h"

#define MAP_START ((size_t)64 << 20)
#define MAP_SPARE ((size_t)32 << 20)
#define READERS 1022
#define LOCK_SIZE (72 << 10)	/* of the file that LMDB makes for as many */

const char *const index_db_names[DB_COUNT] = {
	[DB_META] = "meta",
	[DB_MAILBOX] = "mailbox",
	[DB_STATE] = "state",
	[DB_MESSAGE] = "message",
	[DB_CHANGE] = "change",
	[DB_SUMMARY] = "summary",
	[DB_KEYWORD] = "keyword",
};

static struct index_env *envs;	/* of this process: see struct index_env */

int
index_err(struct err *e, int rc, const char *what)
{
	if (rc > 0) {
		errno = rc;
		return err_errno(e, "index: %s", what);
	}
	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_CURSOR_FULL:
	case MDB_BAD_TXN:
		return err_set(e, ERR_CORRUPT, "index: %s: %s", what, mdb_strerror(rc));
	case MDB_MAP_FULL:
		return err_set(e, ERR_QUOTA, "index: %s: larger than mail_index_map_size", what);
	default:
		return err_set(e, ERR_TEMP, "index: %s: %s", what, mdb_strerror(rc));
	}
}

static int
databases_open(struct index_env *env, bool create, struct err *e)
{
	MDB_txn *txn;
	MDB_val key = { 7, (char[]){ "version" } }, val;
	char version[4];
	uint32_t is = INDEX_VERSION;
	int rc = mdb_txn_begin(env->env, NULL, create ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return index_err(e, rc, "begin");
	env->opening = txn;
	for (int i = 0; i < DB_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, index_db_names[i], create ? MDB_CREATE : 0, &env->dbi[i]);
	if (rc == 0 && create) {
		be32_put(version, INDEX_VERSION);
		val = (MDB_val){ sizeof(version), version };
		rc = mdb_put(txn, env->dbi[DB_META], &key, &val, MDB_NOOVERWRITE);
		if (rc == MDB_KEYEXIST)
			rc = 0;
	}
	if (rc == 0) {
		rc = mdb_get(txn, env->dbi[DB_META], &key, &val);
		if (rc == 0 && val.mv_size == 4)
			is = be32_get(val.mv_data);
		else if (rc == 0)
			rc = MDB_INVALID;
	}
	if (rc == 0 && is == INDEX_VERSION)
		rc = mdb_txn_commit(txn);	/* also for a reading one: it keeps the handles */
	else
		mdb_txn_abort(txn);
	env->opening = NULL;
	env->version = is;
	if (rc == 0 && is != INDEX_VERSION)
		return err_set(e, ERR_CORRUPT, "it is of version %u, and this Culver's is %u", is, INDEX_VERSION);
	return rc == 0 ? 0 : index_err(e, rc, "databases");
}

static void
on_assert(MDB_env *env, const char *msg)
{
	(void)env;
	index_assert_failed(msg);
}

/*
 * LMDB's lock file is a map that is written to, made with a hole inside: where the disk is full, that would end the process.
 * So its blocks are taken before.
 */
static int
lock_room(const char *path, mode_t mode, struct err *e)
{
	char file[4096];
	struct stat sb;
	int fd, rc = 0;

	if ((size_t)snprintf(file, sizeof(file), "%s/lock.mdb", path) >= sizeof(file))
		return err_set(e, ERR_LIMIT, "index: %s: the path is too long", path);
	if (stat(file, &sb) == 0 && sb.st_size >= LOCK_SIZE && sb.st_blocks * 512 >= LOCK_SIZE)
		return 0;
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, mode);
	if (fd == -1)
		return err_errno(e, "make %s", file);
	if (fallocate(fd, 0, 0, LOCK_SIZE) == -1 && errno != EOPNOTSUPP && errno != ENOSYS)
		rc = err_errno(e, "make room for %s", file);
	close(fd);
	return rc;
}

int
index_env_open(struct index_env *env, const char *path, mode_t mode, bool create, struct err *e)
{
	struct stat sb;
	char file[4096];
	size_t size = MAP_START;
	struct err first = ERR_INIT;
	int rc;

	if (!(env->flags & MDB_NOLOCK) && create && lock_room(path, mode, e) == -1)
		return -1;
	rc = mdb_env_create(&env->env);
	if (rc != 0)
		return index_err(e, rc, "create");
	if (size < env->map_start)
		size = env->map_start;
	if ((size_t)snprintf(file, sizeof(file), "%s/data.mdb", path) < sizeof(file) && stat(file, &sb) == 0)
		while (size / 4 < (size_t)sb.st_size)
			size *= 2;
	else if (!create)
		rc = ENOENT;
	if (env->map_max != 0 && size > env->map_max)
		size = env->map_max;
	mdb_env_set_mapsize(env->env, size);
	mdb_env_set_maxdbs(env->env, DB_COUNT);
	mdb_env_set_maxreaders(env->env, READERS);
	mdb_env_set_assert(env->env, on_assert);
	if (rc == 0)
		rc = mdb_env_open(env->env, path, MDB_NOSYNC | MDB_NOMETASYNC | MDB_NOTLS | MDB_NORDAHEAD | env->flags, mode);
	if (rc != 0)
		index_err(e, rc, path);
	if (rc == 0 && databases_open(env, false, &first) == 0)
		return 0;
	/* A new file has no databases yet: MDB_NOTFOUND. */
	if (rc == 0 && create && first.code != ERR_CORRUPT) {
		if (databases_open(env, true, e) == 0)
			return 0;
	} else if (rc == 0) {
		*e = first;
	}
	index_env_shut(env);
	return -1;
}

void
index_env_shut(struct index_env *env)
{
	if (env->env != NULL)
		mdb_env_close(env->env);
	env->env = NULL;
}

void
index_env_reset_readers(struct index_env *env)
{
	for (struct index *ix = env->handles; ix != NULL; ix = ix->next)
		index_read_end(ix);
}

/* The map grows before a transaction, not in the middle of one, where files have been renamed already. */
int
index_env_room(struct index_env *env, struct err *e)
{
	MDB_envinfo info;
	MDB_stat st;
	size_t used, size;
	int rc;

	mdb_env_info(env->env, &info);
	mdb_env_stat(env->env, &st);
	used = (info.me_last_pgno + 1) * st.ms_psize;
	size = info.me_mapsize;
	/* A copy of every message doubles it, and the pages in use meanwhile can not be used again. */
	if (!env->map_full && size - used > MAP_SPARE && (size - used) / 2 > used)
		return 0;
	if (env->map_max != 0 && size >= env->map_max)
		return 0;		/* MDB_MAP_FULL will tell */
	if (env->map_full)
		size *= 2;
	while (size - used <= MAP_SPARE || (size - used) / 2 <= used)
		size *= 2;
	if (env->map_max != 0 && size > env->map_max)
		size = env->map_max;
	index_env_reset_readers(env);
	rc = mdb_env_set_mapsize(env->env, size);
	env->map_full = false;
	return rc == 0 ? 0 : index_err(e, rc, "grow");
}

static void
handle_reset(struct index *ix)
{
	for (int i = 0; i < DB_COUNT; i++)
		if (ix->read_cursor[i] != NULL)
			mdb_cursor_close(ix->read_cursor[i]);
	memset(ix->read_cursor, 0, sizeof(ix->read_cursor));
	if (ix->read.txn != NULL)
		mdb_txn_abort(ix->read.txn);
	ix->read.txn = NULL;
	ix->reading = false;
}

/* Until it is started again nothing of it may be used: index_read and index_write look. */
static void
env_stop(struct index_env *env)
{
	index_env_shut(env);
	index_private_end(env);
	if (env->session_fd != -1)
		session_leave(env->session_fd, env->session_slot);
	if (env->dir_fd != -1)
		close(env->dir_fd);
	env->session_fd = env->dir_fd = -1;
}

/* Opens it, and finds out what is to be done with it.  1 and why: it must be made anew. */
static int
env_try(struct index_env *env, enum session_verdict verdict, bool others, enum index_salvage *how, char why[240], struct err *e)
{
	struct index_verdict v;
	struct stat sb;
	int64_t since = clock_us();

	*how = INDEX_SALVAGE;
	/* There is nothing to look at, and nothing to be lost. */
	if (fstatat(env->dir_fd, "data.mdb", &sb, 0) == -1 && errno == ENOENT)
		verdict = SESSION_CLEAN;
	switch (verdict) {
	case SESSION_DEADLY:
		snprintf(why, 240, "processes died of opening it");
		*how = INDEX_SALVAGE_NOTHING;
		return 1;
	case SESSION_REBOOTED:
		/* Pages may be lost where nothing shows it (the list of free ones): always copied. */
		snprintf(why, 240, "the system was started anew, and nobody knows what reached the disk");
		*how = INDEX_SALVAGE_DOUBT;
		return 1;
	case SESSION_CONDEMNED:
		snprintf(why, 240, "it is damaged");
		return 1;
	case SESSION_CLEAN:
	case SESSION_CRASHED:
		break;
	}
	/* Also one that nobody died of: a disk may have damaged it, and a session must not be what finds that out. */
	if (index_env_open_guarded(env, env->path, env->mode, true, e) == -1) {
		if (e->code != ERR_CORRUPT)
			return -1;
		if (env->version > INDEX_VERSION && others)
			return err_set(e, ERR_TEMP, "index %s: %s; processes of that version have it open", env->path, e->log);
		snprintf(why, 240, "%s", e->log);
		*e = (struct err)ERR_INIT;
		return 1;
	}
	if (verdict == SESSION_CLEAN)
		return 0;
	if (!mend_env(env, "a process died while it had it open", &v)) {
		snprintf(why, 240, "a process died while it had it open, and left it damaged");
		return 1;
	}
	log_debug("index %s: a process died while it had it open: %zu mailboxes, %zu messages verified in %lld ms, %zu findings",
	    env->path, v.mailboxes, v.messages, (long long)(clock_us() - since) / 1000, v.findings);
	return 0;
}

static int
env_start_shared(struct index_env *env, struct err *e)
{
	enum session_verdict verdict;
	enum index_salvage how;
	struct stat sb;
	char why[240];
	bool others;
	int rc = -1;

	env->dir_fd = open(env->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (env->dir_fd == -1)
		return err_errno(e, "open %s", env->path);
	env->session_slot = -1;		/* nobody else's is emptied when this fails */
	env->version = INDEX_VERSION;
	env->session_fd = session_begin(env->dir_fd, env->mode, &verdict, &others, e);
	if (env->session_fd != -1)
		rc = env_try(env, verdict, others, &how, why, e);
	if (rc == 1)
		rc = index_env_replace(env, how, why, e);
	if (rc == 0) {
		env->session_slot = session_enter(env->session_fd, verdict != SESSION_CLEAN);
		if (fstatat(env->dir_fd, "data.mdb", &sb, 0) == 0) {
			env->data_ino = (uint64_t)sb.st_ino;
			return 0;
		}
		err_errno(e, "stat %s/data.mdb", env->path);
	} else if (env->session_fd != -1) {
		session_opened(env->session_fd);
	}
	env_stop(env);
	return -1;
}

static int
make_dir(const char *path, mode_t mode, struct stat *sb, struct err *e)
{
	if (stat(path, sb) == 0)
		return 0;
	if (errno != ENOENT || (mkdir(path, (mode & 0666) | ((mode & 0444) >> 2)) == -1 && errno != EEXIST) ||
	    stat(path, sb) == -1)
		return err_errno(e, "make the index %s", path);
	return 0;
}

/* The index in the directory, or one of our own when it can not be written. */
static int
env_start(struct index_env *env, struct err *e)
{
	struct err why = ERR_INIT;
	struct stat sb;

	if (make_dir(env->path, env->mode, &sb, &why) == 0) {
		env->dev = (uint64_t)sb.st_dev;
		env->ino = (uint64_t)sb.st_ino;
		if (env_start_shared(env, &why) == 0)
			return 0;
	}
	if (why.code == ERR_DENIED || why.code == ERR_QUOTA)
		return index_private_start(env, &why, e);
	*e = why;
	return -1;
}

bool
index_can_be_shared(const char *path, mode_t mode)
{
	struct err e = ERR_INIT;
	struct stat sb;

	return make_dir(path, mode, &sb, &e) == 0 && access(path, W_OK) == 0 && lock_room(path, mode, &e) == 0;
}

static struct index_env *
env_new(const char *path, mode_t mode, uint64_t map_max, struct err *e)
{
	struct index_env *env = calloc(1, sizeof(*env));

	if (env == NULL || (env->path = strdup(path)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		free(env);
		return NULL;
	}
	env->map_max = map_max;
	env->mode = mode;
	env->session_fd = env->dir_fd = -1;
	if (env_start(env, e) == -1) {
		free(env->path);
		free(env);
		return NULL;
	}
	env->next = envs;
	envs = env;
	return env;
}

int
index_env_refresh(struct index_env *env, struct err *e)
{
	env->generation++;
	for (struct index *ix = env->handles; ix != NULL; ix = ix->next)
		handle_reset(ix);
	env_stop(env);
	return env_start(env, e);
}

static void
env_release(struct index_env *env)
{
	struct index_env **p = &envs;

	if (--env->users > 0)
		return;
	while (*p != env)
		p = &(*p)->next;
	*p = env->next;
	env_stop(env);
	free(env->path);
	free(env);
}

int
index_open(const char *path, mode_t mode, uint64_t map_max, struct index **out, struct err *e)
{
	struct index *ix = calloc(1, sizeof(*ix));
	struct index_env *env;
	struct stat sb;
	bool there;

	if (ix == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	there = stat(path, &sb) == 0;
	for (env = envs; env != NULL; env = env->next)
		if (env->private ? strcmp(env->path, path) == 0 : there && env->dev == (uint64_t)sb.st_dev &&
		    env->ino == (uint64_t)sb.st_ino)
			break;
	if (env == NULL && (env = env_new(path, mode, map_max, e)) == NULL) {
		free(ix);
		return -1;
	}
	env->users++;
	ix->env = env;
	ix->next = env->handles;
	env->handles = ix;
	*out = ix;
	return 0;
}

void
index_close(struct index *ix)
{
	struct index **p;

	if (ix == NULL)
		return;
	handle_reset(ix);
	for (p = &ix->env->handles; *p != ix; p = &(*p)->next)
		;
	*p = ix->next;
	env_release(ix->env);
	free(ix);
}

bool
index_rest(struct index *ix)
{
	struct index_env *env = ix->env;

	handle_reset(ix);
	if (env->env == NULL || env->private || env->suspect || env->users > 1)
		return false;
	session_rest(env->session_fd, env->session_slot, true);
	return true;
}

bool
index_wake(struct index *ix)
{
	struct index_env *env = ix->env;
	struct stat sb;

	/* In it first: whoever wants to be alone from now on sees us. */
	session_rest(env->session_fd, env->session_slot, false);
	return !session_is_suspect(env->session_fd) && stat(env->path, &sb) == 0 && (uint64_t)sb.st_dev == env->dev &&
		(uint64_t)sb.st_ino == env->ino && access(env->path, W_OK) == 0;	/* a file system may be for reading only now */
}

bool
index_is_in_place(const struct index *ix)
{
	const struct index_env *env = ix->env;
	struct stat sb;

	if (stat(env->path, &sb) == -1)
		return errno != ENOENT;
	return env->private || ((uint64_t)sb.st_dev == env->dev && (uint64_t)sb.st_ino == env->ino);
}

unsigned
index_generation(const struct index *ix)
{
	return ix->env->generation;
}

void
index_identity(const struct index *ix, char out[16])
{
	be64_put(out, ix->env->dev);
	be64_put(out + 8, ix->env->ino);
}

void
index_mark_suspect(struct index *ix)
{
	ix->env->suspect = true;
	if (ix->env->session_fd != -1)
		session_suspect(ix->env->session_fd, SESSION_CRASHED);
}

bool
index_is_suspect(const struct index *ix)
{
	return ix->env->suspect;
}

int
index_recover(struct index *ix, struct err *e)
{
	if (ix->env->session_fd != -1)
		session_suspect(ix->env->session_fd, SESSION_CONDEMNED);
	ix->env->suspect = false;
	return index_env_refresh(ix->env, e);
}

int
index_others(struct index *ix, uint32_t *pids, int max, struct err *e)
{
	int n = ix->env->session_fd == -1 ? -1 : 
	    session_others(ix->env->session_fd, ix->env->session_slot, pids, max);

	return n == -1 ? err_set(e, ERR_TEMP, "index: %s: it can not be told who has it open", ix->env->path) : n;
}

void
index_remove(const char *path)
{
	static const char *const files[] = { "data.mdb", "lock.mdb", "sessions" };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(fd, files[i], 0);
	close(fd);
	/* With something else in it, it stays. */
	rmdir(path);
}
