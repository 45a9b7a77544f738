/* SPDX-License-Identifier: MIT */
#include "lib-deliver/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-deliver/filter-program.h"
#include "lib-deliver/save.h"
#include "lib-mail/header.h"
#include "lib-storage/metadata.h"

#define NOTE_MAX 800
#define WHERE_MAX 8192

static bool
mailbox_exists(void *ctx, struct span name)
{
	struct deliver_host *h = ctx;
	struct mailbox_info info;
	struct err e = ERR_INIT;

	return storage_mailbox_info(h->r->storage, name, &info, &e) == 0 && (info.attrs & MBOX_EXISTS) != 0 &&
	    (info.attrs & MBOX_NOSELECT) == 0;
}

static unsigned
use_of(struct span use)
{
	static const struct {
		struct span name;
		unsigned bit;
	} uses[] = {
		{ { "\\All", 4 }, MBOX_USE_ALL }, { { "\\Archive", 8 }, MBOX_USE_ARCHIVE },
		{ { "\\Drafts", 7 }, MBOX_USE_DRAFTS }, { { "\\Flagged", 8 }, MBOX_USE_FLAGGED },
		{ { "\\Junk", 5 }, MBOX_USE_JUNK }, { { "\\Sent", 5 }, MBOX_USE_SENT },
		{ { "\\Trash", 6 }, MBOX_USE_TRASH },
	};

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (span_ieq(use, uses[i].name))
			return uses[i].bit;
	return 0;
}

bool
deliver_special_use(struct storage *st, struct span mailbox, struct span use, struct arena *a, struct span *name_out)
{
	struct mailbox_info *list;
	struct err e = ERR_INIT;
	unsigned bit = use_of(use);
	size_t count;

	if (bit == 0 || storage_list(st, a, &list, &count, &e) == -1)
		return false;
	for (size_t i = 0; i < count; i++)
		if ((list[i].attrs & bit) != 0 && (list[i].attrs & MBOX_EXISTS) != 0 &&
		    (mailbox.n == 0 || span_eq(list[i].name, mailbox))) {
			*name_out = list[i].name;
			return true;
		}
	return false;
}

static bool
special_use_exists(void *ctx, struct span mailbox, struct span use)
{
	struct deliver_host *h = ctx;
	struct span name;

	return deliver_special_use(h->r->storage, mailbox, use, h->a, &name);
}

static bool
mailbox_id_exists(void *ctx, struct span id)
{
	struct deliver_host *h = ctx;
	struct span name;
	struct err e = ERR_INIT;

	return storage_mailbox_by_id(h->r->storage, id, h->a, &name, &e) == 0;
}

/* RFC 5490.  What can not be read is not there. */
static bool
metadata(void *ctx, struct span mailbox, struct span name, struct arena *a, struct span *out)
{
	struct deliver_host *h = ctx;
	struct metadata *found;
	const char *why;
	struct err e = ERR_INIT;
	size_t count;

	name = metadata_name(name, a, &why);
	if (name.p == NULL)
		return false;
	if (storage_metadata_get(h->r->storage, mailbox, &name, 1, 0, a, &found, &count, &e) == -1) {
		if (!deliver_is_about_mailbox(e.code))
			log_error("%s", e.log);
		return false;
	}
	*out = found[0].value;
	return count == 1 && found[0].value.p != NULL;
}

static bool
is_marked(void *ctx, struct span mark, int64_t seconds)
{
	return deliver_host_is_marked(ctx, mark, seconds);
}

static bool
environment(void *ctx, struct span name, struct arena *a, struct span *out)
{
	struct deliver_host *h = ctx;
	struct span host = set_str(h->r->view, SET_hostname);

	(void)a;
	if (host.n == 0)
		host = span_str(host_name());
	if (span_ieq(name, SPAN("host")))
		*out = host;
	else if (span_ieq(name, SPAN("domain")))
		*out = span_from(host, span_chr(host, '.') + 1);
	else if (span_ieq(name, SPAN("location")))
		*out = SPAN("MDA");
	else if (span_ieq(name, SPAN("phase")))
		*out = SPAN("during");
	else if (span_ieq(name, SPAN("name")))
		*out = SPAN("Culver");
	else
		return false;
	return true;
}

int
deliver_host_postmaster(struct deliver_host *h, struct span *out, struct err *e)
{
	struct span hostname = set_str(h->r->view, SET_hostname);
	struct var vars[VARS_USER_COUNT + 2];
	struct buf text = BUF_INIT(1024);
	int rc;

	vars_for_user(vars, h->r->user, h->r->home);
	vars[VARS_USER_COUNT] = (struct var){ 0, "hostname", hostname.n > 0 ? hostname : span_str(host_name()) };
	vars[VARS_USER_COUNT + 1] = (struct var){ 0, NULL, SPAN_NONE };
	rc = vars_expand(&text, set_str(h->r->view, SET_postmaster_address), vars, e);
	if (rc == 0) {
		*out = arena_dup(h->a, buf_span(&text));
		rc = out->p == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
	}
	buf_clear(&text);
	return rc;
}

static bool
setting(void *ctx, const char *name, struct span *out)
{
	struct deliver_host *h = ctx;
	struct err e = ERR_INIT;

	if (strcmp(name, "postmaster_address") == 0)
		return deliver_host_postmaster(h, out, &e) == 0;
	*out = strcmp(name, "recipient_delimiter") == 0 ? set_str(h->r->view, SET_recipient_delimiter) : set_plugin(h->r->view, name);
	return out->p != NULL;
}

