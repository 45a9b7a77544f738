/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-deliver/perform.h"
#include "lib-deliver/procmail-host.h"
#include "lib-deliver/recipient/target.h"
#include "lib-deliver/save.h"
#include "lib-deliver/smtp-path.h"
#include "lib-filter/procmail/cache.h"
#include "lib-mail/crlf.h"
#include "lib-storage/driver.h"

#define FILES_MAX 32		/* of procmail_rc, and of procmail_directories */
#define TOLD_MAX 100		/* lines of one message in the server's log */
#define LOGFILE_MAX ((uint64_t)256 << 20)
#define LOG_MAX ((uint64_t)16 << 20)	/* of one message */
#define WHY_MAX 400

struct deliver_recipes {
	struct arena *a;
	struct span user, home;
	const char *files[FILES_MAX + 1];	/* NULL-terminated */
	const struct program_helper *helper;
	struct procmail_cache *cache;
	bool lost_helper;
};

/* One message. */
struct work {
	struct procmail_files files;	/* the first: host.ctx */
	struct procmail_host inner;
	struct deliver_recipes *x;
	const struct deliver_request *r;
	struct deliver_host *host;
	deliver_rest *rest;
	struct deliver_result *out;
	struct procmail_where where;
	struct span text;		/* as the recipes got it, without From_ line */
	size_t head;			/* octets of it that are the request's header */
	struct span place;		/* where mail goes without recipes */
	const char *by;			/* of the log lines of what is behind the recipes */
	unsigned told;
};

bool
deliver_recipes_are_on(const struct set_view *view)
{
	return set_list_has(view, SET_mail_plugins, SPAN("procmail"));
}

static struct program_limits
limits_of(const struct set_view *view)
{
	struct span programs = set_str(view, SET_procmail_programs);
	struct program_limits l = {
		.timeout = (unsigned)(set_ms(view, SET_procmail_timeout) / 1000),
		.memory = set_num(view, SET_procmail_program_memory),
		.file_size = set_num(view, SET_procmail_program_file_size),
		.processes = (unsigned)set_num(view, SET_procmail_program_processes),
		.output = (size_t)set_num(view, SET_procmail_program_output),
	};

	if (programs.n > 0 && programs.p[0] == '/')
		l.only_dir = programs;
	return l;
}

int
deliver_recipes_start_helper(const struct set_view *view, program_become *become, void *ctx, struct program_helper *out,
    struct err *e)
{
	struct span programs = set_str(view, SET_procmail_programs);
	struct program_limits l = limits_of(view);

	*out = (struct program_helper){ .sock = -1, .pid = -1 };
	if (!deliver_recipes_are_on(view) || !(span_ieq(programs, SPAN("yes")) || l.only_dir.n > 0))
		return 0;
	return program_helper_start(out, &l, become, ctx, e);
}

