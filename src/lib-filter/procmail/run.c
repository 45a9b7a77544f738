/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib-filter/procmail/state.h"

#define DEPTH_MAX (PROCMAIL_RC_DEPTH * 4)	/* of files and blocks in each other */
#define CLONE_DEPTH 10
#define TRAP_OUTPUT ((size_t)64 << 10)

void
procmail_log_text(struct procmail_state *s, struct span text)
{
	if (s->sh->host->log != NULL)
		s->sh->host->log(s->sh->host->ctx, buf_span(&s->dir), buf_span(&s->log_path), text);
}

/* What is too long is cut. */
static void
log_line(struct procmail_state *s, bool problem, const char *fmt, va_list ap)
{
	static const char by[] = "procmail: ";
	char line[4096];
	int n = vsnprintf(line + sizeof(by) - 1, sizeof(line) - sizeof(by), fmt, ap);
	size_t end = sizeof(by) - 1 + (n < 0 ? 0 : (size_t)n);

	memcpy(line, by, sizeof(by) - 1);
	end = end > sizeof(line) - 2 ? sizeof(line) - 2 : end;
	line[end] = '\n';
	if (!problem || s->sh->host->problem == NULL || s->log_path.n > 0)
		procmail_log_text(s, span_of(line, end + 1));
	if (problem && s->sh->host->problem != NULL)
		s->sh->host->problem(s->sh->host->ctx, span_of(line + sizeof(by) - 1, end - (sizeof(by) - 1)));
}

void
procmail_log(struct procmail_state *s, const char *fmt, ...)
{
	va_list ap;

	s->sh->problems++;
	va_start(ap, fmt);
	log_line(s, true, fmt, ap);
	va_end(ap);
}

void
procmail_verbose(struct procmail_state *s, const char *fmt, ...)
{
	va_list ap;

	if (!procmail_is_on(s, "VERBOSE", false))
		return;
	va_start(ap, fmt);
	log_line(s, false, fmt, ap);
	va_end(ap);
}

static struct frame *
top(const struct procmail_state *s)
{
	return s->frames.n == 0 ? NULL : array_at(&s->frames, s->frames.n - 1);
}

static const struct frame *
rc_frame(const struct procmail_state *s)
{
	for (size_t i = s->frames.n; i-- > 0; ) {
		const struct frame *f = array_at(&s->frames, i);

		if (f->is_rc)
			return f;
	}
	return NULL;
}

static void
pop(struct procmail_state *s)
{
	struct frame gone = *top(s);

	free(gone.rc_name);
	s->frames.n--;
	if (!gone.is_rc) {
		s->matched = gone.matched;
		s->else_done = gone.else_done;
	}
}

/* The file that is being read is at its end; the one that included it goes on. */
void
procmail_end_rc(struct procmail_state *s)
{
	while (s->frames.n > 0) {
		bool was_rc = top(s)->is_rc;

		pop(s);
		if (was_rc)
			break;
	}
}

static bool
special(void *ctx, char which, struct buf *out)
{
	struct procmail_state *s = ctx;
	const struct frame *f = rc_frame(s);

	switch (which) {
	case '$':
		buf_add_u64(out, s->sh->r->process);
		break;
	case '#':
		buf_add_u64(out, s->arg_count);
		break;
	case '?':
		buf_addf(out, "%d", s->exit_code);
		break;
	case '_':
		if (f != NULL)
			buf_adds(out, f->rc_name);
		break;
	case '-':
		buf_add(out, procmail_value(s, "LASTFOLDER"));
		break;
	case '=':
		buf_addf(out, "%.0f", s->score > 0 && s->score < 1 ? 1.0 : trunc(s->score) == 0 ? 0.0 : trunc(s->score));
		break;
	default:
		return false;
	}
	return true;
}

/* What is large costs as many steps as many small ones, so that a loop can not do it for ever. */
static void
charge(struct procmail_state *s, size_t octets, size_t a_step)
{
	size_t cost = octets / a_step;

	s->sh->left.steps -= cost < s->sh->left.steps ? cost : s->sh->left.steps;
}

