/* SPDX-License-Identifier: MIT */
/* filter replay: what the filter, or one script, would make of mail that is in mailboxes already. */
#include "adm/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "adm/check.h"
#include "adm/replay-apply.h"
#include "adm/replay-copies.h"
#include "adm/replay-recipes.h"
#include "lib/hash.h"
#include "lib/sys.h"
#include "lib-deliver/perform.h"
#include "lib-deliver/recipes.h"
#include "lib-filter/sieve/sequence.h"
#include "lib-filter/sieve/store.h"
#include "lib-mail/header.h"

#define MESSAGE_MEMORY ((size_t)96 << 20)	/* as in a delivery */
#define PLAN_MEMORY ((size_t)512 << 20)
#define REMEMBERED_MAX 1000000
#define FILE_MAX ((size_t)16 << 20)

/* What the command line wants; the same for all users. */
struct wanted {
	bool apply, changed;
	const char *keep;		/* -m */
	const char *script;		/* NULL: what delivery runs */
	struct buf file;		/* the file of that name, read before the process became the user */
	bool has_file, is_rcfile;
};

/* One user's.  The host is first: its functions get a pointer to it. */
struct replay {
	struct deliver_host host;
	struct deliver_request request;
	const struct wanted *wanted;
	struct adm *adm;
	struct arena *a;		/* of plans, until the end */
	struct set_view *view;		/* as a delivery has it */
	struct sieve_site site;
	bool has_recipes;
	struct replay_recipes recipes;	/* before the sequence */
	const char *recipe_files[2];
	struct sieve_sequence *sequence;	/* NULL: no Sieve */
	struct sieve_script *script;	/* in the sequence's place */
	struct sieve_limits limits;
	struct span script_name;
	struct filter_host including;
	/* What a delivery would remember, of this run alone: what real deliveries remember says nothing about now. */
	struct hash *marks;
	struct replay_copies copies;
	struct mailbox *box;		/* of the message at hand, */
	uint32_t uid;
	char email_id[33];		/* and its EMAILID; empty: not asked for yet */
	struct replay_todo *todo, **tail;
	size_t failures;
};

/* ---- the host ---- */

static bool
on_is_marked(void *ctx, struct span mark, int64_t seconds)
{
	const struct replay *r = ctx;

	(void)seconds;
	return hash_get(r->marks, mark) != NULL;
}

static int
on_include(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const struct replay *r = ctx;

	return sieve_site_include(&r->site, personal, name, a, out, e);
}

static bool
on_place(void *ctx, const struct filter_action *action, struct span *name_out, bool *make_out)
{
	struct replay *r = ctx;

	*name_out = deliver_place_of(&r->host, action);
	if (r->host.table.mailbox_exists(&r->host, *name_out))
		return true;
	*make_out = action->create || set_bool(r->view, SET_lda_mailbox_autocreate);
	return *make_out;
}

/* Asked of copies only. */
static bool
on_has(void *ctx, struct span mailbox)
{
	struct replay *r = ctx;
	struct err e = ERR_INIT;

	if (r->email_id[0] == '\0' && mailbox_email_id(r->box, r->uid, r->email_id, &e) == -1)
		return false;
	return replay_copies_has(&r->copies, mailbox, span_str(r->email_id));
}

/* ---- begin and end ---- */

static const char *
switched_on(struct adm *a, struct replay *r, struct err *e)
{
	static const char *const protocols[] = { "lmtp", "lda" };

	for (size_t i = 0; i < 2; i++) {
		const struct set_filter filter = { .protocol = protocols[i] };

		set_view_free(r->view);
		r->view = set_view_new(a->settings, &filter);
		if (r->view == NULL) {
			err_set(e, ERR_TEMP, "out of memory");
			return NULL;
		}
		if (identity_apply(a->identity, r->view, e) == -1)
			return NULL;
		if (r->wanted->script != NULL || deliver_recipes_are_on(r->view) ||
		    set_list_has(r->view, SET_mail_plugins, SPAN("sieve")))
			return protocols[i];
	}
	err_set(e, ERR_NOTFOUND, "delivery runs neither Sieve scripts nor recipes (mail_plugins), and no script was named");
	return NULL;
}

