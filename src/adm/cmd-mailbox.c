/* SPDX-License-Identifier: MIT */
/* mailbox list, status, create, delete, rename, subscribe, unsubscribe. */
#include "adm/adm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib-storage/list-match.h"
#include "lib-storage/mailbox.h"

struct names {
	char **argv;
	int argc;
	bool subscribe, recursive, utf8, mutf7;
	const char *fields;
	bool total;
};

static struct format *
new_format(struct adm *a, enum format_kind otherwise)
{
	return format_new(a->format_given ? a->format : otherwise, STDOUT_FILENO);
}

static bool
wanted(const struct names *n, const struct mailbox_info *info)
{
	if (n->subscribe && (info->attrs & MBOX_SUBSCRIBED) == 0)
		return false;
	if (n->argc == 0)
		return true;
	for (int i = 0; i < n->argc; i++)
		if (list_match(span_str(n->argv[i]), info->name, info->separator) == LIST_YES)
			return true;
	return false;
}

static int
list_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct names *n = data;
	struct mailbox_info *infos;
	struct err e = ERR_INIT;
	size_t count;

	if (storage_list(st, a->arena, &infos, &count, &e) == -1)
		return adm_fail_err(&e, "listing the mailboxes");
	for (size_t i = 0; i < count; i++) {
		struct buf coded = BUF_INIT(65536);

		/* A name that is only a parent, or only a subscription, is listed with -s alone. */
		if ((!n->subscribe && (infos[i].attrs & MBOX_EXISTS) == 0) || !wanted(n, &infos[i]))
			continue;
		if (n->mutf7 && mutf7_encode(&coded, infos[i].name))
			format_value(f, buf_span(&coded));
		else
			format_value(f, infos[i].name);
		buf_clear(&coded);
	}
	return ADM_OK;
}

int
cmd_mailbox_list(struct adm *a)
{
	struct names n = { 0 };
	struct format *f;
	int opt, rc;

	while ((opt = getopt(a->argc, a->argv, "+s78")) != -1) {
		if (opt == '?')
			return adm_usage(a);
		n.subscribe |= opt == 's';
		n.mutf7 |= opt == '7';
	}
	n.argv = a->argv + optind;
	n.argc = a->argc - optind;
	f = new_format(a, FORMAT_FLOW);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "mailbox", "mailbox", FORMAT_HIDE_KEY);
	rc = adm_for_users(a, f, list_work, &n);
	format_end(f);
	format_free(f);
	return rc;
}

static const struct {
	const char *name;
	unsigned item;
} status_fields[] = {
	{ "messages", STATUS_MESSAGES }, { "recent", STATUS_RECENT }, { "uidnext", STATUS_UIDNEXT },
	{ "uidvalidity", STATUS_UIDVALIDITY }, { "unseen", STATUS_UNSEEN }, { "highestmodseq", STATUS_HIGHESTMODSEQ },
	{ "vsize", STATUS_SIZE }, { "deleted", STATUS_DELETED },
};
#define STATUS_FIELDS (sizeof(status_fields) / sizeof(status_fields[0]))

/* The items that the words name ("all": each); 0 when one is unknown. */
static unsigned
status_items(const char *words)
{
	struct span rest = span_str(words), word;
	unsigned items = 0;

	while (span_next(&rest, ' ', &word)) {
		bool known = word.n == 0;

		for (size_t i = 0; i < STATUS_FIELDS; i++)
			if (span_eq(word, SPAN("all")) || span_eq(word, span_str(status_fields[i].name))) {
				items |= status_fields[i].item;
				known = true;
			}
		if (!known) {
			adm_fail(ADM_USAGE, "there is no status field \"%.*s\"", SPAN_ARG(word));
			return 0;
		}
	}
	return items;
}

static uint64_t
status_value(const struct mailbox_status *s, unsigned item)
{
	switch (item) {
	case STATUS_MESSAGES:
		return s->messages;
	case STATUS_RECENT:
		return s->recent;
	case STATUS_UIDNEXT:
		return s->uidnext;
	case STATUS_UIDVALIDITY:
		return s->uidvalidity;
	case STATUS_UNSEEN:
		return s->unseen;
	case STATUS_HIGHESTMODSEQ:
		return s->highestmodseq;
	case STATUS_SIZE:
		return s->size;
	default:
		return s->deleted;
	}
}

