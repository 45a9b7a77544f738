/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/sequence.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/array.h"
#include "lib-filter/sieve/cache.h"

#define NUMBERS_MAX 50		/* sieve_before1 ... */

struct finder {
	const struct sieve_site *site;
	struct arena *a;
	struct sieve_source *first, **tail;
	size_t count;
};

static int
add(struct finder *f, enum sieve_place place, const char *path, const char *setting, struct err *e)
{
	struct sieve_source *s = f->count < SIEVE_SOURCES_MAX ? arena_alloc(f->a, 1, sizeof(*s)) : NULL;

	if (s == NULL)
		return err_set(e, ERR_LIMIT, "there are too many scripts");
	s->place = place;
	s->path = path;
	s->setting = setting;
	*f->tail = s;
	f->tail = &s->next;
	f->count++;
	return 0;
}

static int
by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static int
add_directory(struct finder *f, enum sieve_place place, const char *path, const char *setting, struct err *e)
{
	struct array names = ARRAY_INIT(char *, SIEVE_SOURCES_MAX);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : err_errno(e, "%s: %s", setting, path);
	while ((entry = readdir(dir)) != NULL && rc == 0) {
		struct span name = span_str(entry->d_name);
		char **slot;

		if (name.p[0] == '.' || !span_ends(name, SPAN(".sieve")))
			continue;
		slot = array_push(&names);
		if (slot == NULL || (*slot = arena_printf(f->a, "%s/%s", path, entry->d_name)) == NULL)
			rc = err_set(e, ERR_LIMIT, "%s: there are too many scripts in %s", setting, path);
	}
	closedir(dir);
	if (rc == 0 && names.n > 0)
		qsort(names.p, names.n, sizeof(char *), by_name);
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = add(f, place, *(char **)array_at(&names, i), setting, e);
	array_clear(&names);
	return rc;
}

/* What is not set, or not there, adds nothing. */
static int
add_setting(struct finder *f, enum sieve_place place, const char *setting, struct err *e)
{
	struct sieve_location where;
	struct stat st;

	if (sieve_site_location(f->site, setting, f->a, &where, e) == -1)
		return e->code == ERR_NOTFOUND ? 0 : -1;
	if (stat(where.path, &st) == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "%s: %s", setting, where.path);
	return S_ISDIR(st.st_mode) ? add_directory(f, place, where.path, setting, e) : add(f, place, where.path, setting, e);
}

/* name, name1, name2 ... up to the first that is not set; name1 and name may be missing. */
static int
add_numbered(struct finder *f, enum sieve_place place, const char *name, struct err *e)
{
	struct span value;

	if (add_setting(f, place, name, e) == -1)
		return -1;
	for (int i = 1; i <= NUMBERS_MAX; i++) {
		char *setting = arena_printf(f->a, "%s%d", name, i);

		if (setting == NULL)
			return err_set(e, ERR_LIMIT, "out of memory");
		if (i > 1 && (f->site->setting == NULL || !f->site->setting(f->site->ctx, setting, &value)))
			break;
		if (add_setting(f, place, setting, e) == -1)
			return -1;
	}
	return 0;
}

static int
add_personal(struct finder *f, struct err *e)
{
	struct sieve_location where;
	struct stat st;

	if (sieve_site_personal(f->site, f->a, &where, e) == -1) {
		if (e->code != ERR_NOTFOUND)	/* a user without home has no script */
			return -1;
	} else if (stat(where.active, &st) == 0 && S_ISREG(st.st_mode)) {
		return add(f, SIEVE_PERSONAL, where.active, "sieve", e);
	}
	return add_setting(f, SIEVE_DEFAULT, "sieve_default", e);
}

int
sieve_sequence_find(const struct sieve_site *site, struct arena *a, struct sieve_source **out, struct err *e)
{
	struct finder f = { .site = site, .a = a };

	f.tail = &f.first;
	if (add_numbered(&f, SIEVE_BEFORE, "sieve_before", e) == -1 || add_personal(&f, e) == -1 ||
	    add_numbered(&f, SIEVE_AFTER, "sieve_after", e) == -1 || add_setting(&f, SIEVE_DISCARD, "sieve_discard", e) == -1)
		return -1;
	*out = f.first;
	return 0;
}