/* The user's script of that name comes before a file. */
static int
script_text(struct replay *r, struct buf *out, struct err *e)
{
	struct span name = span_str(r->wanted->script);
	struct sieve_store *store;
	int rc;

	if (memchr(name.p, '/', name.n) == NULL && sieve_store_open(&r->site, &store, e) == 0) {
		rc = sieve_store_get(store, name, out, e);
		sieve_store_close(store);
		if (rc == 0 || e->code != ERR_NOTFOUND)
			return rc;
	}
	if (!r->wanted->has_file)
		return err_set(e, ERR_NOTFOUND, "there is neither a script nor a file of that name");
	*e = (struct err)ERR_INIT;
	buf_add(out, buf_span(&r->wanted->file));
	return out->failed ? err_set(e, ERR_LIMIT, "the script is too large") : 0;
}

static void
on_error(void *ctx, const struct sieve_error *error)
{
	const struct wanted *w = ctx;

	fprintf(stderr, "%s:%u: %s\n", w->script, error->line, error->text);
}

static int
compile(struct replay *r)
{
	struct sieve_compile_options o = { .host = &r->including, .on_error = on_error, .on_error_ctx = (void *)(uintptr_t)r->wanted };
	struct buf text = BUF_INIT(FILE_MAX);
	struct sieve_error error = { 0 };
	struct err e = ERR_INIT;
	int rc = ADM_OK;

	sieve_site_extensions(&r->site, &o.available, &o.available_global, NULL);
	sieve_site_include_limits(&r->site, &o);
	/* A file is the administrator's, or about to become so. */
	if (strchr(r->wanted->script, '/') != NULL)
		o.available = o.available_global;
	sieve_site_limits(&r->site, &r->limits);
	r->including = (struct filter_host){ .ctx = r, .script = on_include };
	r->script_name = span_str(r->wanted->script);
	if (script_text(r, &text, &e) == -1)
		rc = adm_fail_err(&e, r->wanted->script);
	else if ((r->script = sieve_compile_with(buf_span(&text), &o, &error)) == NULL)
		rc = adm_fail(ADM_DATA, "%s is no valid script: line %u: %s", r->wanted->script, error.line, error.text);
	buf_clear(&text);
	return rc;
}

static int
begin(struct adm *a, struct storage *st, struct mail_job *job)
{
	struct replay *r = job->data;
	struct err e = ERR_INIT;

	r->adm = a;
	r->tail = &r->todo;
	r->a = arena_new(PLAN_MEMORY);
	r->marks = hash_new(REMEMBERED_MAX);
	if (r->a == NULL || r->marks == NULL || !replay_copies_init(&r->copies, st))
		return adm_fail(ADM_TEMP, "out of memory");
	if (switched_on(a, r, &e) == NULL)
		return adm_fail_err(&e, "filter");
	r->request = (struct deliver_request){ .storage = st, .view = r->view, .user = a->user, .home = a->identity->home,
					       .session = SPAN("") };
	r->site = (struct sieve_site){ .ctx = r->view, .setting = sieve_site_setting, .user = a->user,
				       .home = a->identity->home.n > 0 ? a->identity->home : SPAN_NONE };
	r->recipes = (struct replay_recipes){ .user = a->user, .home = a->identity->home, .view = r->view, .place = SPAN("INBOX") };
	if (r->wanted->is_rcfile) {
		r->recipe_files[0] = r->wanted->script;
		r->recipes.files = r->recipe_files;
		r->recipes.given = buf_span(&r->wanted->file);
		r->has_recipes = true;
		return ADM_OK;
	}
	if (r->wanted->script != NULL)
		return compile(r);
	r->has_recipes = deliver_recipes_are_on(r->view);
	if (r->has_recipes && deliver_recipes_files(r->view, a->user, a->identity->home, r->a, &r->recipes.files, &e) == -1)
		return adm_fail_err(&e, "recipes");
	if (!set_list_has(r->view, SET_mail_plugins, SPAN("sieve")))
		return ADM_OK;
	if (sieve_sequence_open(&r->site, &r->sequence, &e) == -1)
		return adm_fail_err(&e, "plugin");
	sieve_sequence_only_look(r->sequence);
	return ADM_OK;
}

static void
on_apply_error(void *ctx, struct span mailbox, uint32_t uid, const struct err *e)
{
	struct adm *a = ctx;

	adm_fail_err(e, uid == 0 ? arena_printf(a->arena, "%.*s", SPAN_ARG(mailbox)) :
	    arena_printf(a->arena, "%.*s, UID %u", SPAN_ARG(mailbox), uid));
}

