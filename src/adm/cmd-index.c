/* SPDX-License-Identifier: MIT */
/* index verify, rebuild, compact, stats; scrub. */
#include "adm/adm.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib-storage/list-match.h"
#include "lib-storage/resync.h"
#include "lib-storage/scrub.h"

struct job {
	char **masks;
	int count;
	bool repair;
	struct adm *a;
	struct format *f;
};

typedef int box_work(struct storage *st, struct span name, struct job *j, struct err *e);

static bool
mask_matches(const struct job *j, const struct mailbox_info *info)
{
	for (int i = 0; i < j->count; i++)
		if (list_match(span_str(j->masks[i]), info->name, info->separator) == LIST_YES)
			return true;
	return j->count == 0;
}

/* Deleted since it was listed: that is nobody's mistake. */
static bool
is_gone(struct storage *st, struct span name, const struct err *why)
{
	struct mailbox_info info;
	struct err e = ERR_INIT;

	return (why->code == ERR_NOTFOUND || why->code == ERR_GONE) && storage_mailbox_info(st, name, &info, &e) == 0 &&
	    (info.attrs & MBOX_EXISTS) == 0;
}

/* Each mailbox that a mask names, or each at all; the worst exit status. */
static int
each_mailbox(struct adm *a, struct storage *st, struct job *j, box_work *work)
{
	struct mailbox_info *infos;
	struct err e = ERR_INIT;
	size_t count, found = 0;
	int rc = ADM_OK;

	if (storage_list(st, a->arena, &infos, &count, &e) == -1)
		return adm_fail_err(&e, "listing the mailboxes");
	for (size_t i = 0; i < count; i++) {
		if ((infos[i].attrs & MBOX_EXISTS) == 0 || (infos[i].attrs & MBOX_NOSELECT) != 0 || !mask_matches(j, &infos[i]))
			continue;
		found++;
		e = (struct err)ERR_INIT;
		if (work(st, infos[i].name, j, &e) == -1 && !is_gone(st, infos[i].name, &e))
			rc = adm_fail_err(&e, arena_printf(a->arena, "%.*s", SPAN_ARG(infos[i].name)));
	}
	return found > 0 || j->count == 0 ? rc : adm_fail(ADM_NOT_FOUND, "there is no such mailbox");
}

static void
on_finding(void *ctx, struct span name, const char *text)
{
	struct job *j = ctx;

	format_value(j->f, j->a->user);
	format_value(j->f, name);
	format_value(j->f, span_str(text));
}

static int
verify_box(struct storage *st, struct span name, struct job *j, struct err *e)
{
	struct index_verdict v;

	if (storage_verify(st, name, on_finding, j, &v, e) == -1)
		return -1;
	j->repair |= v.findings > 0;
	return 0;
}

static int
verify_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct job *j = data;
	struct err e = ERR_INIT;
	int rc;

	j->a = a;
	j->f = f;
	j->repair = false;
	if (j->count > 0)
		rc = each_mailbox(a, st, j, verify_box);
	else
		rc = verify_box(st, SPAN_NONE, j, &e) == -1 ? adm_fail_err(&e, "verifying the index") : ADM_OK;
	return rc == ADM_OK && j->repair ? ADM_FAILED : rc;
}

static int
rebuild_box(struct storage *st, struct span name, struct job *j, struct err *e)
{
	(void)j;
	return storage_rebuild(st, name, e);
}

static int
rebuild_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	(void)f;
	return each_mailbox(a, st, data, rebuild_box);
}

static int
compact_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct err e = ERR_INIT;

	(void)data;
	for (size_t i = 0; i < storage_index_count(st); i++) {
		uint64_t before, after;

		if (storage_index_compact(st, i, &before, &after, &e) == -1)
			return adm_fail_err(&e, "compacting the index");
		format_value(f, a->user);
		format_value(f, span_str(storage_index_path(st, i)));
		format_valuef(f, "%llu", (unsigned long long)before);
		format_valuef(f, "%llu", (unsigned long long)after);
	}
	return ADM_OK;
}

static void
stats_row(struct adm *a, struct format *f, const char *path, const char *name, uint64_t value)
{
	format_value(f, a->user);
	format_value(f, span_str(path));
	format_value(f, span_str(name));
	format_valuef(f, "%llu", (unsigned long long)value);
}

