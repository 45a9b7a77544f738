/* SPDX-License-Identifier: MIT */
/* recipient: what the tables make of an address, step by step, and where its mail would end. */
#include "adm/adm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/forward.h"
#include "lib-deliver/recipient/command.h"
#include "lib-deliver/recipient/expand.h"

#define WAITS "it waits"

struct question {
	struct adm *a;
	struct set_view *view;		/* of LMTP */
	struct recipient_tables *tables;
	struct recipient_expand_options o;
	struct format *f;
	struct smtp_path rcpt, sender;
	const char *client_name, *client_address;
	bool has_sender, quarantined;
	int rc;				/* of the whole: ADM_NO_USER, ADM_TEMP */
};

static void
row(struct question *q, const char *what, unsigned depth, struct span address, const struct recipient_place *place, const char *result)
{
	format_value(q->f, span_str(what));
	format_valuef(q->f, "%u", depth);
	format_value(q->f, address);
	format_value(q->f, place == NULL ? SPAN("") : place->path);
	if (place == NULL || place->line == 0)
		format_value(q->f, SPAN(""));
	else
		format_valuef(q->f, "%u", place->line);
	format_value(q->f, span_str(result));
}

static void
worse(struct question *q, int rc)
{
	if (q->rc == ADM_OK || rc == ADM_TEMP)
		q->rc = rc;
}

/* Access tables.  True: that is the end of it. */
static bool
decides(struct question *q, const char *what, struct span address, const struct recipient_access_entry *en,
    const struct recipient_place *place)
{
	char text[RECIPIENT_REPLY_TEXT + SMTP_PATH_MAX + 100];

	if (en == NULL) {
		if (recipient_tables_has(q->tables, RECIPIENT_TABLE_ACCESS))
			row(q, what, 0, address, NULL, "no line for it");
		return false;
	}
	switch (en->verdict) {
	case RECIPIENT_OK:
		row(q, what, 0, address, place, "OK");
		return false;
	case RECIPIENT_UNDECIDED:
		row(q, what, 0, address, place, "not decided");
		return false;
	case RECIPIENT_DISCARD:
		row(q, what, 0, address, place, "taken and thrown away");
		return true;
	case RECIPIENT_QUARANTINE:
		snprintf(text, sizeof(text), "quarantined%s%.*s: goes to %.*s", en->reason.n > 0 ? ", " : "", SPAN_ARG(en->reason),
		    SPAN_ARG(q->o.quarantine));
		row(q, what, 0, address, place, text);
		q->quarantined = true;
		return false;
	case RECIPIENT_REJECT:
		break;
	}
	snprintf(text, sizeof(text), "refused: %u %s %.*s", en->reply.code, en->reply.status, SPAN_ARG(en->reply.text));
	row(q, what, 0, address, place, text);
	worse(q, en->reply.code < 500 ? ADM_TEMP : ADM_NO_USER);
	return true;
}

static bool
ask_access(struct question *q)
{
	struct recipient_place place = { SPAN(""), 0 };
	const struct recipient_access_entry *en;
	struct span client = span_str(q->client_address != NULL ? q->client_address : q->client_name);

	if (client.n > 0) {
		en = recipient_tables_client(q->tables, span_str(q->client_name), span_str(q->client_address), &place);
		if (decides(q, "client", client, en, &place))
			return true;
	}
	if (q->has_sender) {
		en = recipient_tables_address(q->tables, RECIPIENT_FROM, q->sender.local, q->sender.domain, q->o.delimiters, &place);
		if (decides(q, "sender", q->sender.text, en, &place))
			return true;
	}
	en = recipient_tables_address(q->tables, RECIPIENT_TO, q->rcpt.local, q->rcpt.domain, q->o.delimiters, &place);
	return decides(q, "recipient", q->rcpt.text, en, &place);
}

/* Why a program can not be run; NULL: it can. */
static const char *
program_problem(struct question *q, struct span text)
{
	struct span argv[RECIPIENT_ARGUMENTS], dir = set_str(q->view, SET_recipient_program_dir), name;
	struct err e = ERR_INIT;
	const char *path;
	size_t count;

	if (dir.n == 0)
		return "programs are switched off (recipient_program_dir)";
	if (recipient_command_parse(text, q->a->arena, argv, &count, &e) == -1)
		return arena_printf(q->a->arena, "%s", e.log);
	name = argv[0];
	while (span_chr(name, '/') < name.n)
		name = span_from(name, span_chr(name, '/') + 1);
	path = arena_printf(q->a->arena, "%.*s/%.*s", SPAN_ARG(dir), SPAN_ARG(name));
	if (path == NULL || access(path, X_OK) == 0)
		return NULL;
	return arena_printf(q->a->arena, "%s: %s", path, strerror(errno));
}

