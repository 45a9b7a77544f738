/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/sequence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/sys.h"
#include "lib-filter/sieve/dict.h"
#include "lib-filter/sieve/imapsieve.h"
#include "lib-filter/sieve/shelf.h"

#define NUMBERS_MAX 50		/* sieve_before1 ... */
#define SOURCES_MAX 200		/* scripts that run on one message */
#define USER_LOG_MAX 10240
#define CHANGED_LATELY (7 * 86400)	/* seconds */
#define MEMORY_MAX ((size_t)1 << 20)

struct location {		/* as a setting says it */
	struct location *next;
	enum sieve_place place;
	const char *path, *setting;
	struct span name;	/* of the script in the dictionary or directory that path is; empty: none is named */
	bool dict;
};

struct source {			/* a script that is there */
	struct source *next;
	enum sieve_place place;
	const char *path;
	struct span name;	/* in the dictionary that path is; empty: it is none */
};

struct sieve_sequence {
	const struct sieve_site *site;
	struct arena *a;
	struct location *locations, **tail;
	const char *dir, *active;	/* of the user; NULL: the user has no home, or */
	struct sieve_location dict;	/* a script in a dictionary: path is not NULL */
	const char *user_log;	/* NULL: it is beside the script */
	struct sieve_limits limits;
	size_t script_max;
	struct sieve_compile_options personal, global;
	struct filter_host including;	/* whose `script' is the site's */
	struct sieve_shelf *shelf;	/* of what is not on the site's */
	bool only_look;
};

/* ---- the settings ---- */

/* What is not set is no error, and leaves none. */
static int
unless_missing(struct err *e)
{
	if (e->code != ERR_NOTFOUND)
		return -1;
	*e = (struct err)ERR_INIT;
	return 0;
}

static int
add_setting(struct sieve_sequence *q, enum sieve_place place, const char *setting, struct err *e)
{
	struct sieve_location where;
	struct location *loc;

	if (sieve_site_location(q->site, setting, q->a, &where, e) == -1)
		return unless_missing(e);
	if (!where.dict && where.name.n > 0 && !sieve_name_is_valid(where.name))
		return err_set(e, ERR_SYNTAX, "%s: \"%.*s\" is no name of a script", setting, SPAN_ARG(span_sub(where.name, 0, 100)));
	loc = arena_alloc(q->a, 1, sizeof(*loc));
	if (loc == NULL)
		return err_set(e, ERR_LIMIT, "there are too many scripts");
	*loc = (struct location){ .place = place, .path = where.path, .setting = setting, .name = where.name, .dict = where.dict };
	*q->tail = loc;
	q->tail = &loc->next;
	return 0;
}

/* name, name1, name2 ... up to the first that is not set; name and name1 may be missing. */
static int
add_numbered(struct sieve_sequence *q, enum sieve_place place, const char *name, struct err *e)
{
	struct span value;

	if (add_setting(q, place, name, e) == -1)
		return -1;
	for (int i = 1; i <= NUMBERS_MAX; i++) {
		char *setting = arena_printf(q->a, "%s%d", name, i);

		if (setting == NULL)
			return err_set(e, ERR_LIMIT, "out of memory");
		if (i > 1 && (q->site->setting == NULL || !q->site->setting(q->site->ctx, setting, &value)))
			break;
		if (add_setting(q, place, setting, e) == -1)
			return -1;
	}
	return 0;
}

/* The second name is an old one of Dovecot's. */
static int
add_default(struct sieve_sequence *q, struct err *e)
{
	struct location **before = q->tail;

	if (add_setting(q, SIEVE_DEFAULT, "sieve_default", e) == -1)
		return -1;
	return q->tail != before ? 0 : add_setting(q, SIEVE_DEFAULT, "sieve_global_path", e);
}