static int
stats_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct err e = ERR_INIT;

	(void)data;
	for (size_t i = 0; i < storage_index_count(st); i++) {
		const char *path = storage_index_path(st, i);
		struct index_stats s;

		if (storage_index_stats(st, i, &s, &e) == -1)
			return adm_fail_err(&e, "the index");
		stats_row(a, f, path, "file-octets", s.file_size);
		stats_row(a, f, path, "map-octets", s.map_size);
		stats_row(a, f, path, "map-limit", s.map_max);
		stats_row(a, f, path, "page-octets", s.page_size);
		stats_row(a, f, path, "pages", s.pages);
		stats_row(a, f, path, "free-pages", s.free_pages);
		stats_row(a, f, path, "readers", s.readers);
		for (int db = 0; db < DB_COUNT; db++) {
			stats_row(a, f, path, arena_printf(a->arena, "%s-entries", s.db[db].name), s.db[db].entries);
			stats_row(a, f, path, arena_printf(a->arena, "%s-octets", s.db[db].name), s.db[db].size);
		}
		if (s.db[DB_MESSAGE].entries > 0)
			stats_row(a, f, path, "octets-a-message", (s.pages - s.free_pages) * s.page_size / s.db[DB_MESSAGE].entries);
	}
	return ADM_OK;
}

struct column {
	const char *key;
	unsigned flags;
};

static int
run(struct adm *a, adm_user_work *work, struct job *j, const struct column *columns)
{
	struct format *f = format_new(a->format_given ? a->format : FORMAT_FLOW, STDOUT_FILENO);
	int rc;

	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	for (; columns != NULL && columns->key != NULL; columns++)
		format_column(f, columns->key, columns->key, columns->flags);
	rc = adm_for_users(a, f, work, j);
	if (columns != NULL)
		format_end(f);
	format_free(f);
	return rc;
}

static const struct column finding_columns[] = {
	{ "user", FORMAT_HIDE_KEY }, { "mailbox", FORMAT_HIDE_KEY }, { "problem", FORMAT_HIDE_KEY }, { NULL, 0 },
};

int
cmd_index_verify(struct adm *a)
{
	struct job j = { .masks = a->argv + 1, .count = a->argc - 1 };

	return run(a, verify_work, &j, finding_columns);
}

int
cmd_index_rebuild(struct adm *a)
{
	struct job j = { .masks = a->argv + 1, .count = a->argc - 1 };

	return j.count < 1 ? adm_usage(a) : run(a, rebuild_work, &j, NULL);
}

int
cmd_index_compact(struct adm *a)
{
	static const struct column columns[] = {
		{ "user", FORMAT_HIDE_KEY }, { "index", FORMAT_HIDE_KEY }, { "before", FORMAT_RIGHT }, { "after", FORMAT_RIGHT },
		{ NULL, 0 },
	};
	struct job j = { 0 };

	return a->argc > 1 ? adm_usage(a) : run(a, compact_work, &j, columns);
}

int
cmd_index_stats(struct adm *a)
{
	static const struct column columns[] = {
		{ "user", FORMAT_HIDE_KEY }, { "index", FORMAT_HIDE_KEY }, { "name", FORMAT_HIDE_KEY },
		{ "value", FORMAT_RIGHT | FORMAT_HIDE_KEY }, { NULL, 0 },
	};
	struct job j = { 0 };

	return a->argc > 1 ? adm_usage(a) : run(a, stats_work, &j, columns);
}

struct scrubbing {
	struct job j;
	struct scrub_result result;
};

static void
on_problem(void *ctx, struct span name, const char *text, bool repaired)
{
	struct job *j = ctx;

	format_value(j->f, j->a->user);
	format_value(j->f, name);
	format_valuef(j->f, "%s%s", text, repaired ? " (repaired)" : "");
}

static int
scrub_box(struct storage *st, struct span name, struct job *j, struct err *e)
{
	struct scrubbing *s = (struct scrubbing *)j;

	return storage_scrub(st, name, j->repair, on_problem, j, &s->result, e);
}

static int
scrub_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct scrubbing *s = data;
	struct err e = ERR_INIT;
	int rc;

	s->j.a = a;
	s->j.f = f;
	if (storage_scrub_index(st, s->j.repair, on_problem, &s->j, &s->result, &e) == -1)
		return adm_fail_err(&e, "the index");
	rc = each_mailbox(a, st, &s->j, scrub_box);
	if (a->verbose)
		fprintf(stderr, "culveradm: %.*s: %zu mailboxes, %zu messages, %zu problems, %zu repaired\n", SPAN_ARG(a->user),
		    s->result.mailboxes, s->result.messages, s->result.problems, s->result.repaired);
	return rc == ADM_OK && s->result.problems > s->result.repaired ? ADM_FAILED : rc;
}

int
cmd_scrub(struct adm *a)
{
	static const struct option options[] = { { "repair", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	struct scrubbing s = { 0 };
	int opt;

	while ((opt = getopt_long(a->argc, a->argv, "+r", options, NULL)) != -1) {
		if (opt == '?')
			return adm_usage(a);
		s.j.repair = true;
	}
	s.j.masks = a->argv + optind;
	s.j.count = a->argc - optind;
	return run(a, scrub_work, &s.j, finding_columns);
}
