/* SPDX-License-Identifier: MIT */
/* filter check: what is wrong with scripts and rcfiles, and what of them is done otherwise than their authors may think. */
#include "adm/adm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "adm/check.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-deliver/recipes.h"
#include "lib-filter/sieve/sequence.h"
#include "lib-filter/sieve/store.h"

#define USER_MEMORY ((size_t)16 << 20)

enum language { ANY, SIEVE, PROCMAIL };

struct job {
	enum language language;
	bool strict;
	struct check check;
};

/* ---- findings ---- */

static void
on_found(void *ctx, bool is_error, const char *path, unsigned line, const char *text)
{
	struct job *j = ctx;
	const char *kind = is_error ? "error" : "warning";

	if (j->check.f != NULL) {
		format_value(j->check.f, span_str(path));
		format_valuef(j->check.f, "%u", line);
		format_value(j->check.f, span_str(kind));
		format_value(j->check.f, span_str(text));
	} else if (line == 0) {
		adm_say(stdout, "%s: %s: %s\n", path, kind, text);
	} else {
		adm_say(stdout, "%s:%u: %s: %s\n", path, line, kind, text);
	}
}

static int
status_of(const struct job *j)
{
	return j->check.errors > 0 ? ADM_DATA : j->strict && j->check.warnings > 0 ? ADM_FAILED : ADM_OK;
}

/* ---- files ---- */

static int
check_one(struct job *j, const char *path)
{
	struct buf text = BUF_INIT(CHECK_FILE_MAX);
	struct err e = ERR_INIT;
	enum language language = j->language;
	int rc = ADM_OK;

	if (file_read(path, CHECK_FILE_MAX, &text, &e) == -1) {
		buf_clear(&text);
		return adm_fail_err(&e, path);
	}
	if (language == ANY)
		language = check_is_rcfile(path, buf_span(&text)) ? PROCMAIL : SIEVE;
	if (!(language == SIEVE ? check_sieve(&j->check, path, buf_span(&text), true) : check_procmail(&j->check, path)))
		rc = adm_fail(ADM_TEMP, "out of memory");
	buf_clear(&text);
	return rc;
}

static bool
runs_none(const struct set_view *view)
{
	return span_ieq(set_str(view, SET_procmail_programs), SPAN("no"));
}

/* The settings that are there: a file can be looked at where nothing is set up. */
static int
check_files(struct adm *a, struct job *j, char **paths, int count)
{
	int rc = access(a->config_path, R_OK) == 0 ? adm_settings(a) : ADM_OK;

	if (rc != ADM_OK)
		return rc;
	if (a->view != NULL) {
		j->check.site = (struct sieve_site){ .ctx = a->view, .setting = sieve_site_setting };
		j->check.no_programs = runs_none(a->view);
	}
	for (int i = 0; i < count; i++) {
		int one = check_one(j, paths[i]);

		rc = rc == ADM_OK ? one : rc;
	}
	return rc == ADM_OK ? status_of(j) : rc;
}

/* ---- users ---- */

struct user_check {
	struct job *job;
	struct arena *a;
	const char *own_dir;		/* of the user's scripts; NULL: none */
	bool failed;
};

static void
check_script(struct user_check *u, const char *path, bool global)
{
	struct buf text = BUF_INIT(CHECK_FILE_MAX);
	struct err e = ERR_INIT;

	if (file_read_plain(path, CHECK_FILE_MAX, &text, &e) == -1) {
		adm_fail_err(&e, path);
		u->failed = true;
	} else if (!check_sieve(&u->job->check, path, buf_span(&text), global)) {
		u->failed = true;
	}
	buf_clear(&text);
}

static void
on_script(void *ctx, enum sieve_place place, const char *path)
{
	struct user_check *u = ctx;
	struct span dir = span_str(u->own_dir);
	char *real = realpath(path, NULL);
	/* One of those in the user's directory, which are looked at anyway. */
	bool own = place == SIEVE_PERSONAL && real != NULL && dir.n > 0 && span_starts(span_str(real), dir) && real[dir.n] == '/' &&
	    span_ends(span_str(real), SPAN(".sieve"));

	free(real);
	if (!own)
		check_script(u, path, place != SIEVE_PERSONAL);
}

static int
check_own_scripts(struct user_check *u, struct err *e)
{
	struct sieve_store *store;
	struct sieve_stored *list;
	int rc;

	if (u->own_dir == NULL)
		return 0;
	if (sieve_store_open(&u->job->check.site, &store, e) == -1)
		return e->code == ERR_NOTFOUND ? 0 : -1;
	rc = sieve_store_list(store, u->a, &list, e);
	for (; rc == 0 && list != NULL; list = list->next) {
		const char *path = arena_printf(u->a, "%s/%.*s.sieve", u->own_dir, SPAN_ARG(list->name));

		if (path != NULL)
			check_script(u, path, false);
	}
	sieve_store_close(store);
	return rc == -1 && e->code == ERR_NOTFOUND ? 0 : rc;
}

