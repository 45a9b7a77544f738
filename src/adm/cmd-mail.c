/* SPDX-License-Identifier: MIT */
/* search, expunge, flags: what a query finds, and what happens to it.  fetch is in cmd-fetch.c. */
#include "adm/mail.h"

#include <stdio.h>
#include <unistd.h>
#include "lib-storage/list-match.h"

#define QUERY_TEXT_MAX (1 << 20)	/* of one word on the command line */

static bool
box_wanted(const struct query *q, const struct mailbox_info *info)
{
	if ((info->attrs & MBOX_EXISTS) == 0 || (info->attrs & MBOX_NOSELECT) != 0)
		return false;
	for (size_t i = 0; i < q->mailbox_count; i++)
		if (list_match(span_str(q->mailboxes[i]), info->name, info->separator) == LIST_YES)
			return true;
	return q->mailbox_count == 0;
}

/* The UIDs that match, ascending. */
static int
box_search(struct mailbox *box, struct search_key *root, struct arena *a, struct uid_list *out, struct err *e)
{
	struct search se;
	struct imap_set domain;
	int rc = search_begin(&se, box, root, SPAN(""), QUERY_TEXT_MAX, a, e);

	out->count = 0;
	out->uids = arena_alloc(a, (size_t)mailbox_count(box) + 1, sizeof(*out->uids));
	if (rc == 0 && out->uids == NULL)
		rc = err_set(e, ERR_LIMIT, "too many messages");
	domain = rc == 0 ? search_domain(&se) : (struct imap_set){ NULL, 0 };
	for (size_t i = 0; i < domain.n && rc == 0; i++) {
		/* A range may reach beyond the view: "*", or what does not exist. */
		uint32_t last = domain.r[i].last < mailbox_count(box) ? domain.r[i].last : mailbox_count(box);

		for (uint32_t seq = domain.r[i].first; seq > 0 && seq <= last && rc != -1; seq++) {
			uint64_t modseq;

			rc = search_matches(&se, seq, &modseq, e);
			if (rc == 1)
				out->uids[out->count++] = mailbox_uid(box, seq);
			if (seq % 1000 == 0)
				mailbox_read_end(box);
		}
		rc = rc == -1 ? -1 : 0;
	}
	search_end(&se);
	mailbox_read_end(box);
	return rc;
}

static int
box_run(struct adm *a, struct storage *st, struct span name, enum mailbox_mode mode, struct mail_job *job, struct format *f)
{
	struct arena *arena = arena_new(512u << 20);
	struct mailbox *box = NULL;
	struct err e = ERR_INIT;
	struct uid_list found;
	int rc = ADM_OK;

	if (arena == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	if (mailbox_open(st, name, mode, &box, &e) == -1 ||
	    box_search(box, job->query.root, arena, &found, &e) == -1)
		rc = adm_fail_err(&e, arena_printf(a->arena, "%.*s", SPAN_ARG(name)));
	else if (found.count > 0)
		rc = job->work(a, box, &found, arena, f, job);
	mailbox_close(box);
	arena_free(arena);
	return rc;
}

static int
job_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct mail_job *job = data;
	struct mailbox_info *infos;
	struct err e = ERR_INIT;
	size_t count;
	int rc = ADM_OK;

	job->user = a->user;
	if (storage_list(st, a->arena, &infos, &count, &e) == -1)
		return adm_fail_err(&e, "listing the mailboxes");
	if (job->begin != NULL)
		rc = job->begin(a, st, job);
	if (rc != ADM_OK)
		return rc;
	for (size_t i = 0; i < count; i++) {
		int one;

		if (!box_wanted(&job->query, &infos[i]))
			continue;
		one = box_run(a, st, infos[i].name, job->mode, job, f);
		rc = rc == ADM_OK ? one : rc;
	}
	if (job->end != NULL) {
		int last = job->end(a, st, job);

		rc = rc == ADM_OK ? last : rc;
	}
	return rc;
}