/* What becomes of one item of a .forward. */
static const char *
forward_result(struct question *q, const struct recipient_target *t, const struct deliver_request *r, struct span user)
{
	const char *why = NULL;

	switch (t->kind) {
	case RECIPIENT_ADDRESS:
	case RECIPIENT_USER:
		if (deliver_forward_is_own(r, user, t))
			return "the mailbox";
		return t->domain.n > 0 ? "an address: passed on" :
		    arena_printf(q->a->arena, "an address: passed on, at %.*s", SPAN_ARG(deliver_own_domain(r)));
	case RECIPIENT_PROGRAM:
		why = program_problem(q, t->text);
		if (why == NULL)
			return "a program";
		break;
	case RECIPIENT_FILE:
		if (span_eq(t->text, SPAN("/dev/null")))
			return "thrown away";
		if (set_bool(q->view, SET_recipient_files))
			return "a file";
		why = "files are switched off (recipient_files)";
		break;
	case RECIPIENT_INCLUDE:
	case RECIPIENT_ERROR:
		why = "nothing for a .forward";
		break;
	}
	return arena_printf(q->a->arena, "the mailbox: %s", why);
}

static void
tell(struct buf *out, struct span address, struct span path, unsigned line, const char *result)
{
	const struct span texts[] = { address, path, span_str(result) };

	buf_add_be32(out, line);
	for (size_t i = 0; i < 3; i++) {
		buf_add_be32(out, (uint32_t)texts[i].n);
		buf_add(out, texts[i]);
	}
}

/* The .forward of a user, read in a process that has become the user: an end of its own for each line.  Rows for the parent. */
static void
read_forward(struct question *q, const struct identity *id, struct span address, struct span detail, struct buf *out)
{
	const struct deliver_request r = { .view = q->view, .recipient = address };
	struct recipient_targets list;
	struct err e = ERR_INIT;
	unsigned line = 0;
	size_t max = q->o.max_targets;
	char *name = detail.n == 0 || span_chr(detail, '/') < detail.n ? NULL :
	    arena_printf(q->a->arena, ".forward+%.*s", SPAN_ARG(detail));
	int rc = 0;
	struct span path;

	if (identity_apply(id, q->view, &e) == -1 || identity_check(id, q->view, &e) == -1 || identity_become(id, q->view, &e) == -1) {
		tell(out, id->user, SPAN(""), 0, e.log);
		return;
	}
	if (name != NULL)
		rc = deliver_forward_read(id->home, span_str(name), geteuid(), max, q->a->arena, &list, &line, &e);
	if (rc == 0) {
		name = NULL;
		rc = deliver_forward_read(id->home, SPAN(".forward"), geteuid(), max, q->a->arena, &list, &line, &e);
	}
	path = span_str(arena_printf(q->a->arena, "%.*s/%s", SPAN_ARG(id->home), name == NULL ? ".forward" : name));
	if (rc == -1)
		tell(out, id->user, path, line,
		    arena_printf(q->a->arena, "%s: %s", e.code == ERR_TEMP ? WAITS : "the mailbox", e.log));
	for (size_t i = 0; rc == 1 && i < list.count; i++)
		tell(out, list.list[i].text, path, list.list[i].line, forward_result(q, &list.list[i], &r, id->user));
}

/* One row of read_forward()'s. */
static bool
next_told(struct span *in, struct span texts[3], unsigned *line)
{
	if (in->n < 4)
		return false;
	*line = be32_get(in->p);
	*in = span_from(*in, 4);
	for (size_t i = 0; i < 3; i++) {
		size_t n;

		if (in->n < 4)
			return false;
		n = be32_get(in->p);
		*in = span_from(*in, 4);
		if (n > in->n)
			return false;
		texts[i] = span_sub(*in, 0, n);
		*in = span_from(*in, n);
	}
	return true;
}

static void
show_forward(struct question *q, struct span told)
{
	struct span texts[3];
	unsigned line;

	while (next_told(&told, texts, &line)) {
		const struct recipient_place place = { texts[1], line };

		if (span_starts(texts[2], SPAN(WAITS)))
			worse(q, ADM_TEMP);
		row(q, "forward", 1, texts[0], &place, arena_cstr(q->a->arena, texts[2]));
	}
}