static int
end(struct adm *a, struct storage *st, struct mail_job *job)
{
	struct replay *r = job->data;
	int rc = r->failures > 0 ? ADM_DATA : ADM_OK;

	if (r->wanted->apply && !replay_apply(st, r->todo, r->a, on_apply_error, a))
		rc = ADM_FAILED;
	sieve_sequence_close(r->sequence);
	sieve_script_free(r->script);
	hash_free(r->marks);
	replay_copies_clear(&r->copies);
	set_view_free(r->view);
	arena_free(r->a);
	return rc;
}

/* ---- a message ---- */

/* An address as a trace field has it, with its brackets or not. */
static struct span
trace_field(struct span header, struct span name)
{
	struct span value;

	if (!header_get(header, name, &value))
		return SPAN("");
	value = span_trim(value);
	return value.n >= 2 && value.p[0] == '<' && value.p[value.n - 1] == '>' ? span_sub(value, 1, value.n - 2) : value;
}

/* The envelope is what the message tells of it. */
static void
message_of(struct replay *r, struct span text, const struct replay_flags *flags, struct arena *a, struct filter_message *m)
{
	filter_message_init(m, text);
	m->sender = trace_field(m->header, SPAN("return-path"));
	m->recipient = trace_field(m->header, SPAN("delivered-to"));
	m->orig_recipient = trace_field(m->header, SPAN("x-original-to"));
	if (m->recipient.n == 0)
		m->recipient = r->request.user;
	m->flags = replay_flag_words(flags, a);
	r->request.message = text;
	r->request.sender = m->sender;
	r->request.recipient = m->recipient;
	r->request.orig_recipient = m->orig_recipient;
}

static int
flags_of(struct mailbox *box, uint32_t uid, struct arena *a, struct replay_flags *out, struct err *e)
{
	const struct span *names;
	struct msg_rec rec;
	size_t count;

	*out = (struct replay_flags){ .flags = 0 };
	if (mailbox_get(box, uid, &rec, e) == -1)
		return -1;
	count = mailbox_keywords(box, &names);
	out->flags = rec.flags;
	out->keywords = arena_alloc(a, 64, sizeof(*out->keywords));
	if (out->keywords == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < count && i < 64; i++)
		if ((rec.keywords >> i & 1) != 0) {
			out->keywords[out->keyword_count] = arena_dup(a, names[i]);
			if (out->keywords[out->keyword_count].p != NULL)
				out->keyword_count++;
		}
	return 0;
}

/* What went wrong, for the row of the message; NULL: nothing. */
static const char *
decide_sieve(struct replay *r, const struct filter_message *m, struct arena *a, struct filter_action **out)
{
	struct sieve_error error = { 0 };
	struct sieve_outcome o;
	struct err e = ERR_INIT;

	if (r->script != NULL) {
		int rc = sieve_script_run(r->script, m, &r->host.table, &r->limits, a, out, &error);

		for (struct filter_action *x = *out; x != NULL; x = x->next)
			x->script = r->script_name;
		return rc == 0 ? NULL : arena_printf(a, "%.*s line %u: %s", SPAN_ARG(r->script_name), error.line, error.text);
	}
	if (sieve_sequence_run(r->sequence, m, &r->host.table, a, &o, &e) == -1) {
		*out = NULL;
		return arena_printf(a, "%s", e.log);
	}
	*out = o.actions;
	return o.failures == NULL ? NULL : arena_printf(a, "%s line %u: %s", o.failures->path, o.failures->line, o.failures->why);
}

/* The scripts see what the recipes have made of the message. */
static const char *
decide_rest(struct replay *r, const struct filter_message *m, struct span changed, struct arena *a, struct filter_action **out)
{
	struct filter_message now = *m, split;
	const char *why;

	if (changed.p == NULL)
		return decide_sieve(r, m, a, out);
	filter_message_init(&split, changed);
	now.text = split.text;
	now.header = split.header;
	now.body = split.body;
	why = decide_sieve(r, &now, a, out);
	for (struct filter_action *x = *out; x != NULL; x = x->next)
		if (x->kind == FILTER_SAVE && !x->own && x->message.p == NULL)
			x->message = changed;
	return why;
}