/* A setting's words as paths, in a; ~/ is the home. */
static int
paths_of(const struct set_view *view, enum setting id, struct span user, struct span home, struct arena *a,
    const char *out[FILES_MAX + 1], struct err *e)
{
	struct var vars[VARS_USER_COUNT + 1];
	struct buf text = BUF_INIT(65536);
	struct span rest, word;
	size_t n = 0;
	int rc;

	vars_for_user(vars, user, home);
	vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
	rc = vars_expand(&text, set_str(view, id), vars, e);
	rest = buf_span(&text);
	while (rc == 0 && set_list_next(&rest, &word)) {
		bool in_home = span_starts(word, SPAN("~/"));

		/* A user without a home has no file in it. */
		if (in_home && home.n == 0)
			continue;
		if (n == FILES_MAX)
			rc = err_set(e, ERR_LIMIT, "too many files");
		else if (!in_home && word.p[0] != '/')
			rc = err_set(e, ERR_SYNTAX, "%.*s is not an absolute path", SPAN_ARG(word));
		else if (in_home)
			out[n] = arena_printf(a, "%.*s/%.*s", SPAN_ARG(home), SPAN_ARG(span_from(word, 2)));
		else
			out[n] = arena_cstr(a, word);
		if (rc == 0 && out[n++] == NULL)
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	out[n] = NULL;
	buf_clear(&text);
	return rc;
}

int
deliver_recipes_files(const struct set_view *view, struct span user, struct span home, struct arena *a,
    const char *const **out, struct err *e)
{
	const char **files = arena_alloc(a, FILES_MAX + 1, sizeof(*files));

	if (files == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*out = files;
	return paths_of(view, SET_procmail_rc, user, home, a, files, e) == -1 ? err_wrap(e, "procmail_rc") : 0;
}

struct deliver_recipes *
deliver_recipes_new(const struct set_view *view, struct span user, struct span home, const struct program_helper *helper,
    struct err *e)
{
	struct deliver_recipes *x;

	if (!deliver_recipes_are_on(view))
		return NULL;
	x = calloc(1, sizeof(*x));
	if (x == NULL || (x->a = arena_new((size_t)1 << 20)) == NULL ||
	    (x->cache = procmail_cache_new(PROCMAIL_CACHE_OCTETS)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		deliver_recipes_free(x);
		return NULL;
	}
	x->user = arena_dup(x->a, user);
	x->home = arena_dup(x->a, home);
	x->helper = helper;
	if (paths_of(view, SET_procmail_rc, user, home, x->a, x->files, e) == 0)
		return x;
	err_wrap(e, "procmail_rc");
	deliver_recipes_free(x);
	return NULL;
}

void
deliver_recipes_free(struct deliver_recipes *x)
{
	if (x == NULL)
		return;
	procmail_cache_free(x->cache);
	arena_free(x->a);
	free(x);
}

bool
deliver_recipes_lost_helper(const struct deliver_recipes *x)
{
	return x != NULL && x->lost_helper;
}

/* What goes into the list; dir without a file's name behind it where that is asked for. */
static bool
add_path(const char **list, size_t *n, struct arena *a, const char *path, bool parent)
{
	size_t length = strlen(path);

	while (parent && length > 1 && path[length - 1] != '/')
		length--;
	list[*n] = arena_cstr(a, span_of(path, length));
	return list[(*n)++] != NULL;
}

static const char **
copy_list(const char *const *list, size_t room, size_t *n, struct arena *a)
{
	const char **out;

	for (*n = 0; list[*n] != NULL; ++*n)
		;
	out = arena_alloc(a, *n + room + 1, sizeof(*out));
	if (out != NULL)
		memcpy(out, list, *n * sizeof(*out));
	return out;
}

int
deliver_recipes_paths(const struct set_view *view, struct span user, struct span home, struct arena *a,
    const char *const **rw, const char *const **ro, struct err *e)
{
	const char *files[FILES_MAX + 1] = { NULL }, *dirs[FILES_MAX + 1] = { NULL }, **more_rw, **more_ro;
	struct err ignored = ERR_INIT;
	size_t rw_n, ro_n;
	bool ok = true;

	if (!deliver_recipes_are_on(view))
		return 0;
	/* Wrong settings are told when mail comes: here they allow nothing. */
	(void)paths_of(view, SET_procmail_rc, user, home, a, files, &ignored);
	(void)paths_of(view, SET_procmail_directories, user, home, a, dirs, &ignored);
	more_rw = copy_list(*rw, FILES_MAX + 1, &rw_n, a);
	more_ro = copy_list(*ro, FILES_MAX, &ro_n, a);
	if (more_rw == NULL || more_ro == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	/* The directory, since an editor puts a new file in the place of an old one. */
	for (size_t i = 0; ok && files[i] != NULL; i++)
		ok = add_path(more_ro, &ro_n, a, files[i], true);
	for (size_t i = 0; ok && dirs[i] != NULL; i++)
		ok = add_path(more_rw, &rw_n, a, dirs[i], false);
	if (ok && home.n > 0) {
		more_rw[rw_n] = arena_cstr(a, home);
		ok = more_rw[rw_n++] != NULL;
	}
	if (!ok)
		return err_set(e, ERR_TEMP, "out of memory");
	more_rw[rw_n] = NULL;
	more_ro[ro_n] = NULL;
	*rw = more_rw;
	*ro = more_ro;
	return 0;
}

/* Without the CR of each CR LF. */
static void
add_lf(struct buf *out, struct span in)
{
	while (in.n > 0) {
		size_t cr = span_chr(in, '\r');
		bool ends_line = cr + 1 < in.n && in.p[cr + 1] == '\n';

		buf_add(out, span_sub(in, 0, cr == in.n ? cr : ends_line ? cr : cr + 1));
		in = span_from(in, cr == in.n ? cr : cr + 1);
	}
}

/* "From sender date", as procmail and mbox files have it. */
static void
add_from_line(struct buf *out, struct span sender)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	buf_adds(out, "From ");
	if (sender.n == 0)
		buf_adds(out, "MAILER-DAEMON");
	for (size_t i = 0; i < sender.n; i++)
		buf_addc(out, (unsigned char)sender.p[i] <= ' ' || sender.p[i] == 127 ? '_' : sender.p[i]);
	if (localtime_r(&now, &tm) == NULL || strftime(date, sizeof(date), " %a %b %e %H:%M:%S %Y\n", &tm) == 0)
		snprintf(date, sizeof(date), " Thu Jan  1 00:00:00 1970\n");
	buf_adds(out, date);
}

/* The statement at hand, for log and journal. */
static struct filter_action
action_of(const struct work *w)
{
	return (struct filter_action){ .script = arena_dup(w->host->a, w->where.rc), .line = w->where.line };
}

static void
say(struct work *w, const char *what)
{
	struct filter_action a = action_of(w);

	deliver_log(w->r, w->host->by, what);
	deliver_host_note(w->host, a.line > 0 ? &a : NULL, "%s", what);
}

static void
on_problem(void *ctx, struct span text)
{
	struct work *w = ctx;
	struct filter_action a;

	if (w->told++ >= TOLD_MAX) {
		if (w->told == TOLD_MAX + 1)
			log_error("procmail: there is more to tell, which is left out");
		return;
	}
	a = action_of(w);
	if (a.line > 0)
		log_error("procmail: %.*s line %u: %.*s", SPAN_ARG(a.script), a.line, SPAN_ARG(text));
	else
		log_error("procmail: %.*s", SPAN_ARG(text));
	/* Where the message went must find room in the journal too. */
	if (w->told <= JOURNAL_STEPS / 2)
		deliver_host_note(w->host, a.line > 0 ? &a : NULL, "error: %.*s", SPAN_ARG(text));
}

/* What recipes say without a LOGFILE: what of it is an error has come to on_problem(). */
static void
on_log(void *ctx, struct span text)
{
	struct work *w = ctx;
	struct span line;

	while (w->told < TOLD_MAX && span_next(&text, '\n', &line)) {
		if (line.n == 0)
			continue;
		w->told++;
		log_info("%.*s", SPAN_ARG(span_sub(line, 0, 1000)));
	}
}

/* What leaves has an empty line more at its end. */
static bool
is_unchanged(const struct work *w, struct span text)
{
	return span_starts(text, w->text) && (text.n == w->text.n || (text.n == w->text.n + 1 && text.p[text.n - 1] == '\n'));
}

/*
 * The request as it is for a message that may have been changed; crlf: its octets, to be cleared.  The header that was put in
 * front stays apart where it is as it was: it tells who has had the message, by which loops are known.
 */
static int
changed_request(struct work *w, struct span text, struct buf *crlf, struct deliver_request *out, struct err *e)
{
	struct span head = span_sub(w->text, 0, w->head);

	*out = *w->r;
	buf_init(crlf, text.n * 2 + 1);
	if (is_unchanged(w, text))
		return 0;
	if (span_starts(text, head))
		text = span_from(text, head.n);
	else
		out->header = SPAN("");
	crlf_add(crlf, text);
	if (crlf->failed)
		return err_set(e, ERR_TEMP, "out of memory");
	out->message = buf_span(crlf);
	out->came = w->r->message;
	return 0;
}

/* To what is behind the recipes. */
static int
leave(struct work *w, const struct deliver_request *r, struct err *e)
{
	const char *by = w->host->by;
	int rc;

	w->host->by = w->by;
	rc = w->rest(r, w->host, w->out, e);
	w->host->by = by;
	return rc;
}

static bool
is_usual_place(const struct work *w, struct span mailbox)
{
	return span_eq(mailbox, w->place) || (span_ieq(mailbox, SPAN("INBOX")) && span_ieq(w->place, SPAN("INBOX")));
}

/* A / is the separator in recipes, also where the server has another: no name can have one then. */
static struct span
name_of(struct work *w, struct span mailbox)
{
	char separator = storage_separator(w->r->storage, mailbox);
	struct span name = arena_dup(w->host->a, mailbox);

	for (size_t i = 0; separator != '\0' && i < name.n; i++)
		if (name.p[i] == '/')
			((char *)(uintptr_t)name.p)[i] = separator;
	return name.n == mailbox.n ? name : mailbox;
}

static int
on_save(void *ctx, struct span mailbox, struct span text, struct err *e)
{
	struct work *w = ctx;
	struct filter_action a = action_of(w);
	struct deliver_request r;
	struct buf crlf;
	char what[WHY_MAX];
	int rc = changed_request(w, text, &crlf, &r, e);

	if (rc == 0 && is_usual_place(w, mailbox)) {
		deliver_host_note(w->host, a.line > 0 ? &a : NULL, "left for %.*s", SPAN_ARG(span_sub(mailbox, 0, 300)));
		rc = leave(w, &r, e);
	} else if (rc == 0) {
		mailbox = name_of(w, mailbox);
		a.create = true;
		rc = deliver_save(&r, mailbox, &a, e);
		snprintf(what, sizeof(what), "stored mail into mailbox '%.*s'", SPAN_ARG(span_sub(mailbox, 0, 300)));
		if (rc == 0)
			say(w, what);
	}
	buf_clear(&crlf);
	return rc;
}

/*
 * What a recipe has put together (from a header, perhaps) goes into a line of SMTP: it must be an address.  Without a domain
 * it is whole for sendmail, which knows the host's; servers refuse such.
 */
static int
address_of(struct work *w, struct span text, struct span *out, struct err *e)
{
	struct smtp_path path;
	const char *why;

	if (smtp_address_parse(text, w->host->a, &path, &why) == -1)
		return err_set(e, ERR_SYNTAX, "not an address (%s): %.*s", why, SPAN_ARG(span_sub(text, 0, 100)));
	*out = path.text;
	if (path.domain.n == 0 && set_str(w->r->view, SET_submission_host).n > 0)
		*out = recipient_address_text(path.local, deliver_own_domain(w->r), w->host->a);
	return out->p == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

/* Loops are looked for in the message that came: what recipes have put into it since is for the next time. */
static int
on_forward(void *ctx, const struct span *addresses, size_t count, struct span text, struct err *e)
{
	struct work *w = ctx;
	struct filter_action a = action_of(w);
	struct filter_message m;
	struct performed done;
	struct buf crlf = BUF_INIT(text.n * 2 + 1);
	struct span *targets = arena_alloc(w->host->a, count, sizeof(*targets));
	int rc = targets == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	/* Who fails on the last has not sent it to the others: it may come again, or go where later recipes say. */
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = address_of(w, addresses[i], &targets[i], e);
	if (rc == -1)
		return -1;
	a.kind = FILTER_REDIRECT;
	a.sender = w->r->sender;
	if (!is_unchanged(w, text)) {
		crlf_add(&crlf, text);
		a.message = buf_span(&crlf);
		if (a.message.n == 0 || crlf.failed)
			rc = err_set(e, ERR_TEMP, "nothing to send, or out of memory");
	}
	filter_message_init(&m, a.message);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		a.target = targets[i];
		rc = deliver_perform(w->r, &a, &m, w->host, &done, e);
		if (rc == 0 && done.failed > 0)
			rc = err_set(e, done.first.code, "%s", done.first.log);
	}
	buf_clear(&crlf);
	return rc;
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	struct work *w = ctx;
	char what[WHY_MAX];

	if (w->inner.deliver(&w->files, d, out, e) == -1)
		return -1;
	if (d->place != PROCMAIL_PLACE_MAILBOX) {
		snprintf(what, sizeof(what), "stored mail into %.*s", SPAN_ARG(span_sub(buf_span(out), 0, 300)));
		say(w, what);
	}
	return 0;
}

static int
on_run(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e)
{
	struct work *w = ctx;
	struct filter_action a = action_of(w);

	if (w->inner.run(&w->files, p, out, said, status, e) == -1) {
		if (e->code == ERR_EOF && waitpid(w->x->helper->pid, NULL, WNOHANG) != 0)
			w->x->lost_helper = true;
		return -1;
	}
	/* Nobody wants the output: it is a program that the message is given to. */
	if (p->output_max == 0)
		deliver_host_note(w->host, a.line > 0 ? &a : NULL, "piped message to program %.*s: status %d",
		    SPAN_ARG(span_sub(span_trim(p->argv[p->argc - 1]), 0, 300)), *status);
	return 0;
}

/* What an exit code means to an MTA that has given the mail over LMTP (sysexits.h). */
static void
refuse(struct work *w, int code)
{
	static const struct {
		int code;
		unsigned reply;
		const char *status, *text;
	} meanings[] = {
		{ EX_TEMPFAIL, 451, "4.2.0", "Put off by the recipient's recipes" },
		{ EX_NOUSER, 550, "5.1.1", "No such user here" },
		{ EX_NOHOST, 550, "5.1.2", "Host unknown" },
		{ EX_NOPERM, 550, "5.7.1", "Refused by the recipient's recipes" },
		{ EX_UNAVAILABLE, 550, "5.3.0", "Service unavailable" },
		{ EX_CANTCREAT, 550, "5.2.0", "Refused by the recipient's recipes" },
		{ 0, 554, "5.3.0", "Refused by the recipient's recipes" },
	};
	struct deliver_result *out = w->out;
	char what[WHY_MAX];
	size_t i = 0;

	while (meanings[i].code != 0 && meanings[i].code != code)
		i++;
	snprintf(out->text, sizeof(out->text), "%s <%.*s> %s", meanings[i].status,
	    SPAN_ARG(span_sub(w->r->recipient, 0, 150)), meanings[i].text);
	out->code = ERR_DENIED;
	out->rejected = true;
	out->permanent = code != EX_TEMPFAIL;
	out->reply = meanings[i].reply;
	out->exit_code = code;
	snprintf(what, sizeof(what), "the recipes end with exit code %d", code);
	say(w, what);
}

/* The exit code, or another that they may give, is told behind it. */
static void
on_dropped(void *ctx, struct span by)
{
	struct work *w = ctx;
	char what[WHY_MAX];

	if (span_eq(by, SPAN("HOST")))
		snprintf(what, sizeof(what), "ended by HOST: what no recipe has stored is discarded");
	else
		snprintf(what, sizeof(what), "discarded into %.*s", SPAN_ARG(span_sub(by, 0, 300)));
	say(w, what);
}

size_t
deliver_recipes_variables(const struct deliver_request *r, struct span detail, struct arena *a,
    struct span out[DELIVER_RECIPES_VARIABLES])
{
	out[0] = span_str(arena_printf(a, "SENDER=%.*s", SPAN_ARG(r->sender)));
	out[1] = span_str(arena_printf(a, "RECIPIENT=%.*s", SPAN_ARG(r->recipient)));
	out[2] = span_str(arena_printf(a, "ORIGINAL_RECIPIENT=%.*s", SPAN_ARG(r->orig_recipient.n > 0 ? r->orig_recipient : r->recipient)));
	out[3] = span_str(arena_printf(a, "EXTENSION=%.*s", SPAN_ARG(detail)));
	if (getenv("TZ") == NULL)
		return DELIVER_RECIPES_VARIABLES - 1;
	out[4] = span_str(arena_printf(a, "TZ=%s", getenv("TZ")));
	return DELIVER_RECIPES_VARIABLES;
}

/* The files that there are, a line each; empty: none. */
static struct span
files_that_are(const struct deliver_recipes *x, struct deliver_host *host)
{
	struct buf names = BUF_INIT(65536);
	struct span out;
	struct stat st;

	for (size_t i = 0; x->files[i] != NULL; i++) {
		const char *why = "belongs to another user: it is not run";

		if (stat(x->files[i], &st) == -1) {
			if (errno == ENOENT || errno == ENOTDIR)
				continue;
			why = strerror(errno);
		} else if (st.st_uid == 0 || st.st_uid == geteuid()) {
			buf_addf(&names, "%s\n", x->files[i]);
			continue;
		}
		log_error("procmail: %s: %s", x->files[i], why);
		deliver_host_note(host, NULL, "error: %s: %s", x->files[i], why);
	}
	out = arena_dup(host->a, buf_span(&names));
	buf_clear(&names);
	return out;
}

/* The program of sendmail_path, without its arguments. */
struct span
deliver_recipes_sendmail(const struct set_view *view)
{
	struct span path = set_str(view, SET_sendmail_path);

	path = span_sub(path, 0, span_chr(path, ' '));
	return path.n > 0 ? path : SPAN("/usr/sbin/sendmail");
}

struct procmail_limits
deliver_recipes_limits(const struct set_view *view)
{
	struct procmail_limits l = PROCMAIL_LIMITS_DEFAULT;
	size_t memory = (size_t)set_num(view, SET_procmail_memory);

	l.memory = memory;
	l.values = memory / 4 < l.values ? memory / 4 : l.values;
	l.message = memory < l.message ? memory : l.message;
	l.line = memory / 16 < l.line ? memory / 16 : l.line;
	return l;
}

static void
work_init(struct work *w)
{
	struct span programs = set_str(w->r->view, SET_procmail_programs);

	w->files = (struct procmail_files){
		.save = on_save, .forward = on_forward, .log = on_log, .ctx = w,
		.programs = !span_ieq(programs, SPAN("no")) && w->x->helper != NULL && w->x->helper->sock != -1,
		.helper = w->x->helper, .limits = limits_of(w->r->view), .log_max = LOGFILE_MAX, .log_limit = LOG_MAX,
		.deadline_ms = clock_ms() + (int64_t)set_ms(w->r->view, SET_procmail_timeout),
		.no_sync = set_enum(w->r->view, SET_mail_fsync) == FSYNC_NEVER,
	};
	procmail_files_host(&w->files, &w->inner);
}

static int
run(struct work *w, struct span files, struct buf *text, struct err *e)
{
	struct span detail = deliver_detail(w->r), settings[DELIVER_RECIPES_VARIABLES], from;
	struct procmail_host host = w->inner;
	struct procmail_limits limits = deliver_recipes_limits(w->r->view);
	struct procmail_result result;
	struct procmail_request q = {
		.global_rc = files, .user = w->x->user, .home = w->x->home, .host_name = set_str(w->r->view, SET_hostname),
		.dir = w->x->home, .sendmail = deliver_recipes_sendmail(w->r->view), .settings = settings, .args = &detail,
		.arg_count = detail.n > 0, .process = (unsigned)getpid(), .soft = true, .cache = w->x->cache, .where = &w->where,
		.keep_when_failed = true,
	};
	int rc;

	add_from_line(text, w->r->sender);
	from = buf_span(text);
	add_lf(text, w->r->header);
	w->head = text->n - from.n;
	add_lf(text, w->r->message);
	q.inbox = span_str(arena_printf(w->host->a, PROCMAIL_MAILBOX_PREFIX "%.*s", SPAN_ARG(w->place)));
	if (text->failed || q.inbox.n == 0)
		return err_set(e, ERR_TEMP, "out of memory");
	q.text = buf_span(text);
	w->text = span_from(q.text, from.n);
	if (q.host_name.n == 0)
		q.host_name = span_str(host_name());
	q.setting_count = deliver_recipes_variables(w->r, detail, w->host->a, settings);
	host.ctx = w;
	host.deliver = on_deliver;
	host.run = on_run;
	host.problem = on_problem;
	host.dropped = on_dropped;
	w->by = w->host->by;
	w->host->by = "procmail: ";
	rc = procmail_run(&q, &host, &limits, &result, e);
	if (rc == 0 && result.exit_code_set && result.exit_code != 0)
		refuse(w, result.exit_code);
	else if (rc == 0 && !result.delivered)
		rc = -1;
	buf_clear(&result.folder);
	w->host->by = w->by;
	return rc;
}

int
deliver_recipes_run(struct deliver_recipes *x, const struct deliver_request *r, struct deliver_host *host, deliver_rest *rest,
    struct deliver_result *out, struct err *e)
{
	struct work w = { .x = x, .r = r, .host = host, .rest = rest, .out = out, .place = deliver_place(r) };
	struct span files = files_that_are(x, host);
	struct buf text;
	int rc;

	if (files.n == 0)
		return rest(r, host, out, e);
	buf_init(&text, r->header.n + r->message.n + r->sender.n + 128);
	(void)buf_grow(&text, text.max);
	work_init(&w);
	rc = run(&w, files, &text, e);
	buf_clear(&text);
	if (rc == 0)
		return 0;
	/* Nothing has taken it: it is kept, as if there were no recipes. */
	return rest(r, host, out, e);
}