static void
status_row(struct format *f, struct span name, bool named, unsigned items, const struct mailbox_status *s)
{
	if (named)
		format_value(f, name);
	for (size_t i = 0; i < STATUS_FIELDS; i++)
		if ((items & status_fields[i].item) != 0)
			format_valuef(f, "%llu", (unsigned long long)status_value(s, status_fields[i].item));
}

static int
status_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct names *n = data;
	unsigned items = status_items(n->fields);
	struct mailbox_status sum = { 0 };
	struct mailbox_info *infos;
	struct err e = ERR_INIT;
	size_t count, shown = 0;

	if (storage_list(st, a->arena, &infos, &count, &e) == -1)
		return adm_fail_err(&e, "listing the mailboxes");
	for (size_t i = 0; i < count; i++) {
		struct mailbox_status s;

		if ((infos[i].attrs & MBOX_EXISTS) == 0 || (infos[i].attrs & MBOX_NOSELECT) != 0 || !wanted(n, &infos[i]))
			continue;
		if (storage_status(st, infos[i].name, items, &s, &e) == -1)
			return adm_fail_err(&e, arena_printf(a->arena, "%.*s", SPAN_ARG(infos[i].name)));
		shown++;
		if (!n->total)
			status_row(f, infos[i].name, true, items, &s);
		sum.messages += s.messages;
		sum.recent += s.recent;
		sum.unseen += s.unseen;
		sum.deleted += s.deleted;
		sum.size += s.size;
	}
	if (n->total)
		status_row(f, SPAN(""), false, items, &sum);
	return shown > 0 || n->total ? ADM_OK : adm_fail(ADM_NOT_FOUND, "there is no such mailbox");
}

int
cmd_mailbox_status(struct adm *a)
{
	const unsigned summable = STATUS_MESSAGES | STATUS_RECENT | STATUS_UNSEEN | STATUS_SIZE | STATUS_DELETED;
	struct names n = { 0 };
	struct format *f;
	unsigned items;
	int opt, rc;

	while ((opt = getopt(a->argc, a->argv, "+t")) != -1) {
		if (opt == '?')
			return adm_usage(a);
		n.total = true;
	}
	if (a->argc - optind < 2)
		return adm_usage(a);
	n.fields = a->argv[optind];
	n.argv = a->argv + optind + 1;
	n.argc = a->argc - optind - 1;
	items = status_items(n.fields);
	if (items == 0)
		return ADM_USAGE;
	if (n.total && (items & ~summable) != 0)
		return adm_fail(ADM_USAGE, "-t sums messages, recent, unseen, deleted and vsize only");
	f = new_format(a, FORMAT_FLOW);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	if (!n.total)
		format_column(f, "mailbox", "mailbox", FORMAT_HIDE_KEY);
	for (size_t i = 0; i < STATUS_FIELDS; i++)
		if ((items & status_fields[i].item) != 0)
			format_column(f, status_fields[i].name, status_fields[i].name, FORMAT_RIGHT);
	rc = adm_for_users(a, f, status_work, &n);
	format_end(f);
	format_free(f);
	return rc;
}

/* What create, delete, rename and (un)subscribe share: a function for each name; the first failure is the status. */
typedef int name_work(struct storage *st, const struct names *n, struct span name, struct err *e);

struct each {
	struct names n;
	name_work *work;
	const char *what;
};

static int
each_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct each *x = data;
	int rc = ADM_OK;

	(void)f;
	for (int i = 0; i < x->n.argc; i++) {
		struct err e = ERR_INIT;

		if (x->work(st, &x->n, span_str(x->n.argv[i]), &e) == -1) {
			int one = adm_fail_err(&e, arena_printf(a->arena, "%s %s", x->what, x->n.argv[i]));

			rc = rc == ADM_OK ? one : rc;
		}
	}
	return rc;
}