/* Recipes first, as in a delivery: what they leave where it would be is for the scripts. */
static const char *
decide(struct replay *r, const struct filter_message *m, struct arena *a, struct filter_action **out)
{
	struct filter_action **at = out, *rest;
	const char *why = NULL, *more;
	struct span changed = SPAN_NONE;
	struct err e = ERR_INIT;
	bool kept = false;

	if (!r->has_recipes)
		return decide_sieve(r, m, a, out);
	if (replay_recipes_run(&r->recipes, &r->request, a, out, &why, &e) == -1) {
		*out = NULL;
		return arena_printf(a, "%s", e.log);
	}
	if (r->sequence == NULL)
		return why;
	while (*at != NULL) {
		if ((*at)->kind == FILTER_SAVE && (*at)->keep) {
			changed = (*at)->message;
			*at = (*at)->next;
			kept = true;
		} else {
			at = &(*at)->next;
		}
	}
	if (!kept)
		return why;
	more = decide_rest(r, m, changed, a, &rest);
	*at = rest;
	return why != NULL ? why : more;
}

static void
remember(struct replay *r, const struct filter_action *x)
{
	for (; x != NULL; x = x->next)
		if (x->mark.n > 0)
			hash_set(r->marks, x->mark, r);
}

/* Plans that are to be made true must outlive their message. */
static int
keep_plan(struct replay *r, struct mailbox *box, uint32_t uid, const struct replay_plan *plan)
{
	struct replay_todo *t = arena_alloc(r->a, 1, sizeof(*t));
	struct replay_plan *copy = arena_alloc(r->a, 1, sizeof(*copy));
	struct replay_place **tail;

	if (t == NULL || copy == NULL)
		return -1;
	*copy = *plan;
	copy->what = copy->rules = SPAN("");
	tail = &copy->places;
	for (const struct replay_place *p = plan->places; p != NULL; p = p->next) {
		struct replay_place *q = arena_alloc(r->a, 1, sizeof(*q));
		struct span *keywords = arena_alloc(r->a, p->flags.keyword_count + 1, sizeof(*keywords));

		if (q == NULL || keywords == NULL)
			return -1;
		*q = *p;
		q->mailbox = arena_dup(r->a, p->mailbox);
		for (size_t i = 0; i < p->flags.keyword_count; i++)
			keywords[i] = arena_dup(r->a, p->flags.keywords[i]);
		q->flags.keywords = keywords;
		*tail = q;
		tail = &q->next;
	}
	*tail = NULL;
	*t = (struct replay_todo){ .mailbox = arena_dup(r->a, mailbox_name(box)), .uid = uid, .plan = copy };
	*r->tail = t;
	r->tail = &t->next;
	return t->mailbox.p == NULL ? -1 : 0;
}

static void
put_row(struct replay *r, struct format *f, struct mailbox *box, uint32_t uid, const struct filter_message *m,
    const struct replay_plan *plan, const char *failure)
{
	struct span id = SPAN("");

	header_get(m->header, SPAN("message-id"), &id);
	format_value(f, r->request.user);
	format_value(f, mailbox_name(box));
	format_valuef(f, "%u", uid);
	format_value(f, span_trim(id));
	if (failure != NULL)
		format_valuef(f, "%.*s; failed: %s", SPAN_ARG(plan->what), failure);
	else
		format_value(f, plan->what);
	format_value(f, plan->rules);
}