static bool
expand(struct procmail_state *s, enum procmail_expand_mode mode, struct span text, struct procmail_words *out)
{
	s->expander.args = s->args;
	s->expander.arg_count = s->arg_count;
	if (procmail_expand(&s->expander, mode, text, s->scratch, out) == -1) {
		procmail_log(s, "Out of memory");
		return false;
	}
	for (size_t i = 0; i < out->count; i++)
		charge(s, out->word[i].n, 1024);
	if (s->expander.overflow)
		charge(s, s->expander.max, 1024);
	if (s->expander.why != NULL)
		procmail_log(s, "Bad substitution of \"%.*s\"", SPAN_ARG(text));
	if (s->expander.overflow)
		procmail_log(s, "Exceeded LINEBUF: \"%.*s\"", SPAN_ARG(span_sub(text, 0, 100)));
	if (s->expander.overflow || s->expander.cut)
		(void)procmail_set_plain(s, SPAN("PROCMAIL_OVERFLOW"), SPAN("yes"));
	return !s->expander.overflow;
}

bool
procmail_expand_one(struct procmail_state *s, enum procmail_expand_mode mode, struct span text, struct span *out)
{
	struct procmail_words words;

	if (!expand(s, mode, text, &words))
		return false;
	*out = words.count == 0 ? SPAN("") : words.word[0];
	return true;
}

bool
procmail_expand_words(struct procmail_state *s, struct span text, struct procmail_words *out)
{
	return expand(s, PROCMAIL_EXPAND_WORDS_MODE, text, out);
}

bool
procmail_open_rc(struct procmail_state *s, struct span name, bool instead, bool tell)
{
	struct buf text = BUF_INIT(PROCMAIL_RC_MAX);
	struct err e = ERR_INIT;
	const struct procmail_rc *rc = NULL;
	struct frame *f;
	size_t depth = 0;
	char *kept;

	for (size_t i = 0; i < s->frames.n; i++)
		depth += ((struct frame *)array_at(&s->frames, i))->is_rc;
	if (!instead && depth >= s->sh->left.rc_depth) {
		procmail_log(s, "rcfiles include each other too deep: \"%.*s\"", SPAN_ARG(name));
		return false;
	}
	/* /dev/null is read like an empty file, which is how SWITCHRC is used to end one. */
	if (!span_eq(name, SPAN("/dev/null")) &&
	    (s->sh->host->read == NULL || s->sh->host->read(s->sh->host->ctx, buf_span(&s->dir), name, &text, &e) == -1)) {
		if (tell)
			procmail_log(s, "Couldn't read \"%.*s\": %s", SPAN_ARG(name), e.log);
		buf_clear(&text);
		return false;
	}
	charge(s, text.n, 128);
	rc = procmail_cache_rc(s->sh->cache, buf_span(&text), s->sh->left.memory);
	buf_clear(&text);
	kept = rc == NULL ? NULL : malloc(name.n + 1);
	if (kept == NULL || !array_reserve(&s->frames, s->frames.n + 1)) {
		free(kept);
		procmail_log(s, "Out of memory for \"%.*s\"", SPAN_ARG(name));
		return false;
	}
	memcpy(kept, name.p, name.n);
	kept[name.n] = '\0';
	procmail_verbose(s, "Rcfile: \"%s\"", kept);
	for (const struct procmail_problem *p = rc->problems; p != NULL; p = p->next)
		procmail_log(s, "%s line %u: %s", kept, p->line, p->text);
	if (instead)
		procmail_end_rc(s);
	f = array_push(&s->frames);
	if (f == NULL) {
		free(kept);
		return false;
	}
	*f = (struct frame){ .next = rc->first, .is_rc = true, .rc_name = kept };
	return true;
}

/* Whether the flags let a recipe be tried. */
static bool
may_run(const struct procmail_state *s, unsigned flags)
{
	if (flags & (PROCMAIL_FLAG_A | PROCMAIL_FLAG_a) && !s->matched)
		return false;
	if (flags & PROCMAIL_FLAG_a && !s->succeeded)
		return false;
	if (flags & PROCMAIL_FLAG_E && s->else_done)
		return false;
	return !(flags & PROCMAIL_FLAG_e) || (s->else_done && !s->succeeded);
}

static bool
enter_block(struct procmail_state *s, const struct procmail_statement *recipe)
{
	struct frame *f;

	if (s->frames.n >= DEPTH_MAX || (f = array_push(&s->frames)) == NULL) {
		procmail_log(s, "Blocks are too deep in each other");
		return false;
	}
	*f = (struct frame){ .next = recipe->block, .matched = s->matched, .else_done = s->else_done };
	s->succeeded = true;
	return true;
}