static int
check_user_sieve(struct user_check *u, struct err *e)
{
	struct sieve_location where;
	struct sieve_sequence *q;
	int rc;

	if (sieve_sequence_open(&u->job->check.site, &q, e) == -1)
		return -1;
	sieve_sequence_only_look(q);
	if (sieve_site_personal(&u->job->check.site, u->a, &where, e) == 0) {
		const char *real = realpath(where.path, NULL);

		u->own_dir = real == NULL ? NULL : arena_printf(u->a, "%s", real);
		free((void *)(uintptr_t)real);
	}
	rc = sieve_sequence_each(q, u->a, on_script, u, e);
	sieve_sequence_close(q);
	return rc == -1 ? -1 : check_own_scripts(u, e);
}

static int
check_user_procmail(struct user_check *u, const struct set_view *view, struct err *e)
{
	const struct sieve_site *site = &u->job->check.site;
	const char *const *files;
	bool told = priv_landlock_is_there();

	if (deliver_recipes_files(view, site->user, site->home.p == NULL ? SPAN("") : site->home, u->a, &files, e) == -1)
		return -1;
	for (; *files != NULL; files++) {
		if (access(*files, F_OK) != 0)
			continue;
		if (!told) {
			u->job->check.warnings++;
			on_found(u->job, false, *files, 0, "the kernel has no Landlock: other users with the same uid, if there are any, "
			    "are not kept apart from these recipes");
			told = true;
		}
		u->failed |= !check_procmail(&u->job->check, *files);
	}
	return 0;
}

static int
user_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct set_filter filter = { .protocol = "lmtp" };
	struct job *j = data;
	struct user_check u = { .job = j, .a = arena_new(USER_MEMORY) };
	struct set_view *view = set_view_new(a->settings, &filter);
	struct err e = ERR_INIT;
	int rc = ADM_OK;

	(void)st;
	(void)f;
	if (u.a == NULL || view == NULL)
		rc = adm_fail(ADM_TEMP, "out of memory");
	else if (identity_apply(a->identity, view, &e) == -1)
		rc = adm_fail_err(&e, "settings");
	if (rc == ADM_OK) {
		j->check.no_programs = runs_none(view);
		j->check.site = (struct sieve_site){ .ctx = view, .setting = sieve_site_setting, .user = a->user,
			.home = a->identity->home.n > 0 ? a->identity->home : SPAN_NONE };
		if ((j->language != PROCMAIL && check_user_sieve(&u, &e) == -1) ||
		    (j->language != SIEVE && check_user_procmail(&u, view, &e) == -1))
			rc = adm_fail_err(&e, "filter");
		else if (u.failed)
			rc = ADM_FAILED;
		else
			rc = status_of(j);
	}
	set_view_free(view);
	arena_free(u.a);
	return rc;
}

/* ---- the command line ---- */

static int
options(struct adm *a, struct job *j)
{
	static const struct option names[] = { { "strict", no_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	int opt;

	while ((opt = getopt_long(a->argc, a->argv, "+t:", names, NULL)) != -1) {
		if (opt == 's')
			j->strict = true;
		else if (opt == 't' && strcmp(optarg, "sieve") == 0)
			j->language = SIEVE;
		else if (opt == 't' && strcmp(optarg, "procmail") == 0)
			j->language = PROCMAIL;
		else
			return -1;
	}
	return 0;
}

/* A user's name is no path, and a file that is there is no user. */
static bool
is_file(const char *word)
{
	return strchr(word, '/') != NULL || access(word, F_OK) == 0;
}

static int
check_words(struct adm *a, struct job *j, struct format *f, char **words, int count)
{
	int worst = ADM_OK, files = 0;

	for (int i = 0; i < count; i++)
		files += is_file(words[i]);
	if (files == count)
		return check_files(a, j, words, count);
	if (files > 0)
		return adm_fail(ADM_USAGE, "users and files are checked one after the other: name either");
	for (int i = 0; i < count; i++) {
		int rc;

		a->user_mask = words[i];
		rc = adm_for_users(a, f, user_work, j);
		worst = worst == ADM_OK ? rc : worst;
	}
	return worst;
}

int
cmd_filter_check(struct adm *a)
{
	struct job j = { .check = { .found = on_found } };
	bool users = a->user_mask != NULL || a->user_file != NULL || a->all_users;
	struct format *f;
	int rc;

	j.check.ctx = &j;
	if (options(a, &j) == -1 || (users ? optind < a->argc : optind >= a->argc))
		return adm_usage(a);
	f = format_new(a->format, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "file", "file", 0);
	format_column(f, "line", "line", FORMAT_RIGHT);
	format_column(f, "kind", "kind", 0);
	format_column(f, "text", "text", 0);
	j.check.f = a->format_given ? f : NULL;
	rc = users ? adm_for_users(a, f, user_work, &j) : check_words(a, &j, f, a->argv + optind, a->argc - optind);
	if (a->format_given)
		format_end(f);
	format_free(f);
	return rc;
}
