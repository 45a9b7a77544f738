/* SPDX-License-Identifier: MIT */
#include "adm/replay-recipes.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/procmail-host.h"
#include "lib-deliver/recipes.h"

#define NAMES_MAX 65536

struct work {
	const struct replay_recipes *x;
	const struct deliver_request *r;
	struct arena *a;
	struct procmail_files files;
	struct procmail_host real;	/* it reads rcfiles and looks at directories, and is asked for nothing else */
	struct procmail_where where;
	struct span text;		/* the message as the recipes got it, without its From_ line */
	struct filter_action *first, **tail;
	const char *why;
	bool no_memory;
};

static void
want(struct work *w, struct filter_action action)
{
	struct filter_action *x = arena_alloc(w->a, 1, sizeof(*x));

	if (x == NULL) {
		w->no_memory = true;
		return;
	}
	*x = action;
	x->target = arena_dup(w->a, action.target);
	x->script = arena_dup(w->a, w->where.rc);
	x->line = w->where.rc.n > 0 ? w->where.line : 0;
	if (action.message.p != NULL)
		x->message = span_eq(action.message, w->text) ? SPAN_NONE : arena_dup(w->a, action.message);
	*w->tail = x;
	w->tail = &x->next;
}

static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	struct work *w = ctx;

	if (w->x->given.p != NULL && span_eq(name, span_str(w->x->files[0]))) {
		buf_add(out, w->x->given);
		return out->failed ? err_set(e, ERR_LIMIT, "the file is too large") : 0;
	}
	return w->real.read(&w->files, dir, name, out, e);
}

static int
on_enter(void *ctx, struct span dir, struct err *e)
{
	struct work *w = ctx;

	return w->real.enter(&w->files, dir, e);
}

static bool
on_is_file(void *ctx, struct span dir, struct span name)
{
	struct work *w = ctx;

	return w->real.is_file(&w->files, dir, name);
}

static bool
on_is_dir(void *ctx, struct span dir, struct span name)
{
	struct work *w = ctx;

	return w->real.is_dir(&w->files, dir, name);
}

/* A / is the separator in recipes, also where the server has another. */
static struct span
mailbox_of(const struct work *w, struct span name)
{
	char separator = storage_separator(w->r->storage, name);
	char *text = arena_alloc(w->a, name.n + 1, 1);

	for (size_t i = 0; text != NULL && i < name.n; i++)
		text[i] = name.p[i] == '/' && separator != '\0' ? separator : name.p[i];
	return text == NULL ? name : span_of(text, name.n);
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	struct filter_action action = { .kind = FILTER_SAVE, .verb = "recipe", .message = d->text, .create = true };
	struct work *w = ctx;

	(void)e;
	buf_add(out, d->names[0]);
	if (d->place == PROCMAIL_PLACE_MAILBOX) {
		action.target = mailbox_of(w, span_from(d->names[0], strlen(PROCMAIL_MAILBOX_PREFIX)));
		action.keep = span_eq(action.target, w->x->place) || span_ieq(action.target, SPAN("INBOX"));
		want(w, action);
		return 0;
	}
	action.kind = FILTER_FILE;
	action.message = SPAN_NONE;
	for (size_t i = 0; i < d->name_count; i++) {
		action.target = d->names[i];
		want(w, action);
	}
	return 0;
}

static int
on_forward(void *ctx, const struct span *addresses, size_t count, struct span text, struct err *e)
{
	(void)text;
	(void)e;
	for (size_t i = 0; i < count; i++)
		want(ctx, (struct filter_action){ .kind = FILTER_REDIRECT, .verb = "!", .target = addresses[i] });
	return 0;
}

/* The command line, as it was written where a shell has it. */
static struct span
line_of(const struct procmail_program *p, struct arena *a)
{
	struct buf line = BUF_INIT(4096);
	struct span out;

	if (p->argc == 3 && span_eq(p->argv[1], SPAN("-c")))
		return p->argv[2];
	for (size_t i = 0; i < p->argc; i++) {
		buf_adds(&line, i > 0 ? " " : "");
		buf_add(&line, p->argv[i]);
	}
	out = arena_dup(a, buf_span(&line));
	buf_clear(&line);
	return out;
}

/* A filter, or backquotes, want output; without any nothing is changed. */
static int
on_run(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e)
{
	struct work *w = ctx;

	(void)out;
	(void)said;
	(void)e;
	want(w, (struct filter_action){ .kind = FILTER_PIPE, .verb = "program", .target = line_of(p, w->a) });
	*status = 0;
	return 0;
}

static int
on_lock(void *ctx, const struct procmail_lock *l, struct err *e)
{
	(void)ctx;
	(void)l;
	(void)e;
	return 0;
}

static void
on_unlock(void *ctx, struct span dir, struct span name)
{
	(void)ctx;
	(void)dir;
	(void)name;
}

static void
on_log(void *ctx, struct span dir, struct span name, struct span text)
{
	(void)ctx;
	(void)dir;
	(void)name;
	(void)text;
}