/* ---- run ---- */

struct runner {
	struct sieve_compile_options personal, global;
	struct sieve_chain chain;
	size_t max;
};

/* Scripts that are included are found on compiling: all that is asked of this host, whose ctx is the site. */
static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	return sieve_site_include(ctx, personal, name, a, out, e);
}

static void
fail(struct sieve_outcome *out, const struct sieve_source *s, const struct sieve_error *error, const struct err *e)
{
	out->failed = s;
	if (e->code != ERR_NONE)
		snprintf(out->why, sizeof(out->why), "%s: %s", s->setting, e->log);
	else
		snprintf(out->why, sizeof(out->why), "%s: %s: line %u: %s", s->setting, s->path, error->line, error->text);
}

/* For the journal: which script wanted what. */
static void
name_actions(struct sieve_chain *c, const char *path)
{
	for (struct filter_action *a = c->actions; a != NULL; a = a->next)
		if (a->script.n == 0)
			a->script = span_str(path);
	if (c->keep != NULL && c->keep->script.n == 0)
		c->keep->script = span_str(path);
}

static void
run_source(struct runner *r, const struct sieve_source *s, struct sieve_outcome *out)
{
	const struct sieve_compile_options *o = s->place == SIEVE_PERSONAL ? &r->personal : &r->global;
	struct sieve_script *script = NULL;
	struct sieve_error error = { 0 };
	struct err e = ERR_INIT;

	if (sieve_cache_open(s->path, r->max, o, &script, &error, &e) == -1) {
		if (e.code == ERR_NOTFOUND)	/* removed meanwhile */
			return;
		fail(out, s, &error, &e);
		sieve_chain_break(&r->chain);
		return;
	}
	if ((s->place == SIEVE_DISCARD ? sieve_chain_run_discard(&r->chain, script, &error) :
	    sieve_chain_run(&r->chain, script, &error)) == -1)
		fail(out, s, &error, &e);
	name_actions(&r->chain, s->path);
	out->scripts++;
	sieve_script_free(script);
}

/* Nothing would happen to the message. */
static bool
discards(const struct sieve_chain *c)
{
	bool nothing = c->keep == NULL && !c->broken;

	for (const struct filter_action *x = c->actions; x != NULL; x = x->next)
		nothing = nothing && x->kind == FILTER_MARK;
	return nothing;
}

int
sieve_sequence_run(const struct sieve_site *site, const struct filter_message *m, const struct filter_host *host,
    struct arena *a, struct sieve_outcome *out, struct err *e)
{
	struct runner r = { .max = sieve_site_script_max(site) };
	struct filter_host including = { .ctx = (void *)(uintptr_t)site, .script = on_script };
	struct sieve_source *sources;
	struct sieve_limits limits;

	*out = (struct sieve_outcome){ .actions = NULL };
	if (sieve_sequence_find(site, a, &sources, e) == -1)
		return -1;
	sieve_site_limits(site, &limits);
	sieve_site_extensions(site, &r.personal.available, &r.global.available, NULL);
	r.personal.available_global = r.global.available_global = r.global.available;
	r.personal.host = r.global.host = host->script != NULL ? host : &including;
	sieve_chain_begin(&r.chain, m, host, &limits, a);
	for (const struct sieve_source *s = sources; s != NULL && sieve_chain_goes_on(&r.chain); s = s->next)
		if (s->place != SIEVE_DISCARD)
			run_source(&r, s, out);
	for (const struct sieve_source *s = sources; s != NULL; s = s->next)
		if (s->place == SIEVE_DISCARD && out->scripts > 0 && discards(&r.chain))
			run_source(&r, s, out);
	if (sieve_chain_end(&r.chain, &out->actions) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	return 0;
}
