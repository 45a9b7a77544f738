/* SPDX-License-Identifier: MIT */
/* release, adopt: mail goes to Dovecot, or comes from it. */
#include "lib-storage/release.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "adm/adm.h"
#include "lib/sys.h"

struct job {
	struct format *f;
	struct release_options o;
	bool release;
};

static const char *const holders[] = {
	[HELD_UNKNOWN] = "unknown",
	[HELD_BY_NOBODY] = "nobody", [HELD_HERE] = "culver", [HELD_RELEASED] = "dovecot", [HELD_BY_DOVECOT] = "dovecot",
	[HELD_BY_COURIER] = "courier",
};

static void
put_number(struct format *f, bool known, uint32_t n)
{
	if (known)
		format_valuef(f, "%u", n);
	else
		format_value(f, SPAN("-"));
}

static bool
tell(void *ctx, struct span name, enum held_by by, const struct release_report *report)
{
	struct job *j = ctx;
	bool known = report->uidvalidity != 0;

	format_value(j->f, name);
	format_value(j->f, span_str(holders[by]));
	put_number(j->f, known, report->uidvalidity);
	put_number(j->f, known, report->uidnext);
	put_number(j->f, known, report->messages);
	if (report->bare > 0)
		fprintf(stderr, "culveradm: %.*s: %u messages lose keywords: Dovecot has a place for 26 beside a Maildir\n",
		    SPAN_ARG(name), report->bare);
	return true;
}

/*
 * A process that delivers keeps the user's mail open for a while, but no mailbox of it: its next delivery finds that it was
 * released, and is tried again by the mail server that brought it.
 */
static bool
is_delivery(uint32_t pid)
{
	struct buf comm = BUF_INIT(64);
	struct err e = ERR_INIT;
	char path[64];
	bool yes;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	yes = file_read(path, 63, &comm, &e) == 0 && span_eq(span_trim(buf_span(&comm)), SPAN("deliver"));
	buf_clear(&comm);
	return yes;
}

static int
work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct set_filter filter = { .protocol = "pop3" };
	struct job *j = data;
	struct err e = ERR_INIT;
	struct set_view *v;
	int rc;

	j->f = f;
	if (!j->release) {
		rc = storage_adopt(st, j->o.dry_run, tell, j, &e);
		return rc == 0 ? ADM_OK : adm_fail_err(&e, "adopt");
	}
	/* What POP3 calls messages is said in its settings. */
	v = set_view_new(a->settings, &filter);
	if (v == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	j->o.uidl = (struct uidl_rules){ .format = set_str(v, SET_pop3_uidl_format), .reuse_xuidl = set_bool(v, SET_pop3_reuse_xuidl) };
	rc = storage_release(st, &j->o, tell, j, &e);
	set_view_free(v);
	return rc == 0 ? ADM_OK : adm_fail_err(&e, "release");
}

static int
run(struct adm *a, struct job *j)
{
	static const struct option longs[] = { { "dry-run", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 } };
	struct format *f;
	int opt, rc;

	while ((opt = getopt_long(a->argc, a->argv, "+n", longs, NULL)) != -1) {
		if (opt != 'n')
			return adm_usage(a);
		j->o.dry_run = true;
	}
	j->o.masks = a->argv + optind;
	j->o.mask_count = a->argc - optind;
	if (!j->release && j->o.mask_count > 0)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "mailbox", "mailbox", 0);
	format_column(f, "from", j->release ? "held by" : "from", 0);
	format_column(f, "uidvalidity", "uidvalidity", 0);
	format_column(f, "uidnext", "uidnext", 0);
	format_column(f, "messages", "messages", 0);
	a->released_too = true;
	rc = adm_for_users(a, f, work, j);
	format_end(f);
	format_free(f);
	return rc;
}

int
cmd_release(struct adm *a)
{
	struct job j = { .release = true, .o.may_stay = is_delivery };

	return run(a, &j);
}

int
cmd_adopt(struct adm *a)
{
	struct job j = { .release = false };

	return run(a, &j);
}