static void
on_dropped(void *ctx, struct span by)
{
	(void)by;
	want(ctx, (struct filter_action){ .kind = FILTER_DISCARD, .verb = "recipe" });
}

static void
on_problem(void *ctx, struct span text)
{
	struct work *w = ctx;

	if (w->why == NULL)
		w->why = arena_printf(w->a, "%.*s line %u: %.*s", SPAN_ARG(w->where.rc), w->where.line, SPAN_ARG(text));
}

/* As procmail gets it: LF line ends, and the line that mbox files begin with. */
static void
put_message(struct buf *out, const struct deliver_request *r)
{
	struct span in = r->message, sender = r->sender.n > 0 ? r->sender : SPAN("MAILER-DAEMON");
	time_t now = time(NULL);
	char date[64] = "";
	struct tm tm;

	buf_adds(out, "From ");
	for (size_t i = 0; i < sender.n; i++)
		buf_addc(out, (unsigned char)sender.p[i] <= ' ' || sender.p[i] == 127 ? '_' : sender.p[i]);
	if (localtime_r(&now, &tm) != NULL)
		strftime(date, sizeof(date), " %a %b %e %H:%M:%S %Y", &tm);
	buf_addf(out, "%s\n", date);
	for (size_t i = 0, from = 0; i <= in.n; i++) {
		bool ends = i + 1 < in.n && in.p[i] == '\r' && in.p[i + 1] == '\n';

		if (i < in.n && !ends)
			continue;
		buf_add(out, span_sub(in, from, i - from));
		from = i + 1;
	}
}

static struct span
names_of(const struct replay_recipes *x, struct arena *a)
{
	struct buf names = BUF_INIT(NAMES_MAX);
	struct span out;

	for (size_t i = 0; x->files[i] != NULL; i++)
		if (x->given.p != NULL || access(x->files[i], F_OK) == 0)
			buf_addf(&names, "%s\n", x->files[i]);
	out = arena_dup(a, buf_span(&names));
	buf_clear(&names);
	return out;
}

static int
run(struct work *w, const struct deliver_request *r, struct span names, struct span text, struct err *e)
{
	struct span settings[DELIVER_RECIPES_VARIABLES], detail = deliver_detail(r);
	struct span host_name_set = set_str(w->x->view, SET_hostname);
	struct procmail_host host = { .ctx = w, .read = on_read, .enter = on_enter, .is_dir = on_is_dir,
		.is_file = on_is_file, .deliver = on_deliver,
				      .forward = on_forward, .run = on_run, .lock = on_lock, .unlock = on_unlock, .log = on_log,
				      .problem = on_problem, .dropped = on_dropped };
	struct procmail_limits limits = deliver_recipes_limits(w->x->view);
	struct procmail_result result;
	struct procmail_request q = {
		.text = text, .global_rc = names, .user = w->x->user, .home = w->x->home,
		.host_name = host_name_set.n > 0 ? host_name_set : span_str(host_name()), .dir = w->x->home,
		.inbox = span_str(arena_printf(w->a, PROCMAIL_MAILBOX_PREFIX "%.*s", SPAN_ARG(w->x->place))),
		.sendmail = deliver_recipes_sendmail(w->x->view), .settings = settings, .args = &detail, .arg_count = detail.n > 0,
		.setting_count = deliver_recipes_variables(r, detail, w->a, settings), .process = (unsigned)getpid(),
		.soft = true, .where = &w->where, .keep_when_failed = true,
	};
	char code[64];
	int rc;

	if (q.inbox.p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	rc = procmail_run(&q, &host, &limits, &result, e);
	buf_clear(&result.folder);
	if (rc == -1)
		return -1;
	if (result.exit_code_set && result.exit_code != 0) {
		snprintf(code, sizeof(code), "exit code %d", result.exit_code);
		want(w, (struct filter_action){ .kind = FILTER_REJECT, .verb = "EXITCODE", .text = span_str(arena_printf(w->a, "%s", code)) });
	} else if (!result.delivered) {
		want(w, (struct filter_action){ .kind = FILTER_SAVE, .keep = true });
	}
	return w->no_memory ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

int
replay_recipes_run(const struct replay_recipes *x, const struct deliver_request *r, struct arena *a,
    struct filter_action **out, const char **why_out, struct err *e)
{
	struct work w = { .x = x, .r = r, .a = a };
	struct span names = names_of(x, a);
	struct buf text = BUF_INIT(r->message.n + r->sender.n + 128);
	int rc = 0;

	w.tail = &w.first;
	procmail_files_host(&w.files, &w.real);
	put_message(&text, r);
	w.text = span_from(buf_span(&text), span_chr(buf_span(&text), '\n') + 1);
	if (text.failed)
		rc = err_set(e, ERR_TEMP, "out of memory");
	else if (names.n > 0)
		rc = run(&w, r, names, buf_span(&text), e);
	else
		want(&w, (struct filter_action){ .kind = FILTER_SAVE, .keep = true });
	buf_clear(&text);
	*out = w.first;
	*why_out = w.why;
	return rc;
}