static void
ask_forward(struct question *q, const struct identity *id, struct span address, struct span detail)
{
	struct buf told = BUF_INIT((size_t)16 << 20);
	struct err e = ERR_INIT;
	int fds[2];
	pid_t pid;

	if (!deliver_forward_is_on(q->view) || id->home.n == 0 || pipe2(fds, O_CLOEXEC) == -1)
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		read_forward(q, id, address, detail, &told);
		_exit(fd_write_all(fds[1], buf_span(&told), &e) == 0 ? 0 : 1);
	}
	close(fds[1]);
	if (pid > 0) {
		if (fd_read_all(fds[0], told.max, &told, &e) == 0)
			show_forward(q, buf_span(&told));
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	close(fds[0]);
	buf_clear(&told);
}

/* Whether auth knows the user, when there is a server to ask. */
static int
find_user(struct question *q, const struct recipient_leg *leg, struct identity *id, struct span *detail)
{
	struct span user = leg->local;
	char *asked;

	*detail = SPAN("");
	smtp_detail_split(leg->local, q->o.delimiters, &user, detail);
	asked = arena_printf(q->a->arena, "%.*s%s%.*s", SPAN_ARG(user), leg->domain.n > 0 ? "@" : "", SPAN_ARG(leg->domain));
	return asked == NULL ? ADM_TEMP : adm_identity(q->a, span_str(asked), id);
}

static void
show_found(struct question *q, const struct recipient_leg *leg, const struct identity *id, struct span detail)
{
	row(q, "end", 0, leg->text, &leg->place, arena_printf(q->a->arena, "the mailbox of %.*s%s%.*s", SPAN_ARG(id->user),
	    detail.n > 0 ? ", detail " : "", SPAN_ARG(detail)));
	ask_forward(q, id, leg->text, detail);
}

static void
show_not_found(struct question *q, const struct recipient_leg *leg, int rc)
{
	row(q, "end", 0, leg->text, &leg->place,
	    rc == ADM_NO_USER ? "refused: 550 5.1.1 there is no such user" : "a user here, who could not be looked up");
	worse(q, rc == ADM_NO_USER ? ADM_NO_USER : ADM_TEMP);
}

static void
show_user(struct question *q, const struct recipient_leg *leg)
{
	struct identity id;
	struct span detail;
	int rc = find_user(q, leg, &id, &detail);

	if (rc == ADM_OK)
		show_found(q, leg, &id, detail);
	else
		show_not_found(q, leg, rc);
}

/* Of addresses that lead to each other the first that is a user; false: none is. */
static bool
show_loop(struct question *q, const struct recipient_leg *leg)
{
	for (size_t i = 0; i < leg->user_count; i++) {
		struct recipient_leg one = *leg;
		struct identity id;
		struct span detail;
		int rc;

		one.text = leg->users[i].text;
		one.local = leg->users[i].local;
		one.domain = leg->users[i].domain;
		rc = find_user(q, &one, &id, &detail);
		if (rc == ADM_NO_USER)
			continue;
		if (rc == ADM_OK)
			show_found(q, &one, &id, detail);
		else
			show_not_found(q, &one, rc);
		return true;
	}
	return false;
}

static void
show_end(struct question *q, const struct recipient_leg *leg, size_t count)
{
	char text[RECIPIENT_REPLY_TEXT + 600];
	const char *why;

	switch (leg->end) {
	case RECIPIENT_END_USER:
		show_user(q, leg);
		return;
	case RECIPIENT_END_REMOTE:
		snprintf(text, sizeof(text), "passed on%s%.*s", leg->sender.p != NULL ? ", sender " : "", SPAN_ARG(leg->sender));
		break;
	case RECIPIENT_END_PROGRAM:
		why = program_problem(q, leg->text);
		if (why == NULL)
			snprintf(text, sizeof(text), "a program, run from %.*s", SPAN_ARG(set_str(q->view, SET_recipient_program_dir)));
		else
			snprintf(text, sizeof(text), "a program that can not be run, mail waits: %s", why);
		if (why != NULL)
			worse(q, ADM_TEMP);
		break;
	case RECIPIENT_END_FILE:
		snprintf(text, sizeof(text), "appended to the file");
		break;
	case RECIPIENT_END_DISCARD:
		snprintf(text, sizeof(text), "thrown away");
		break;
	case RECIPIENT_END_LOOP:
		if (show_loop(q, leg))
			return;
		if (count > 1) {
			snprintf(text, sizeof(text), "passed over: it leads back to itself, and nobody on the way is a user");
			break;
		}
		/* fall through */
	case RECIPIENT_END_FAIL:
		snprintf(text, sizeof(text), "refused: %u %s %.*s", leg->reply.code, leg->reply.status, SPAN_ARG(leg->reply.text));
		/* With others it is one that gets nothing. */
		if (count == 1 || leg->reply.code < 500)
			worse(q, leg->reply.code < 500 ? ADM_TEMP : ADM_NO_USER);
		break;
	}
	row(q, "end", 0, leg->text, &leg->place, text);
}

