/* SPDX-License-Identifier: MIT */
#include "lib-deliver/sieve.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "lib/log.h"
#include "lib-filter/sieve/sequence.h"

#define PATHS_MAX 200
#define SETTINGS_SAME 20		/* sieve_before, sieve_before2, ... */

struct deliver_filter {
	struct arena *a;
	struct sieve_site site;
};

static struct sieve_site
site_of(const struct set_view *view, struct span user, struct span home)
{
	return (struct sieve_site){ .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting, .user = user,
				    .home = home.n > 0 ? home : SPAN_NONE };
}

struct deliver_filter *
deliver_filter_new(const struct set_view *view, struct span user, struct span home, struct err *e)
{
	struct deliver_filter *f;
	struct sieve_source *sources;
	struct span bad = SPAN_NONE;
	struct err find_e = ERR_INIT;	/* a file that is not there is told in it too */
	struct sieve_extset personal, global;
	struct arena *a;

	if (!set_list_has(view, SET_mail_plugins, SPAN("sieve")))
		return NULL;
	f = calloc(1, sizeof(*f));
	a = arena_new((size_t)4 << 20);
	if (f == NULL || a == NULL || (f->a = arena_new(1 << 16)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		arena_free(a);
		free(f);
		return NULL;
	}
	f->site = site_of(view, arena_dup(f->a, user), arena_dup(f->a, home));
	/* What is wrong with the settings is told now, not with each message. */
	sieve_site_extensions(&f->site, &personal, &global, &bad);
	if (bad.n > 0)
		log_warning("plugin/sieve_extensions: there is no %.*s", SPAN_ARG(bad));
	if (sieve_sequence_find(&f->site, a, &sources, &find_e) == -1) {
		*e = find_e;
		deliver_filter_free(f);
		f = NULL;
	}
	arena_free(a);
	return f;
}

void
deliver_filter_free(struct deliver_filter *f)
{
	if (f == NULL)
		return;
	arena_free(f->a);
	free(f);
}

int
deliver_filter_run(struct deliver_filter *f, const struct filter_message *m, struct deliver_host *host,
    struct filter_action **out, struct err *e)
{
	struct sieve_outcome outcome;

	if (sieve_sequence_run(&f->site, m, &host->table, host->a, &outcome, e) == -1) {
		/* Settings that became wrong: the message is kept all the same. */
		log_error("sieve: %s", e->log);
		deliver_host_note(host, NULL, "error: %s", e->log);
		*out = arena_alloc(host->a, 1, sizeof(**out));
		if (*out == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		**out = (struct filter_action){ .kind = FILTER_SAVE, .keep = true };
		e->code = ERR_NONE;
		return 0;
	}
	if (outcome.failed != NULL) {
		log_error("sieve: %s", outcome.why);
		deliver_host_note(host, NULL, "error: %s", outcome.why);
	}
	*out = outcome.actions;
	return 0;
}

/* The directory itself, or that of the file. */
static const char *
directory_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return path;
	return slash == NULL ? NULL : arena_printf(a, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

const char *const *
deliver_filter_paths(const struct set_view *view, struct span user, struct span home, const char *const *first, struct arena *a)
{
	static const char *const single[] = { "sieve_default", "sieve_discard", "sieve_global", "sieve_global_dir" };
	static const char *const lists[] = { "sieve_before", "sieve_after" };
	const struct sieve_site site = site_of(view, user, home);
	const char **out = arena_alloc(a, PATHS_MAX, sizeof(*out));
	struct sieve_location where;
	char name[64];
	size_t n = 0;

	if (out == NULL)
		return NULL;
	while (*first != NULL && n < PATHS_MAX / 2)
		out[n++] = *first++;
	if (!set_list_has(view, SET_mail_plugins, SPAN("sieve")))
		return out;
	/* A link there leads to the directory of all scripts, which is in the home as a rule. */
	if (home.n > 0 && (out[n] = arena_cstr(a, home)) != NULL)
		n++;
	for (unsigned i = 0; i <= 2 * SETTINGS_SAME + 4; i++) {
		struct err e = ERR_INIT;
		int rc;

		if (i < 2 * SETTINGS_SAME)
			snprintf(name, sizeof(name), i % SETTINGS_SAME == 0 ? "%s" : "%s%u", lists[i / SETTINGS_SAME],
			    i % SETTINGS_SAME + 1);
		else if (i < 2 * SETTINGS_SAME + 4)
			snprintf(name, sizeof(name), "%s", single[i - 2 * SETTINGS_SAME]);
		rc = i == 2 * SETTINGS_SAME + 4 ? sieve_site_personal(&site, a, &where, &e) :
		    sieve_site_location(&site, name, a, &where, &e);
		if (rc == -1)
			continue;
		if (n < PATHS_MAX - 2 && (out[n] = directory_of(a, where.path)) != NULL)
			n++;
		if (where.active != NULL && n < PATHS_MAX - 2 && (out[n] = directory_of(a, where.active)) != NULL)
			n++;
	}
	return out;
}