static void
write_log(void *ctx, struct span text)
{
	(void)ctx;
	log_info("sieve: %.*s", SPAN_ARG(span_sub(text, 0, NOTE_MAX)));
}

static int64_t
now(void *ctx)
{
	(void)ctx;
	return clock_wall_us() / 1000000;
}

static struct filter_lists *
lists_of(struct deliver_host *h)
{
	if (h->lists == NULL)
		h->lists = filter_lists_new(h->r->view, h->r->user, h->r->home, h->a);
	return h->lists;
}

static bool
list_exists(void *ctx, struct span list)
{
	return filter_list_exists(lists_of(ctx), list);
}

static bool
list_has(void *ctx, struct span list, struct span value)
{
	return filter_list_has(lists_of(ctx), list, value);
}

static bool
list_members(void *ctx, struct span list, struct arena *a, struct span **out, size_t *count)
{
	(void)a;
	return filter_list_members(lists_of(ctx), list, out, count);
}

static int
run(void *ctx, const struct filter_program *p, struct span input, struct arena *a, struct span *out, int *status, struct err *e)
{
	return deliver_program_run(ctx, p, input, a, out, status, e);
}

void
deliver_host_begin(struct deliver_host *h, const struct deliver_request *r, struct arena *a)
{
	struct err e = ERR_INIT;
	struct span value;

	*h = (struct deliver_host){ .r = r, .a = a, .by = "sieve: ", .dir_fd = -1 };
	h->table = (struct filter_host){
		.ctx = h, .mailbox_exists = mailbox_exists, .special_use_exists = special_use_exists,
		.metadata = metadata, .mailbox_id_exists = mailbox_id_exists, .list_exists = list_exists, .list_has = list_has,
		.list_members = list_members,
		.is_marked = is_marked, .environment = environment, .log = write_log, .now = now, .setting = setting,
		.run = r->means != NULL && (r->means->programs != NULL || deliver_sockets_wanted(r->view)) ? run : NULL,
		.keep_mailbox = r->stays ? SPAN("") : deliver_place(r),
		.user = r->user, .home = r->home, .user_address = set_plugin(r->view, "sieve_user_email"),
	};
	if (r->storage != NULL && storage_user_dir(r->storage, &h->dir_fd, &e) == -1) {
		log_debug("marks of deliveries: %s", e.log);
		h->dir_fd = -1;
	}
	h->entry = (struct journal_entry){ .time = now(h), .sender = r->sender, .recipient = r->recipient,
					   .session = r->session };
	if (header_get(r->message, SPAN("message-id"), &value)) {
		struct buf line = BUF_INIT(JOURNAL_LINE);

		header_unfold(&line, span_sub(value, 0, JOURNAL_LINE / 2));
		h->entry.message_id = arena_dup(a, span_trim(buf_span(&line)));
		buf_clear(&line);
	}
}

void
deliver_host_end(struct deliver_host *h)
{
	uint64_t max = set_num(h->r->view, SET_filter_journal_size);
	struct err e = ERR_INIT;

	marks_close(h->marks);
	h->marks = NULL;
	filter_lists_free(h->lists);
	h->lists = NULL;
	if (h->dir_fd == -1)
		return;
	if (h->entry.step_count > 0 && max > 0 && journal_add(h->dir_fd, max, &h->entry, &e) == -1)
		log_warning("journal of the filter: %s", e.log);
	close(h->dir_fd);
	h->dir_fd = -1;
}

/* Without them a filter goes on as if nothing had been before: rather an answer too many than a message too few. */
static bool
open_marks(struct deliver_host *h)
{
	struct err e = ERR_INIT;

	if (h->marks != NULL)
		return true;
	if (h->marks_failed || h->dir_fd == -1)
		return false;
	if (marks_open(h->dir_fd, &h->marks, &e) == 0)
		return true;
	log_error("marks of deliveries: %s", e.log);
	h->marks_failed = true;
	return false;
}

bool
deliver_host_is_marked(struct deliver_host *h, struct span mark, int64_t seconds)
{
	return open_marks(h) && marks_has(h->marks, mark, now(h), seconds);
}

void
deliver_host_mark(struct deliver_host *h, struct span mark, int64_t seconds)
{
	struct err e = ERR_INIT;

	if (open_marks(h) && marks_add(h->marks, mark, now(h), seconds, &e) == -1)
		log_error("marks of deliveries: %s", e.log);
}

void
deliver_host_note(struct deliver_host *h, const struct filter_action *action, const char *fmt, ...)
{
	char text[NOTE_MAX], *line;
	va_list ap;

	if (h->entry.step_count == JOURNAL_STEPS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (action == NULL)
		line = arena_printf(h->a, "%s", text);
	else {
		struct buf where = BUF_INIT(WHERE_MAX);

		filter_action_where(&where, action);
		line = arena_printf(h->a, "%.*s%s%s%s", SPAN_ARG(buf_span(&where)), where.n > 0 ? ": " : "",
		    action->line == 0 ? "kept: " : "", text);
		buf_clear(&where);
	}
	if (line != NULL)
		h->entry.steps[h->entry.step_count++] = span_str(line);
}