int
mail_job_run(struct adm *a, int first_word, struct mail_job *job, struct format *f)
{
	struct err e = ERR_INIT;

	if (query_parse(a->arena, a->argc - first_word, a->argv + first_word, &job->query, &e) == -1)
		return adm_fail(ADM_USAGE, "%s", e.log);
	return adm_for_users(a, f, job_work, job);
}

static int
search_work(struct adm *a, struct mailbox *box, const struct uid_list *found, struct arena *arena, struct format *f,
    struct mail_job *job)
{
	(void)a;
	(void)arena;
	(void)job;
	for (size_t i = 0; i < found->count; i++) {
		format_value(f, mailbox_name(box));
		format_valuef(f, "%u", found->uids[i]);
	}
	return ADM_OK;
}

int
cmd_search(struct adm *a)
{
	struct mail_job job = { .work = search_work, .mode = MAILBOX_READ };
	struct format *f = format_new(a->format_given ? a->format : FORMAT_FLOW, STDOUT_FILENO);
	int rc;

	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "mailbox", "mailbox", FORMAT_HIDE_KEY);
	format_column(f, "uid", "uid", FORMAT_HIDE_KEY | FORMAT_RIGHT);
	rc = mail_job_run(a, 1, &job, f);
	format_end(f);
	format_free(f);
	return rc;
}

static int
change(struct adm *a, int first_word, struct mail_job *job)
{
	struct format *f = format_new(FORMAT_FLOW, STDOUT_FILENO);
	int rc;

	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = mail_job_run(a, first_word, job, f);
	format_free(f);
	return rc;
}

static int
expunge_work(struct adm *a, struct mailbox *box, const struct uid_list *found, struct arena *arena, struct format *f,
    struct mail_job *job)
{
	struct err e = ERR_INIT;

	(void)arena;
	(void)f;
	(void)job;
	if (mailbox_expunge(box, found->uids, found->count, true, &e) == -1)
		return adm_fail_err(&e, arena_printf(a->arena, "%.*s", SPAN_ARG(mailbox_name(box))));
	return ADM_OK;
}

int
cmd_expunge(struct adm *a)
{
	struct mail_job job = { .work = expunge_work, .mode = MAILBOX_WRITE };
	struct err e = ERR_INIT;
	struct query q;

	/* An empty query must never mean all mail. */
	if (query_parse(a->arena, a->argc - 1, a->argv + 1, &q, &e) == -1)
		return adm_fail(ADM_USAGE, "%s", e.log);
	if (!q.has_keys || q.mailbox_count == 0)
		return adm_fail(ADM_USAGE, "the query must name a mailbox and which messages of it (\"all\" means each)");
	return change(a, 1, &job);
}

static int
flags_work(struct adm *a, struct mailbox *box, const struct uid_list *found, struct arena *arena, struct format *f,
    struct mail_job *job)
{
	struct flag_change fc = { .op = job->op, .flags = job->flags };
	struct err e = ERR_INIT;

	(void)f;
	if (mailbox_keyword_mask(box, job->keywords, job->keyword_count, job->op != FLAGS_REMOVE, &fc.keywords, &e) == -1 ||
	    mailbox_store(box, found->uids, found->count, &fc, arena, NULL, NULL, &e) == -1)
		return adm_fail_err(&e, arena_printf(a->arena, "%.*s", SPAN_ARG(mailbox_name(box))));
	return ADM_OK;
}

static int
cmd_flags(struct adm *a, enum flag_op op)
{
	struct mail_job job = { .work = flags_work, .mode = MAILBOX_WRITE, .op = op };
	struct err e = ERR_INIT;

	if (a->argc < 3)
		return adm_usage(a);
	if (query_flags(a->arena, span_str(a->argv[1]), &job.flags, &job.keywords, &job.keyword_count, &e) == -1)
		return adm_fail(ADM_USAGE, "%s", e.log);
	return change(a, 2, &job);
}

int
cmd_flags_add(struct adm *a)
{
	return cmd_flags(a, FLAGS_ADD);
}

int
cmd_flags_remove(struct adm *a)
{
	return cmd_flags(a, FLAGS_REMOVE);
}

int
cmd_flags_replace(struct adm *a)
{
	return cmd_flags(a, FLAGS_SET);
}
