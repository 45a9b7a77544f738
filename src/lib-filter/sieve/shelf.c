/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/shelf.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "lib/sys.h"
#include "lib-filter/sieve/binary.h"
#include "lib-filter/sieve/cache.h"
#include "lib-filter/sieve/dict.h"

#define SCRIPTS_MAX 50
#define SETTLED_S 3		/* what changed just now may change again within the file system's clock */
#define INCLUDED_MEMORY ((size_t)128 << 20)

struct held {
	char *path;
	char *name;			/* in a dictionary; "": it is none */
	struct stat seen;
	struct sieve_extset available, available_global;
	size_t includes;
	unsigned include_depth;
	struct sieve_script *script;
	uint64_t used;
};

struct sieve_shelf {
	struct held held[SCRIPTS_MAX];
	size_t count;
	uint64_t uses, reads;
	struct sieve_script *passing;	/* the one at hand, which does not stay */
};

struct sieve_shelf *
sieve_shelf_new(void)
{
	return calloc(1, sizeof(struct sieve_shelf));
}

static void
let_go(struct sieve_shelf *s, size_t idx)
{
	free(s->held[idx].path);
	free(s->held[idx].name);
	sieve_script_free(s->held[idx].script);
	s->held[idx] = s->held[--s->count];
}

void
sieve_shelf_free(struct sieve_shelf *s)
{
	if (s == NULL)
		return;
	sieve_shelf_done(s);
	while (s->count > 0)
		let_go(s, 0);
	free(s);
}

void
sieve_shelf_done(struct sieve_shelf *s)
{
	sieve_script_free(s->passing);
	s->passing = NULL;
}

static bool
is_same_file(const struct stat *x, const struct stat *y)
{
	return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_size == y->st_size &&
	    x->st_mtim.tv_sec == y->st_mtim.tv_sec && x->st_mtim.tv_nsec == y->st_mtim.tv_nsec &&
	    x->st_ctim.tv_sec == y->st_ctim.tv_sec && x->st_ctim.tv_nsec == y->st_ctim.tv_nsec;
}

static bool
is_for(const struct held *h, const char *path, struct span name, const struct sieve_compile_options *o)
{
	return strcmp(h->path, path) == 0 && span_eq(span_str(h->name), name) &&
	    memcmp(&h->available, &o->available, sizeof(o->available)) == 0 &&
	    memcmp(&h->available_global, &o->available_global, sizeof(o->available_global)) == 0 &&
	    h->includes == o->includes && h->include_depth == o->include_depth;
}

/* Whether what it includes has the text that it was compiled with. */
static bool
is_current(const struct sieve_script *script, const struct sieve_compile_options *o)
{
	struct arena *a;
	bool same;

	if (script->included == NULL)
		return true;
	a = arena_new(INCLUDED_MEMORY);
	same = a != NULL && sieve_included_is_same(script, o, a);
	arena_free(a);
	return same;
}

static const struct sieve_script *
find(struct sieve_shelf *s, const char *path, struct span name, const struct stat *now, const struct sieve_compile_options *o)
{
	for (size_t i = 0; i < s->count; i++) {
		struct held *h = &s->held[i];

		if (!is_for(h, path, name, o))
			continue;
		if (is_same_file(now, &h->seen) && is_current(h->script, o)) {
			h->used = ++s->uses;
			return h->script;
		}
		let_go(s, i);
		break;
	}
	return NULL;
}

/* Takes the script, if it may stay. */
static bool
hold(struct sieve_shelf *s, const char *path, struct span name, const struct stat *seen, const struct sieve_compile_options *o,
    struct sieve_script *script)
{
	struct held h = { strdup(path), name.n > 0 ? strndup(name.p, name.n) : strdup(""), *seen, o->available,
		o->available_global, o->includes, o->include_depth, script, ++s->uses };
	size_t oldest = 0;

	if (h.path == NULL || h.name == NULL || clock_wall_us() / 1000000 - seen->st_ctim.tv_sec < SETTLED_S) {
		free(h.path);
		free(h.name);
		return false;
	}
	for (size_t i = 1; i < s->count; i++)
		if (s->held[i].used < s->held[oldest].used)
			oldest = i;
	if (s->count == SCRIPTS_MAX)
		let_go(s, oldest);
	s->held[s->count++] = h;
	return true;
}

/* From a dictionary; no binary is kept. */
static int
open_dict(const char *path, struct span name, size_t max, const struct sieve_compile_options *options, struct sieve_script **out,
    struct sieve_error *error, struct err *e)
{
	struct arena *a = arena_new(max + 65536);
	struct span text;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : sieve_dict_read(path, name, max, a, &text, e);

	if (rc == 0) {
		*out = sieve_compile_with(text, options, error);
		rc = *out != NULL ? 0 : err_set(e, ERR_SYNTAX, "%s: %.*s: line %u: %s", path, SPAN_ARG(span_sub(name, 0, 60)), error->line,
		    error->text);
	}
	arena_free(a);
	return rc;
}

int
sieve_shelf_open(struct sieve_shelf *s, const char *path, struct span name, size_t max, const struct sieve_compile_options *options,
    const struct sieve_script **out, struct sieve_error *error, struct err *e)
{
	struct sieve_script *script;
	struct stat now;

	if (stat(path, &now) == -1)
		return err_errno(e, "%s", path);
	*out = find(s, path, name, &now, options);
	if (*out != NULL)
		return 0;
	s->reads++;
	if ((name.n > 0 ? open_dict(path, name, max, options, &script, error, e) :
	    sieve_cache_open(path, max, options, &script, error, e)) == -1)
		return -1;
	*out = script;
	if (!hold(s, path, name, &now, options, script))
		s->passing = script;
	return 0;
}

uint64_t
sieve_shelf_reads(const struct sieve_shelf *s)
{
	return s->reads;
}