static int
explain(struct question *q)
{
	struct recipient_expansion x;
	struct err e = ERR_INIT;

	const char *why;

	if (ask_access(q))
		return q->rc;
	if (q->quarantined && smtp_address_parse(q->o.quarantine, q->a->arena, &q->rcpt, &why) == -1)
		return adm_fail(ADM_CONFIG, "recipient_quarantine: %s", why);
	if (recipient_expand(&q->o, &q->rcpt, q->a->arena, &x, &e) == -1)
		return adm_fail(ADM_TEMP, "%.*s: %s", SPAN_ARG(q->rcpt.text), e.log);
	for (size_t i = 0; i < x.step_count; i++)
		row(q, "step", x.steps[i].depth, x.steps[i].address, &x.steps[i].place, arena_cstr(q->a->arena, x.steps[i].what));
	for (size_t i = 0; i < x.leg_count; i++)
		show_end(q, &x.legs[i], x.leg_count);
	return q->rc;
}

/* Tables that can not be used say why; none at all is fine: the address is a user's then. */
static int
read_tables(struct question *q)
{
	static const struct recipient_limits limits = { 1024, 1024, 1, false };
	struct err e = ERR_INIT;
	struct span path;
	const char *why;

	q->tables = recipient_tables_new(q->view, &e);
	if (q->tables == NULL && e.code != ERR_NONE)
		return adm_fail(ADM_CONFIG, "%s", e.log);
	if (q->tables == NULL) {
		q->tables = recipient_tables_of(SPAN(""), SPAN(""), SPAN("/dev/null"), &limits, &e);
		if (q->tables == NULL)
			return adm_fail(ADM_TEMP, "out of memory");
		return recipient_tables_unpack(q->tables, SPAN(""), 1, &e) == 0 ? ADM_OK : adm_fail(ADM_TEMP, "out of memory");
	}
	recipient_tables_refresh(q->tables, clock_ms());
	if (recipient_tables_problem(q->tables, &path, &why))
		return adm_fail(ADM_TEMP, "%.*s: %s: mail waits until that is mended", SPAN_ARG(path), why);
	return ADM_OK;
}

static int
take_options(struct adm *a, struct question *q)
{
	struct netaddr net;
	const char *sender = NULL, *why;
	int opt;

	while ((opt = getopt(a->argc, a->argv, "c:f:")) != -1) {
		if (opt == 'f')
			sender = optarg;
		else if (opt == 'c' && netaddr_parse(span_str(optarg), &net))
			q->client_address = optarg;
		else if (opt == 'c')
			q->client_name = optarg;
		else
			return adm_usage(a);
	}
	if (optind != a->argc - 1)
		return adm_usage(a);
	if (smtp_address_parse(span_str(a->argv[optind]), a->arena, &q->rcpt, &why) == -1)
		return adm_fail(ADM_USAGE, "%s: %s", a->argv[optind], why);
	q->has_sender = sender != NULL;
	q->sender = (struct smtp_path){ SPAN(""), SPAN(""), SPAN("") };
	if (sender != NULL && sender[0] != '\0' && strcmp(sender, "<>") != 0 &&
	    smtp_address_parse(span_str(sender), a->arena, &q->sender, &why) == -1)
		return adm_fail(ADM_USAGE, "%s: %s", sender, why);
	return ADM_OK;
}

int
cmd_recipient(struct adm *a)
{
	const struct set_filter filter = { .protocol = "lmtp" };
	struct question q = { .a = a, .rc = ADM_OK };
	int rc = take_options(a, &q);

	if (rc == ADM_OK)
		rc = adm_settings(a);
	if (rc != ADM_OK)
		return rc;
	q.view = set_view_new(a->settings, &filter);
	q.f = format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);
	if (q.view == NULL || q.f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = read_tables(&q);
	if (rc == ADM_OK) {
		recipient_expand_settings(q.view, q.tables, &q.o);
		q.o.explain = true;
		format_column(q.f, "what", "what", 0);
		format_column(q.f, "depth", "depth", FORMAT_RIGHT);
		format_column(q.f, "address", "address", 0);
		format_column(q.f, "table", "table", 0);
		format_column(q.f, "line", "line", FORMAT_RIGHT);
		format_column(q.f, "result", "result", FORMAT_EXPAND);
		rc = explain(&q);
		format_end(q.f);
	}
	format_free(q.f);
	recipient_tables_free(q.tables);
	set_view_free(q.view);
	return rc;
}