static int
each_name(struct adm *a, const char *options, name_work *work, const char *what)
{
	struct each x = { .work = work, .what = what };
	struct format *f;
	int opt, rc;

	while ((opt = getopt(a->argc, a->argv, options)) != -1) {
		if (opt == '?')
			return adm_usage(a);
		x.n.subscribe |= opt == 's';
		x.n.recursive |= opt == 'r';
	}
	x.n.argv = a->argv + optind;
	x.n.argc = a->argc - optind;
	if (x.n.argc == 0)
		return adm_usage(a);
	f = new_format(a, FORMAT_FLOW);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = adm_for_users(a, f, each_work, &x);
	format_free(f);
	return rc;
}

static int
create_one(struct storage *st, const struct names *n, struct span name, struct err *e)
{
	char sep = storage_separator(st, name);
	bool parent = name.n > 1 && name.p[name.n - 1] == sep;

	if (parent)
		name.n--;
	if (storage_create(st, name, parent, e) == -1)
		return -1;
	return n->subscribe ? storage_subscribe(st, name, true, e) : 0;
}

static int
delete_children(struct storage *st, struct span name, struct err *e)
{
	struct arena *a = arena_new(64u << 20);
	struct mailbox_info *infos;
	size_t count;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : storage_list(st, a, &infos, &count, e);

	/* The deepest first: the list has parents before their children. */
	for (size_t i = rc == 0 ? count : 0; i > 0 && rc == 0; i--) {
		struct span child = infos[i - 1].name;

		if (child.n > name.n && span_starts(child, name) && child.p[name.n] == infos[i - 1].separator &&
		    (infos[i - 1].attrs & MBOX_EXISTS) != 0)
			rc = storage_delete(st, child, e);
	}
	arena_free(a);
	return rc;
}

static int
delete_one(struct storage *st, const struct names *n, struct span name, struct err *e)
{
	if (n->recursive && delete_children(st, name, e) == -1)
		return -1;
	if (storage_delete(st, name, e) == -1)
		return -1;
	return n->subscribe ? storage_subscribe(st, name, false, e) : 0;
}

static int
subscribe_one(struct storage *st, const struct names *n, struct span name, struct err *e)
{
	(void)n;
	return storage_subscribe(st, name, true, e);
}

static int
unsubscribe_one(struct storage *st, const struct names *n, struct span name, struct err *e)
{
	(void)n;
	return storage_subscribe(st, name, false, e);
}

static int
rename_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct names *n = data;
	struct span from = span_str(n->argv[0]), to = span_str(n->argv[1]);
	struct err e = ERR_INIT;

	(void)a;
	(void)f;
	if (storage_rename(st, from, to, &e) == -1)
		return adm_fail_err(&e, n->argv[0]);
	if (n->subscribe && (storage_subscribe(st, from, false, &e) == -1 || storage_subscribe(st, to, true, &e) == -1))
		return adm_fail_err(&e, n->argv[1]);
	return ADM_OK;
}

int
cmd_mailbox_create(struct adm *a)
{
	return each_name(a, "+s", create_one, "create");
}

int
cmd_mailbox_delete(struct adm *a)
{
	return each_name(a, "+rs", delete_one, "delete");
}

int
cmd_mailbox_subscribe(struct adm *a)
{
	return each_name(a, "+", subscribe_one, "subscribe");
}

int
cmd_mailbox_unsubscribe(struct adm *a)
{
	return each_name(a, "+", unsubscribe_one, "unsubscribe");
}

int
cmd_mailbox_rename(struct adm *a)
{
	struct names n = { 0 };
	struct format *f;
	int opt, rc;

	while ((opt = getopt(a->argc, a->argv, "+s")) != -1) {
		if (opt == '?')
			return adm_usage(a);
		n.subscribe = true;
	}
	if (a->argc - optind != 2)
		return adm_usage(a);
	n.argv = a->argv + optind;
	n.argc = 2;
	f = new_format(a, FORMAT_FLOW);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = adm_for_users(a, f, rename_work, &n);
	format_free(f);
	return rc;
}