/* A user without home has no script. */
static int
find_personal(struct sieve_sequence *q, struct err *e)
{
	struct sieve_location where;

	if (sieve_site_user_log(q->site, q->a, &q->user_log, e) == -1 && unless_missing(e) == -1)
		return -1;
	if (sieve_site_personal_dict(q->site, q->a, &q->dict))
		return 0;
	if (sieve_site_personal(q->site, q->a, &where, e) == -1)
		return unless_missing(e);
	q->dir = where.path;
	q->active = where.active;
	return 0;
}

static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const struct sieve_sequence *q = ctx;

	return sieve_site_include(q->site, personal, name, a, out, e);
}

static struct sieve_sequence *
sequence_new(const struct sieve_site *site, struct err *e)
{
	struct sieve_sequence *q = calloc(1, sizeof(*q));

	if (q == NULL || (q->a = arena_new(MEMORY_MAX)) == NULL || (q->shelf = sieve_shelf_new()) == NULL) {
		sieve_sequence_close(q);
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	q->site = site;
	q->tail = &q->locations;
	sieve_site_limits(site, &q->limits);
	q->script_max = sieve_site_script_max(site);
	sieve_site_extensions(site, &q->personal.available, &q->global.available, NULL);
	sieve_site_include_limits(site, &q->personal);
	sieve_site_include_limits(site, &q->global);
	q->personal.available_global = q->global.available_global = q->global.available;
	q->including = (struct filter_host){ .ctx = q, .script = on_script };
	return q;
}

int
sieve_sequence_open(const struct sieve_site *site, struct sieve_sequence **out, struct err *e)
{
	struct sieve_sequence *q = sequence_new(site, e);

	if (q == NULL)
		return -1;
	if (add_numbered(q, SIEVE_BEFORE, "sieve_before", e) == -1 || find_personal(q, e) == -1 ||
	    add_default(q, e) == -1 || add_numbered(q, SIEVE_AFTER, "sieve_after", e) == -1 ||
	    add_setting(q, SIEVE_DISCARD, "sieve_discard", e) == -1) {
		sieve_sequence_close(q);
		return -1;
	}
	*out = q;
	return 0;
}

int
sieve_sequence_open_steps(const struct sieve_site *site, struct sieve_sequence **out, struct err *e)
{
	struct sieve_sequence *q = sequence_new(site, e);
	struct sieve_compile_options *options[] = { q == NULL ? NULL : &q->personal, q == NULL ? NULL : &q->global };

	if (q == NULL)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		options[i]->available = imapsieve_available(&options[i]->available);
		options[i]->available_global = imapsieve_available(&options[i]->available_global);
	}
	if (find_personal(q, e) == -1) {
		sieve_sequence_close(q);
		return -1;
	}
	*out = q;
	return 0;
}

void
sieve_sequence_only_look(struct sieve_sequence *q)
{
	q->only_look = q->personal.no_binary = q->global.no_binary = true;
}

void
sieve_sequence_close(struct sieve_sequence *q)
{
	if (q == NULL)
		return;
	sieve_shelf_free(q->shelf);
	arena_free(q->a);
	free(q);
}

