/* SPDX-License-Identifier: MIT */
#include "lib-deliver/sieve.h"

#include <stdlib.h>
#include "lib/log.h"
#include "lib-filter/sieve/sequence.h"
#include "lib-filter/sieve/setting.h"

#define LISTS_MAX 64

struct deliver_filter {
	struct arena *a;
	struct sieve_site site;
	struct sieve_sequence *sequence;
};

/* The site keeps no view of its own: a setting is asked for when it is needed. */
static struct sieve_site
site_of(const struct set_view *view, struct span user, struct span home)
{
	return (struct sieve_site){ .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting, .user = user, .home = home };
}

/* A user may go without. */
static bool
is_on(const struct set_view *view)
{
	bool enabled;

	return set_list_has(view, SET_mail_plugins, SPAN("sieve")) &&
	    (!sieve_parse_bool(set_plugin(view, "sieve_enabled"), &enabled) || enabled);
}

struct deliver_filter *
deliver_filter_new(const struct set_view *view, struct span user, struct span home, struct err *e)
{
	struct sieve_extset personal, global;
	struct deliver_filter *f;
	struct span bad;

	if (!is_on(view))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (f == NULL || (f->a = arena_new(65536)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		free(f);
		return NULL;
	}
	f->site = site_of(view, arena_dup(f->a, user), home.n > 0 ? arena_dup(f->a, home) : SPAN_NONE);
	sieve_site_extensions(&f->site, &personal, &global, &bad);
	if (bad.n > 0)
		log_warning("plugin/sieve_extensions: there is no %.*s", SPAN_ARG(bad));
	if (sieve_sequence_open(&f->site, &f->sequence, e) == 0)
		return f;
	err_wrap(e, "plugin");
	deliver_filter_free(f);
	return NULL;
}

void
deliver_filter_free(struct deliver_filter *f)
{
	if (f == NULL)
		return;
	sieve_sequence_close(f->sequence);
	arena_free(f->a);
	free(f);
}

void
deliver_filter_share(struct deliver_filter *f, struct sieve_shelf *shelf)
{
	f->site.shelf = shelf;
}

/* For the administrator, and for who asks why the message was kept. */
static void
complain(struct deliver_host *host, const struct sieve_failure *x)
{
	if (x->line == 0)
		log_error("sieve: %s: %s", x->path, x->why);
	else
		log_error("sieve: %s: line %u: %s", x->path, x->line, x->why);
	deliver_host_note(host, NULL, "%s line %u: error: %s", x->path, x->line, x->why);
}

int
deliver_filter_run(struct deliver_filter *f, const struct filter_message *m, struct deliver_host *host,
    struct filter_action **out, struct err *e)
{
	struct sieve_outcome o;

	if (sieve_sequence_run(f->sequence, m, &host->table, host->a, &o, e) == -1)
		return -1;
	for (const struct sieve_failure *x = o.failures; x != NULL; x = x->next)
		complain(host, x);
	*out = o.actions;
	return 0;
}

const char *const *
deliver_filter_paths(const struct set_view *view, struct span user, struct span home, const char *const *first, struct arena *a)
{
	struct sieve_site site = site_of(view, user, home.n > 0 ? home : SPAN_NONE);
	struct sieve_sequence *q = NULL;
	const char *const *more = NULL;
	const char *lists[LISTS_MAX];
	struct err e = ERR_INIT;
	size_t count = 2, n = 0, list_count;
	const char **out;

	if (!is_on(view))
		return first;
	/* Wrong settings are told when mail comes: here they allow nothing. */
	if (sieve_sequence_open(&site, &q, &e) == 0)
		more = sieve_sequence_paths(q, a);
	for (size_t i = 0; first[i] != NULL; i++)
		count++;
	for (size_t i = 0; more != NULL && more[i] != NULL; i++)
		count++;
	list_count = filter_list_dirs(view, user, home, a, lists, LISTS_MAX);
	out = arena_alloc(a, count + list_count, sizeof(*out));
	for (size_t i = 0; out != NULL && first[i] != NULL; i++)
		out[n++] = first[i];
	/* A link there leads to the directory of all scripts, which is in the home as a rule. */
	if (out != NULL && home.n > 0 && (out[n++] = arena_cstr(a, home)) == NULL)
		out = NULL;
	for (size_t i = 0; out != NULL && more != NULL && more[i] != NULL; i++)
		out[n++] = more[i];
	for (size_t i = 0; out != NULL && i < list_count; i++)
		out[n++] = lists[i];
	sieve_sequence_close(q);
	return out;
}

int
deliver_filter_writes(const struct set_view *view, struct span user, struct span home, struct arena *a, const char *const **rw,
    struct err *e)
{
	struct sieve_site site = site_of(view, user, home.n > 0 ? home : SPAN_NONE);
	struct sieve_sequence *q = NULL;
	struct err ignored = ERR_INIT;
	const char *log, **more;
	size_t n = 0;

	if (!is_on(view) || sieve_sequence_open(&site, &q, &ignored) == -1)
		return 0;
	log = sieve_sequence_log_path(q, a);
	sieve_sequence_close(q);
	if (log == NULL)
		return 0;
	while ((*rw)[n] != NULL)
		n++;
	more = arena_alloc(a, n + 2, sizeof(*more));
	if (more == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	memcpy(more, *rw, n * sizeof(*more));
	more[n] = log;
	*rw = more;
	return 0;
}