static bool
has_recipe(const struct procmail_statement *block)
{
	while (block != NULL && block->kind != PROCMAIL_RECIPE)
		block = block->next;
	return block != NULL;
}

static void
run_recipe(struct procmail_state *s, const struct procmail_statement *recipe)
{
	unsigned flags = recipe->flags;
	bool tried = may_run(s, flags), executed = tried && procmail_conditions(s, recipe);

	/* A recipe that is passed over has no score, in a block neither. */
	if (!tried || (!executed && has_recipe(recipe->block)))
		s->score = 0;
	if (!(flags & (PROCMAIL_FLAG_A | PROCMAIL_FLAG_a)))
		s->matched = executed;
	s->else_done = executed || (flags & PROCMAIL_FLAG_E && s->else_done);
	if (!executed)
		return;
	if (recipe->action == PROCMAIL_BLOCK && !(flags & PROCMAIL_FLAG_c)) {
		(void)enter_block(s, recipe);
		return;
	}
	s->succeeded = recipe->action != PROCMAIL_NOTHING && procmail_act(s, recipe) == PROCMAIL_DONE;
	if (recipe->action == PROCMAIL_BLOCK && has_recipe(recipe->block))	/* passed over by this side of the clone */
		s->score = 0;
	if (s->succeeded && !(flags & (PROCMAIL_FLAG_c | PROCMAIL_FLAG_f)) && recipe->action != PROCMAIL_CAPTURE)
		s->delivered = s->stop = true;
}

static void
tell_where(struct procmail_state *s, const struct procmail_statement *now)
{
	const struct frame *f = rc_frame(s);

	if (s->sh->r->where != NULL)
		*s->sh->r->where = (struct procmail_where){ now == NULL || f == NULL ? SPAN("") : span_str(f->rc_name),
			now == NULL ? 0 : now->line };
}

/* All that is in the frames. */
static void
run_frames(struct procmail_state *s)
{
	while (!s->stop && s->frames.n > 0) {
		const struct procmail_statement *now = top(s)->next;
		struct span value;

		arena_reset(s->scratch);
		if (now == NULL) {
			pop(s);
			continue;
		}
		tell_where(s, now);
		if (s->sh->left.steps == 0) {
			procmail_log(s, "line %u: the recipes do not come to an end", now->line);
			s->out_of_limits = true;
			break;
		}
		s->sh->left.steps--;
		top(s)->next = now->next;
		switch (now->kind) {
		case PROCMAIL_RECIPE:
			run_recipe(s, now);
			break;
		case PROCMAIL_UNSET:
			procmail_unset(s, now->name);
			break;
		case PROCMAIL_ASSIGN:
			if (procmail_expand_one(s, PROCMAIL_EXPAND_VALUE, now->text, &value))
				procmail_assign(s, now->name, value, now->line);
			break;
		}
	}
	tell_where(s, NULL);
	while (s->frames.n > 0)
		pop(s);
}

/* What no recipe has taken goes to DEFAULT, then to ORGMAIL. */
static void
finish(struct procmail_state *s)
{
	arena_reset(s->scratch);
	if (!s->delivered && !s->abandoned) {
		static const char *const places[] = { "DEFAULT", "ORGMAIL" };

		for (size_t i = 0; i < 2 && !s->delivered; i++) {
			struct span folder = procmail_value(s, places[i]);

			if (folder.n == 0 || (i == 1 && span_eq(folder, procmail_value(s, "DEFAULT"))))
				continue;
			if (i == 0 && procmail_is_misnamed(s, folder)) {	/* of a recipe's the file is taken */
				procmail_log(s, "DEFAULT is a file: \"%.*s\"", SPAN_ARG(folder));
				continue;
			}
			s->sh->left.deliveries += s->sh->left.deliveries == 0;
			s->delivered = procmail_deliver(s, i == 0 ? SPAN("\"$DEFAULT\"") : SPAN("\"$ORGMAIL\""), 0, i == 0, SPAN_NONE) == PROCMAIL_DONE;
		}
	}
	procmail_unlock_global(s);
}