static const char *
directory_of(const char *path, struct arena *a)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return arena_cstr(a, span_str(path));
	return arena_printf(a, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

const char *const *
sieve_sequence_paths(const struct sieve_sequence *q, struct arena *a)
{
	struct sieve_location where;
	struct err e = ERR_INIT;
	size_t count = 6, n = 0;
	const char **out;

	for (const struct location *loc = q->locations; loc != NULL; loc = loc->next)
		count++;
	out = arena_alloc(a, count, sizeof(*out));
	if (out == NULL)
		return NULL;
	if (q->dir != NULL)
		out[n++] = arena_cstr(a, span_str(q->dir));
	if (q->active != NULL)
		out[n++] = directory_of(q->active, a);
	if (q->dict.path != NULL)
		out[n++] = directory_of(q->dict.path, a);
	for (const struct location *loc = q->locations; loc != NULL; loc = loc->next)
		out[n++] = directory_of(loc->path, a);
	if (sieve_site_location(q->site, "sieve_global", a, &where, &e) == 0)
		out[n++] = where.dict ? directory_of(where.path, a) : where.path;
	if (sieve_site_location(q->site, "sieve_global_dir", a, &where, &e) == 0)
		out[n++] = where.dict ? directory_of(where.path, a) : where.path;
	for (size_t i = 0; i < n; i++)
		if (out[i] == NULL)
			return NULL;
	return out;
}

const char *
sieve_sequence_log_path(const struct sieve_sequence *q, struct arena *a)
{
	const char *path;
	struct stat script, log;

	if (q->user_log != NULL)
		return directory_of(q->user_log, a);
	if (q->active == NULL || stat(q->active, &script) == -1 || !S_ISREG(script.st_mode) ||
	    (path = arena_printf(a, "%s.log", q->active)) == NULL)
		return NULL;
	if (lstat(path, &log) == -1) {
		int fd = errno != ENOENT || clock_wall_us() / 1000000 - script.st_mtime > CHANGED_LATELY ? -1 :
		    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd == -1)
			return NULL;
		close(fd);
		return path;
	}
	return S_ISREG(log.st_mode) ? path : NULL;
}

/* ---- failures ---- */

struct run {
	struct sieve_sequence *q;
	struct sieve_chain chain;
	struct arena *a;
	struct sieve_outcome *out;
	struct sieve_failure **failures;
};

/* For the user to read: what is wrong with the script, beside it, as Dovecot has it. */
static void
tell_user(const struct sieve_sequence *q, const struct source *s, unsigned line, const char *why, struct arena *a)
{
	const char *path = q->user_log != NULL ? q->user_log : arena_printf(a, "%s.log", s->path);
	char *text = arena_printf(a, "%s: line %u: error: %s\n", s->path, line, why);
	int fd = path == NULL || text == NULL ? -1 :
	    open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct err e = ERR_INIT;
	struct stat st;

	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (st.st_size > USER_LOG_MAX && ftruncate(fd, 0) == -1)
			st.st_size = USER_LOG_MAX;
		fd_write_all(fd, span_str(text), &e);	/* that it is in our log is enough */
	}
	close(fd);
}

static void
fail(struct run *r, const struct source *s, const struct sieve_error *error, const struct err *e)
{
	struct sieve_failure *f = arena_alloc(r->a, 1, sizeof(*f));
	bool script = error->text[0] != '\0';

	if (f == NULL)
		return;
	f->place = s->place;
	f->path = s->path;
	f->line = script ? error->line : 0;
	f->why = arena_printf(r->a, "%s", script ? error->text : e->log);
	if (f->why == NULL)
		f->why = "out of memory";
	*r->failures = f;
	r->failures = &f->next;
	if (s->place == SIEVE_PERSONAL && (s->name.n == 0 || r->q->user_log != NULL) && !r->q->only_look)
		tell_user(r->q, s, f->line, f->why, r->a);
}

/* ---- the scripts that are there ---- */

struct finder {
	struct run *r;
	struct arena *a;
	struct source *first, **tail;
	size_t count;
};

