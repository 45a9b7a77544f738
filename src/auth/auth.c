/* SPDX-License-Identifier: MIT */
#include "auth/auth.h"

#include <stdlib.h>
#include <unistd.h>
#include "auth/passdb.h"
#include "auth/userdb.h"

#define FILES_MAX 128
#define ARENA_MAX (4 << 20)
#define LOOKUP_THREADS_MAX 8
#define PENALTY_ADDRESSES_MAX 65536

static void
on_files_change(void *data)
{
	struct auth *a = data;

	cache_flush(a->cache, SPAN_NONE);
}

bool
auth_needs_helper(const struct auth_conf *conf)
{
	for (size_t i = 0; i < conf->passdb_count; i++) {
		const struct passdb_driver *d = passdb_driver_find(conf->passdbs[i].driver);

		if (d != NULL && d->needs_helper)
			return true;
	}
	return false;
}

static unsigned
hash_threads(const struct auth_conf *conf)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus >= 1 && (unsigned long)cpus < conf->worker_max ? (unsigned)cpus : conf->worker_max;
}

struct auth *
auth_new(struct ev_loop *loop, const struct auth_conf *conf, struct helper *helper, struct err *e)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	a->loop = loop;
	a->conf = conf;
	a->helper = helper;
	a->delayed_last = &a->delayed;
	a->arena = arena_new(ARENA_MAX);
	a->cache = cache_new(conf->cache_size, conf->cache_ttl_ms, conf->cache_negative_ttl_ms);
	a->tokens = tokens_new(conf->max_requests * 4);
	a->penalty = penalty_new(PENALTY_ADDRESSES_MAX, conf->penalty_max_ms);
	a->files = passwd_files_new(FILES_MAX, on_files_change, a);
	a->hashers = workers_new(loop, hash_threads(conf), conf->max_requests);
	a->lookups = workers_new(loop, conf->worker_max < LOOKUP_THREADS_MAX ? conf->worker_max : LOOKUP_THREADS_MAX,
	    conf->max_requests);
	if (a->arena == NULL || a->cache == NULL || a->tokens == NULL || a->penalty == NULL || a->files == NULL ||
	    a->hashers == NULL || a->lookups == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else if (passdbs_open(a, e) == 0 && userdbs_open(a, e) == 0)
		return a;
	auth_free(a);
	return NULL;
}

void
auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	workers_free(a->hashers);
	workers_free(a->lookups);
	cache_free(a->cache);
	tokens_free(a->tokens);
	penalty_free(a->penalty);
	passwd_files_free(a->files);
	arena_free(a->arena);
	free(a);
}

size_t
auth_flush_cache(struct auth *a, struct span user)
{
	return cache_flush(a->cache, user);
}