/* The abstract of where the message is in the end. */
static void
log_end(struct procmail_state *s)
{
	struct span how = procmail_value(s, "LOGABSTRACT"), folder = procmail_value(s, "LASTFOLDER");
	char wanted = how.n == 0 ? '\0' : ascii_lower(how.p[0]);

	if (s->log_path.n == 0 || !procmail_is_on(s, "LOGABSTRACT", true))
		return;
	if (s->ended && folder.n == 0)
		procmail_log_abstract(s, SPAN(""), 0);
	else if (!s->delivered && !s->sh->r->keep_when_failed)
		procmail_log_abstract(s, s->pretends ? SPAN("**Lost**") :
		    s->sh->r->soft ? SPAN("**Requeued**") : SPAN("**Bounced**"), 0);
	else if (s->delivered && wanted != 'a' && folder.n > 0)
		procmail_log_abstract(s, folder, s->last_octets);
}

static int
exit_code(struct procmail_state *s, bool *set)
{
	struct span code, trap = procmail_value(s, "TRAP");
	int natural = s->delivered ? EX_OK_CODE :
	    s->sh->r->soft ? EX_TEMPFAIL_CODE : EX_CANTCREAT_CODE, status = 0;
	bool has_code = procmail_get(s, SPAN("EXITCODE"), &code);
	struct buf out = BUF_INIT(TRAP_OUTPUT);
	long number = 0;
	bool is_number = has_code && procmail_exit_number(code, &number);

	*set = false;
	if (!has_code) {
		char text[16];

		snprintf(text, sizeof(text), "%d", natural);
		(void)procmail_set_plain(s, SPAN("EXITCODE"), span_str(text));
	}
	if (trap.n > 0) {
		char *line = malloc(trap.n);
		bool is_traps = has_code && !is_number;

		/* A copy: running it may change the variables. */
		if (line != NULL) {
			memcpy(line, trap.p, trap.n);
			if (procmail_run_line(s, span_of(line, trap.n), procmail_end_empty(s, s->text), TRAP_OUTPUT, true, &out, &status) == 0 &&
			    is_traps) {
				*set = true;
				natural = status < 0 ? EX_TEMPFAIL_CODE : status;
			}
			procmail_log_text(s, buf_span(&out));
		}
		free(line);
		buf_clear(&out);
	}
	if (is_number && number > 0) {
		*set = true;
		natural = (int)(number & 0xff);
	}
	/* With DELIVERED the program that handed the message over was told at once that all is well. */
	if (s->pretends) {
		*set = false;
		natural = EX_OK_CODE;
	}
	return natural;
}

static void
state_clear(struct procmail_state *s)
{
	while (s->frames.n > 0)
		pop(s);
	array_clear(&s->frames);
	procmail_variables_clear(s);
	arena_free(s->scratch);
	free(s->owned);
	free(s->search);
	buf_clear(&s->dir);
	buf_clear(&s->global_lock);
	buf_clear(&s->log_path);
}

static bool
state_init(struct procmail_state *s, struct shared *sh)
{
	*s = (struct procmail_state){ .sh = sh, .dir = BUF_INIT(8192), .global_lock = BUF_INIT(16384),
		.log_path = BUF_INIT(16384) };
	s->variables = ARRAY_INIT(struct variable, sh->left.variables);
	s->frames = ARRAY_INIT(struct frame, DEPTH_MAX + sh->left.rc_depth + 2);
	s->scratch = arena_new(sh->left.memory);
	s->expander = (struct procmail_expander){ .ctx = s, .get = procmail_get, .special = special, .backquote = procmail_backquote,
		.max = 2048 };
	return s->scratch != NULL;
}

/* DEFAULT, the last words in the log, TRAP; the exit code. */
static int
end_of_run(struct procmail_state *s, bool *exit_code_set)
{
	finish(s);
	log_end(s);
	return exit_code(s, exit_code_set);
}

int
procmail_clone(struct procmail_state *s, const struct procmail_statement *recipe)
{
	struct procmail_state c;
	bool ok, set;
	int status = 0;

	if (s->sh->left.clones == 0 || s->clone_depth == CLONE_DEPTH) {
		procmail_log(s, "Too many clones");
		return -1;
	}
	s->sh->left.clones--;
	ok = state_init(&c, s->sh);
	c.clone_depth = s->clone_depth + 1;
	c.text = s->text;
	c.header = s->header;
	c.body = s->body;
	c.args = s->args;
	c.arg_count = s->arg_count;
	c.expander.max = s->expander.max;
	c.matched = s->matched;
	c.else_done = s->else_done;
	c.score = s->score;
	c.exit_code = s->exit_code;
	buf_add(&c.dir, buf_span(&s->dir));
	buf_add(&c.log_path, buf_span(&s->log_path));
	for (size_t i = 0; ok && i < s->frames.n; i++) {
		const struct frame *from = array_at(&s->frames, i);
		struct frame *to = array_push(&c.frames);

		ok = to != NULL;
		if (ok) {
			*to = *from;
			to->rc_name = from->rc_name == NULL ? NULL : strdup(from->rc_name);
			ok = from->rc_name == NULL || to->rc_name != NULL;
		}
	}
	ok = ok && procmail_variables_copy(&c, s);
	if (ok) {
		(void)enter_block(&c, recipe);
		run_frames(&c);
		status = end_of_run(&c, &set);
	} else {
		procmail_log(s, "Out of memory for a clone");
	}
	state_clear(&c);
	return ok ? status : -1;
}