static int
add(struct finder *f, enum sieve_place place, const char *path, struct span name, struct err *e)
{
	struct source *s = f->count < SOURCES_MAX ? arena_alloc(f->a, 1, sizeof(*s)) : NULL;

	if (s == NULL)
		return err_set(e, ERR_LIMIT, "there are too many scripts");
	s->place = place;
	s->path = path;
	s->name = name;
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

/* What can not be looked at is told, and passed over. */
static int
unreadable(struct finder *f, const struct location *loc)
{
	const struct source s = { .place = loc->place, .path = loc->path };
	const struct sieve_error none = { .line = 0 };
	struct err e = ERR_INIT;

	if (errno != ENOENT && errno != ENOTDIR) {
		err_errno(&e, "%s", loc->setting);
		fail(f->r, &s, &none, &e);
	}
	return 0;
}

/* A directory stands for its files *.sieve, in the order of their names. */
static int
add_directory(struct finder *f, const struct location *loc, struct err *e)
{
	struct array names = ARRAY_INIT(char *, SOURCES_MAX);
	DIR *dir = opendir(loc->path);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return unreadable(f, loc);
	while ((entry = readdir(dir)) != NULL && rc == 0) {
		struct span name = span_str(entry->d_name);
		char **slot;

		if (name.p[0] == '.' || !span_ends(name, SPAN(".sieve")))
			continue;
		slot = array_push(&names);
		if (slot == NULL || (*slot = arena_printf(f->a, "%s/%s", loc->path, entry->d_name)) == NULL)
			rc = err_set(e, ERR_LIMIT, "%s: there are too many scripts in %s", loc->setting, loc->path);
	}
	closedir(dir);
	if (rc == 0 && names.n > 0)
		qsort(names.p, names.n, sizeof(char *), by_name);
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = add(f, loc->place, *(char **)array_at(&names, i), SPAN(""), e);
	array_clear(&names);
	return rc;
}

/* The one script of the directory that is meant. */
static int
add_named(struct finder *f, const struct location *loc, struct err *e)
{
	char *path = arena_printf(f->a, "%s/%.*s.sieve", loc->path, SPAN_ARG(loc->name));
	struct location one = *loc;
	struct stat st;

	if (path == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	one.path = path;
	return stat(path, &st) == -1 ? unreadable(f, &one) : add(f, loc->place, path, SPAN(""), e);
}

static int
add_location(struct finder *f, const struct location *loc, struct err *e)
{
	struct stat st;

	if (stat(loc->path, &st) == -1)
		return unreadable(f, loc);
	if (S_ISDIR(st.st_mode))
		return loc->name.n == 0 ? add_directory(f, loc, e) : add_named(f, loc, e);
	return add(f, loc->place, loc->path, loc->dict ? loc->name : SPAN(""), e);
}

/* The user's, in a dictionary: one that is not there leaves the default. */
static bool
has_dict_script(const struct sieve_sequence *q)
{
	struct arena *a = q->dict.path == NULL ? NULL : arena_new(q->script_max + 65536);
	struct err e = ERR_INIT;
	struct span text;
	bool there = a != NULL && (sieve_dict_read(q->dict.path, q->dict.name, q->script_max, a, &text, &e) == 0 ||
	    e.code != ERR_NOTFOUND);

	arena_free(a);
	return there;
}

static int
find_sources(struct run *r, struct source **out, struct err *e)
{
	struct finder f = { .r = r, .a = r->a };
	const struct sieve_sequence *q = r->q;
	bool asked = false, own = false;
	struct stat st;

	f.tail = &f.first;
	for (const struct location *loc = q->locations;; loc = loc->next) {
		/* The user's comes behind the last that is before it. */
		if (!asked && (loc == NULL || loc->place != SIEVE_BEFORE)) {
			asked = true;
			own = q->active != NULL && stat(q->active, &st) == 0 && S_ISREG(st.st_mode);
			if (own && add(&f, SIEVE_PERSONAL, q->active, SPAN(""), e) == -1)
				return -1;
			own = own || has_dict_script(q);
			if (own && q->dict.path != NULL && add(&f, SIEVE_PERSONAL, q->dict.path, q->dict.name, e) == -1)
				return -1;
		}
		if (loc == NULL)
			break;
		if (!(loc->place == SIEVE_DEFAULT && own) && add_location(&f, loc, e) == -1)
			return -1;
	}
	*out = f.first;
	return 0;
}

int
sieve_sequence_each(struct sieve_sequence *q, struct arena *a, void (*each)(void *ctx, enum sieve_place place, const char *path),
    void *ctx, struct err *e)
{
	struct sieve_outcome o = { .failures = NULL };
	struct run r = { .q = q, .a = a, .out = &o, .failures = &o.failures };
	struct source *sources;

	if (find_sources(&r, &sources, e) == -1)
		return -1;
	for (const struct source *s = sources; s != NULL; s = s->next)
		if (s->name.n == 0)
			each(ctx, s->place, s->path);
	return 0;
}

/* ---- run ---- */

static void
run_script(struct run *r, const struct source *s, const struct sieve_script *script)
{
	struct sieve_error error = { 0 };
	struct err e = ERR_INIT;

	r->chain.name = span_str(s->path);
	if ((s->place == SIEVE_DISCARD ? sieve_chain_run_discard(&r->chain, script, &error) :
	    sieve_chain_run(&r->chain, script, &error)) == -1)
		fail(r, s, &error, &e);
	else
		r->out->scripts++;
}

static void
run_source(struct run *r, const struct source *s)
{
	const struct sieve_compile_options *o = s->place == SIEVE_PERSONAL ? &r->q->personal : &r->q->global;
	struct sieve_shelf *shelf = s->place != SIEVE_PERSONAL && r->q->site->shelf != NULL ? r->q->site->shelf : r->q->shelf;
	const struct sieve_script *script;
	struct sieve_error error = { 0 };
	struct err e = ERR_INIT;

	if (sieve_shelf_open(shelf, s->path, s->name, r->q->script_max, o, &script, &error, &e) == 0) {
		run_script(r, s, script);
		sieve_shelf_done(shelf);
		return;
	}
	if (e.code != ERR_NOTFOUND)	/* removed meanwhile */
		fail(r, s, &error, &e);
	if (s->place == SIEVE_DISCARD)
		sieve_chain_keep(&r->chain);
}

/* Nothing would happen to the message. */
static bool
discards(const struct sieve_chain *c)
{
	bool nothing = c->keep == NULL;

	for (const struct filter_action *x = c->actions; x != NULL; x = x->next)
		nothing = nothing && filter_does_nothing(x->kind);
	return nothing;
}

int
sieve_sequence_run(struct sieve_sequence *q, const struct filter_message *m, const struct filter_host *host, struct arena *a,
    struct sieve_outcome *out, struct err *e)
{
	struct run r = { .q = q, .a = a, .out = out, .failures = &out->failures };
	struct source *sources;

	*out = (struct sieve_outcome){ .actions = NULL };
	if (find_sources(&r, &sources, e) == -1)
		return -1;
	q->personal.host = q->global.host = host->script != NULL ? host : &q->including;
	sieve_chain_begin(&r.chain, m, host, &q->limits, a);
	for (const struct source *s = sources; s != NULL; s = s->next)
		if (s->place == SIEVE_DISCARD ? discards(&r.chain) : sieve_chain_goes_on(&r.chain))
			run_source(&r, s);
	if (sieve_chain_end(&r.chain, &out->actions) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	return 0;
}

int
sieve_sequence_run_steps(struct sieve_sequence *q, const struct sieve_step *steps, size_t count, const struct filter_message *m,
    const struct filter_host *host, struct arena *a, struct sieve_outcome *out, struct err *e)
{
	static const struct sieve_error none = { .line = 0 };
	struct run r = { .q = q, .a = a, .out = out, .failures = &out->failures };

	*out = (struct sieve_outcome){ .actions = NULL };
	q->personal.host = q->global.host = host->script != NULL ? host : &q->including;
	sieve_chain_begin(&r.chain, m, host, &q->limits, a);
	for (size_t i = 0; i < count && sieve_chain_goes_on(&r.chain); i++) {
		const struct source s = { .place = steps[i].place, .path = steps[i].path };
		struct err one = ERR_INIT;

		if (access(s.path, R_OK) == -1) {
			err_errno(&one, "the script can not be read");
			fail(&r, &s, &none, &one);
		} else {
			run_source(&r, &s);
		}
	}
	if (sieve_chain_end(&r.chain, &out->actions) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	return 0;
}
