/* SPDX-License-Identifier: MIT */
/* filter why: what the filter of a user decided about a message, from its journal. */
#include "adm/adm.h"

#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib-deliver/journal.h"

/* With or without the angle brackets; of a long one the journal has the beginning. */
static bool
is_id(struct span id, struct span wanted)
{
	struct span bare;

	if (id.n >= JOURNAL_VALUE)
		return span_eq(id, span_sub(wanted, 0, JOURNAL_VALUE)) ||
		    span_eq(span_from(id, 1), span_sub(wanted, 0, JOURNAL_VALUE - 1));
	bare = id.n >= 2 && id.p[0] == '<' && id.p[id.n - 1] == '>' ? span_sub(id, 1, id.n - 2) : id;

	return span_eq(id, wanted) || span_eq(bare, wanted);
}

static void
put_entry(const struct adm *a, struct format *f, const struct journal_entry *entry)
{
	time_t t = (time_t)entry->time;
	char when[40] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	for (size_t i = 0; i < entry->step_count; i++) {
		format_value(f, a->user);
		format_value(f, span_str(when));
		format_value(f, entry->message_id);
		format_value(f, entry->recipient);
		format_value(f, entry->steps[i]);
	}
}

static int
why_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct buf text = BUF_INIT(JOURNAL_MAX + 1);
	struct err e = ERR_INIT;
	struct span line, wanted = span_str(a->argc > 1 ? a->argv[1] : NULL);
	const bool *many = data;
	size_t used = 0;
	int dir, rc;

	if (storage_user_dir(st, &dir, &e) == -1)
		return adm_fail_err(&e, "journal");
	rc = journal_read(dir, &text, &e);
	close(dir);
	if (rc == -1) {
		buf_clear(&text);
		return adm_fail_err(&e, "journal");
	}
	rc = ADM_NOT_FOUND;
	while (span_line(buf_span(&text), &used, &line)) {
		struct arena *lines = arena_new(1 << 20);
		struct journal_entry entry;

		if (lines == NULL) {
			buf_clear(&text);
			return adm_fail(ADM_TEMP, "out of memory");
		}
		if (journal_parse(line, lines, &entry) && (wanted.n == 0 || is_id(entry.message_id, wanted))) {
			put_entry(a, f, &entry);
			rc = ADM_OK;
		}
		arena_free(lines);
	}
	buf_clear(&text);
	if (rc == ADM_NOT_FOUND && wanted.n > 0 && *many)
		return ADM_NOT_FOUND;
	if (rc == ADM_NOT_FOUND && wanted.n > 0)
		return adm_fail(ADM_NOT_FOUND, "the journal of %.*s knows no such message", SPAN_ARG(a->user));
	return ADM_OK;
}

int
cmd_filter_why(struct adm *a)
{
	struct format *f;
	bool many;
	int rc;

	/* "filter why USER MESSAGE-ID": the user without -u. */
	if (a->argc == 3 && a->user_mask == NULL && a->user_file == NULL && !a->all_users) {
		a->user_mask = a->argv[1];
		a->argv++;
		a->argc--;
	}
	if (a->argc > 2)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_FLOW, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "user", "user", 0);
	format_column(f, "time", "time", 0);
	format_column(f, "message-id", "message-id", 0);
	format_column(f, "recipient", "recipient", 0);
	format_column(f, "what", "what", 0);
	/* Of many users most have not got it. */
	many = a->all_users || a->user_file != NULL || (a->user_mask != NULL && strpbrk(a->user_mask, "*?") != NULL);
	rc = adm_for_users(a, f, why_work, &many);
	if (rc == ADM_OK && many && a->argc > 1 && a->argv[1][0] != '\0' && format_rows(f) == 0)
		rc = adm_fail(ADM_NOT_FOUND, "no user's journal knows such a message");
	format_end(f);
	format_free(f);
	return rc;
}
