/* SPDX-License-Identifier: MIT */
/*
 * Where the index can not be written (a file system mounted for reading only, somebody else's mail, a full disk on which
 * there is no index yet), a session has one of its own, in a memory file that is gone with it.  It begins with what
 * stands in the directory, when that can be read and is sound, else it is made from the mail.  Nothing that is decided in it
 * outlives it, and no other process sees it: so mailboxes are for reading only, and drivers leave the mail as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-index/check-priv.h"

#define RETRY_MS 100

struct opening {
	struct index_env *env;
	const char *path;
	struct err *e;
};

static bool
open_it(void *ctx)
{
	struct opening *o = ctx;

	return index_env_open(o->env, o->path, 0600, false, o->e) == 0;
}

/* An empty one. */
static int
make(struct index_env *env, struct err *e)
{
	char path[64];
	struct stat sb;

	env->private_fd = memfd_create("culver-index", MFD_CLOEXEC);
	if (env->private_fd == -1)
		return err_errno(e, "memfd_create");
	env->private = true;
	env->flags = MDB_NOSUBDIR | MDB_NOLOCK;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", env->private_fd);
	if (index_env_open(env, path, 0600, true, e) == -1 || fstat(env->private_fd, &sb) == -1) {
		index_private_end(env);
		return -1;
	}
	env->dev = (uint64_t)sb.st_dev;
	env->ino = env->data_ino = (uint64_t)sb.st_ino;
	return 0;
}

void
index_private_end(struct index_env *env)
{
	index_env_shut(env);
	if (env->private)
		close(env->private_fd);
	env->private = false;
	env->flags = 0;
}

int
index_private_start(struct index_env *env, const struct err *why, struct err *e)
{
	struct index_env old = { .path = env->path, .flags = MDB_RDONLY | MDB_NOLOCK };
	struct salvaged got = { 0 };
	struct index_verdict v;
	struct err old_e = ERR_INIT;
	struct opening o = { &old, env->path, &old_e };

	if (make(env, e) == -1)
		return -1;
	env->private_why = why->code;
	env->private_since = clock_ms();
	/* Without a lock others may write meanwhile: what is copied is looked at as after a crash. */
	if (index_run_guarded(open_it, &o)) {
		if (!index_salvage(&old, env, false, false, &got) || !mend_env(env, "read without a lock", &v)) {
			index_private_end(env);
			got = (struct salvaged){ 0 };
			if (make(env, e) == -1)
				return -1;
		}
		index_env_shut(&old);
	}
	log_warning("index %s: %s: this session has one of its own in memory, for reading only, which begins with %zu messages",
	    env->path, why->log, got.messages);
	return 0;
}

bool
index_is_private(const struct index *ix)
{
	return ix->env->private;
}

void
index_private_retry(struct index *ix)
{
	struct index_env *env = ix->env;
	struct err e = ERR_INIT;

	if (!env->private || clock_ms() - env->private_since < RETRY_MS)
		return;
	env->private_since = clock_ms();
	if (index_can_be_shared(env->path, env->mode))
		index_env_refresh(env, &e);	/* what fails here is met again by who next reads */
}

int
index_private_refuse(const struct index *ix, struct err *e)
{
	return err_set(e, ix->env->private_why == ERR_QUOTA ? ERR_QUOTA : ERR_TEMP, "index %s: it can not be written", ix->env->path);
}