static void
set(struct procmail_state *s, const char *name, struct span value)
{
	(void)procmail_set_plain(s, span_str(name), value);
}

static void
set_defaults(struct procmail_state *s)
{
	const struct procmail_request *r = s->sh->r;
	char *path = arena_printf(s->scratch, "%.*s/bin:/usr/local/bin:/usr/bin:/bin", SPAN_ARG(r->home));

	set(s, "LOGNAME", r->user);
	set(s, "HOME", r->home);
	set(s, "SHELL", r->shell.n > 0 ? r->shell : SPAN("/bin/sh"));
	set(s, "PATH", span_str(path));
	set(s, "SHELLMETAS", SPAN("&|<>~;?*["));
	set(s, "SHELLFLAGS", SPAN("-c"));
	set(s, "ORGMAIL", r->inbox);
	set(s, "DEFAULT", r->inbox);
	set(s, "MAILDIR", r->dir.n > 0 ? r->dir : r->home);
	set(s, "MSGPREFIX", SPAN("msg."));
	set(s, "SENDMAIL", r->sendmail.n > 0 ? r->sendmail : SPAN("/usr/sbin/sendmail"));
	set(s, "SENDMAILFLAGS", SPAN("-oi"));
	set(s, "HOST", r->host_name);
	set(s, "COMSAT", SPAN("no"));
	set(s, "PROCMAIL_VERSION", SPAN("3.23pre"));
	set(s, "LOCKEXT", SPAN(".lock"));
	buf_add(&s->dir, procmail_value(s, "MAILDIR"));
	for (size_t i = 0; i < r->setting_count; i++) {
		size_t n = span_chr(r->settings[i], '=');

		if (n > 0 && n < r->settings[i].n)
			procmail_assign(s, span_sub(r->settings[i], 0, n), span_from(r->settings[i], n + 1), 0);
	}
}

static void
run_rc(struct procmail_state *s)
{
	struct span rest = s->sh->r->rc_names, global = s->sh->r->global_rc, name;

	while (!s->stop && span_next(&global, '\n', &name))
		if (name.n > 0 && procmail_open_rc(s, name, false, true))
			run_frames(s);
	while (!s->stop && span_next(&rest, '\n', &name))
		if (name.n > 0 && procmail_open_rc(s, name, false, false)) {
			run_frames(s);
			return;
		}
}

int
procmail_run(const struct procmail_request *r, const struct procmail_host *host, const struct procmail_limits *limits,
    struct procmail_result *out, struct err *e)
{
	struct shared sh = { .r = r, .host = host, .left = *limits };
	struct procmail_state s;
	int rc = -1;

	*out = (struct procmail_result){ .folder = BUF_INIT(65536) };
	sh.cache = r->cache != NULL ? r->cache : procmail_cache_new(PROCMAIL_CACHE_OCTETS);
	if (!state_init(&s, &sh) || sh.cache == NULL)
		goto out;
	if (!procmail_set_text(&s, r->text))
		goto out;
	s.args = r->args;
	s.arg_count = r->arg_count;
	set_defaults(&s);
	run_rc(&s);
	/* What went over a limit is the caller's, where there is one who takes it. */
	s.abandoned = s.out_of_limits && r->keep_when_failed;
	out->exit_code = end_of_run(&s, &out->exit_code_set);
	out->delivered = s.delivered;
	out->problems = sh.problems;
	buf_add(&out->folder, procmail_value(&s, "LASTFOLDER"));
	rc = 0;
out:
	if (rc == -1)
		err_set(e, ERR_TEMP, "procmail: out of memory");
	state_clear(&s);
	if (r->cache == NULL)
		procmail_cache_free(sh.cache);
	else
		procmail_cache_trim(r->cache);
	return rc;
}