static int
one_message(struct replay *r, struct mailbox *box, uint32_t uid, struct format *f, struct arena *a, struct err *e)
{
	const struct replay_host host = { .ctx = r, .place = on_place, .has = on_has, .keep = span_str(r->wanted->keep) };
	struct replay_at at = { .mailbox = mailbox_name(box) };
	struct filter_action *actions;
	struct filter_message m;
	struct replay_plan plan;
	const char *failure;
	struct span text;

	if (flags_of(box, uid, a, &at.flags, e) == -1 || mailbox_body(box, uid, &text, e) == -1)
		return -1;
	mailbox_read_end(box);
	r->box = box;
	r->uid = uid;
	r->email_id[0] = '\0';
	at.text = text;
	message_of(r, text, &at.flags, a, &m);
	deliver_host_begin(&r->host, &r->request, a);
	if (r->host.dir_fd != -1)
		close(r->host.dir_fd);
	r->host.dir_fd = -1;	/* no journal, no marks */
	r->host.table.is_marked = on_is_marked;
	r->host.table.run = NULL;
	failure = decide(r, &m, a, &actions);
	if (failure != NULL && actions == NULL)
		return err_set(e, ERR_TEMP, "%s", failure);
	if (!replay_plan(actions, &at, &host, a, &plan))
		return err_set(e, ERR_TEMP, "out of memory");
	remember(r, actions);
	r->failures += failure != NULL;
	if (plan.changes || failure != NULL || !r->wanted->changed)
		put_row(r, f, box, uid, &m, &plan, failure);
	if (r->wanted->apply && plan.changes && failure == NULL && keep_plan(r, box, uid, &plan) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	return 0;
}

static int
replay_work(struct adm *a, struct mailbox *box, const struct uid_list *found, struct arena *arena, struct format *f,
    struct mail_job *job)
{
	struct replay *r = job->data;
	int rc = ADM_OK;

	(void)arena;
	for (size_t i = 0; i < found->count && rc == ADM_OK; i++) {
		struct arena *memory = arena_new(MESSAGE_MEMORY);
		struct err e = ERR_INIT;

		if (memory == NULL)
			return adm_fail(ADM_TEMP, "out of memory");
		if (one_message(r, box, found->uids[i], f, memory, &e) == -1 && e.code != ERR_GONE) {
			int one = adm_fail_err(&e, arena_printf(a->arena, "%.*s, UID %u", SPAN_ARG(mailbox_name(box)), found->uids[i]));

			if (mailbox_others_can_be_read(&e))
				r->failures++;
			else
				rc = one;
		}
		arena_free(memory);
	}
	return rc;
}

/* ---- the command line ---- */

static int
read_file(struct wanted *w)
{
	struct err e = ERR_INIT;

	w->has_file = file_read(w->script, FILE_MAX, &w->file, &e) == 0;
	w->is_rcfile = w->has_file && check_is_rcfile(w->script, buf_span(&w->file));
	/* Without a slash it may be a name of the user's. */
	return w->has_file || (e.code == ERR_NOTFOUND && strchr(w->script, '/') == NULL) ? ADM_OK : adm_fail_err(&e, w->script);
}

/* [SCRIPT] QUERY: what is no query, but would be one without its first word, begins with a script. */
static int
split(struct adm *a, int *first, struct wanted *w)
{
	struct err e = ERR_INIT, without = ERR_INIT;
	struct query q;

	if (w->script != NULL || query_parse(a->arena, a->argc - *first, a->argv + *first, &q, &e) == 0)
		return ADM_OK;
	if (*first >= a->argc)
		return adm_usage(a);
	if (query_parse(a->arena, a->argc - *first - 1, a->argv + *first + 1, &q, &without) == -1)
		return adm_fail(ADM_USAGE, "%s", strchr(a->argv[*first], '/') != NULL ? without.log : e.log);
	w->script = a->argv[(*first)++];
	return ADM_OK;
}

static int
options(struct adm *a, struct wanted *w)
{
	static const struct option names[] = {
		{ "apply", no_argument, NULL, 'a' }, { "changed", no_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(a->argc, a->argv, "+m:s:", names, NULL)) != -1) {
		switch (opt) {
		case 'a':
			w->apply = true;
			break;
		case 'c':
			w->changed = true;
			break;
		case 'm':
			w->keep = optarg;
			break;
		case 's':
			w->script = optarg;
			break;
		default:
			return -1;
		}
	}
	return 0;
}

int
cmd_filter_replay(struct adm *a)
{
	struct wanted w = { .file = BUF_INIT(FILE_MAX) };
	struct replay r = { .wanted = &w };
	struct mail_job job = { .work = replay_work, .mode = MAILBOX_READ, .begin = begin, .end = end, .data = &r };
	struct format *f;
	int first, rc;

	if (options(a, &w) == -1)
		return adm_usage(a);
	first = optind;
	if (a->user_mask == NULL && a->user_file == NULL && !a->all_users) {
		if (first >= a->argc)
			return adm_usage(a);
		a->user_mask = a->argv[first++];
	}
	rc = split(a, &first, &w);
	if (rc == ADM_OK && w.script != NULL)
		rc = read_file(&w);
	if (rc != ADM_OK)
		return rc;
	f = format_new(a->format_given ? a->format : FORMAT_FLOW, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "user", "user", FORMAT_HIDE_KEY);
	format_column(f, "mailbox", "mailbox", FORMAT_HIDE_KEY);
	format_column(f, "uid", "uid", FORMAT_HIDE_KEY | FORMAT_RIGHT);
	format_column(f, "message-id", "message-id", FORMAT_HIDE_KEY);
	format_column(f, "what", "what", 0);
	format_column(f, "rule", "rule", 0);
	rc = mail_job_run(a, first, &job, f);
	format_end(f);
	format_free(f);
	buf_clear(&w.file);
	return rc;
}
