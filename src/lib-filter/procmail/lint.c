/* SPDX-License-Identifier: MIT */
#include "lib-filter/procmail/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/hash.h"
#include "lib-filter/procmail/expand.h"
#include "lib-filter/procmail/formail.h"
#include "lib-filter/procmail/regex.h"

#define VARIABLES_MAX 2000
#define VALUE_MAX 4096
#define MEMORY ((size_t)16 << 20)
#define PREFIXES_MAX 20		/* of one condition */
#define LOCK_WAIT_MAX 120	/* seconds, as lib-deliver waits */
#define TEXT_MAX 300

struct procmail_lint {
	const struct procmail_lint_host *host;
	struct arena *a;		/* of values */
	struct hash *known;		/* name: struct span * */
	struct procmail_expander expander;
	bool unknown;			/* the last expansion had something in it that only a run can tell */
};

static void __attribute__((format(printf, 4, 5)))
tell(struct procmail_lint *l, bool is_error, unsigned line, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	l->host->found(l->host->ctx, is_error, line, text);
}

/* ---- variables ---- */

static bool
get(void *ctx, struct span name, struct span *out)
{
	struct procmail_lint *l = ctx;
	const struct span *value = hash_get(l->known, name);

	if (value == NULL) {
		l->unknown = true;
		return false;
	}
	*out = *value;
	return true;
}

static bool
special(void *ctx, char which, struct buf *out)
{
	struct procmail_lint *l = ctx;

	(void)which;
	(void)out;
	l->unknown = true;
	return false;
}

static void
backquote(void *ctx, struct span command, struct buf *out)
{
	struct procmail_lint *l = ctx;

	(void)command;
	(void)out;
	l->unknown = true;
}

static void
set(struct procmail_lint *l, struct span name, struct span value)
{
	struct span *copy = arena_alloc(l->a, 1, sizeof(*copy));

	if (copy == NULL)
		return;
	*copy = arena_dup(l->a, value);
	if (copy->p != NULL)
		hash_set(l->known, name, copy);
}

/* False: only a run can tell. */
static bool
value_of(struct procmail_lint *l, struct span text, struct span *out)
{
	struct procmail_words w;

	l->unknown = false;
	l->expander.overflow = false;
	if (procmail_expand(&l->expander, PROCMAIL_EXPAND_VALUE, text, l->a, &w) == -1 || l->unknown || l->expander.overflow)
		return false;
	*out = w.count > 0 ? w.word[0] : SPAN("");
	return true;
}

struct procmail_lint *
procmail_lint_new(const struct procmail_lint_host *host)
{
	struct procmail_lint *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->a = arena_new(MEMORY)) == NULL || (l->known = hash_new(VARIABLES_MAX)) == NULL) {
		procmail_lint_free(l);
		return NULL;
	}
	l->host = host;
	l->expander = (struct procmail_expander){ .ctx = l, .get = get, .special = special, .backquote = backquote,
						  .max = VALUE_MAX };
	if (host->home.n > 0) {
		set(l, SPAN("HOME"), host->home);
		set(l, SPAN("MAILDIR"), host->home);
	}
	if (host->user.n > 0)
		set(l, SPAN("LOGNAME"), host->user);
	return l;
}

void
procmail_lint_free(struct procmail_lint *l)
{
	if (l == NULL)
		return;
	hash_free(l->known);
	arena_free(l->a);
	free(l);
}

struct span
procmail_lint_dir(const struct procmail_lint *l)
{
	const struct span *dir = hash_get(l->known, SPAN("MAILDIR"));

	return dir == NULL ? SPAN("") : *dir;
}

/* ---- assignments ---- */

static bool
says_no(struct span value)
{
	return value.n == 0 || span_istarts(value, SPAN("n")) || span_istarts(value, SPAN("off")) || span_istarts(value, SPAN("f")) ||
	    span_eq(value, SPAN("0"));
}

static void
lint_value(struct procmail_lint *l, const struct procmail_statement *s, struct span value)
{
	uint64_t seconds;

	if (span_eq(s->name, SPAN("COMSAT")) && !says_no(value))
		tell(l, false, s->line, "%.*s has no effect", SPAN_ARG(s->name));
	else if (span_eq(s->name, SPAN("DROPPRIVS")) && !says_no(value))
		tell(l, false, s->line, "DROPPRIVS has no effect: nothing is run as root");
	else if (span_eq(s->name, SPAN("LOCKTIMEOUT")) && span_u64(value, UINT32_MAX, &seconds) && (seconds == 0 || seconds > LOCK_WAIT_MAX))
		tell(l, false, s->line, "a lock is waited for two minutes at most, then the delivery goes on without it");
	else if (span_eq(s->name, SPAN("UMASK")) && value.n == 0)
		tell(l, false, s->line, "an empty UMASK is 077");
	else if (span_eq(s->name, SPAN("LOCKEXT")) && value.n == 0)
		tell(l, false, s->line, "with an empty LOCKEXT no lock file is taken for a folder");
	else if (span_eq(s->name, SPAN("EXITCODE")) && span_u64(value, UINT32_MAX, &seconds) && seconds == 0)
		tell(l, false, s->line, "EXITCODE=0 does not acknowledge mail that could not be stored");
	else if ((span_eq(s->name, SPAN("INCLUDERC")) || span_eq(s->name, SPAN("SWITCHRC"))) && value.n > 0 && l->host->include != NULL)
		l->host->include(l->host->ctx, s->line, value);
}

static void
lint_programs(struct procmail_lint *l, unsigned line)
{
	if (l->host->no_programs)
		tell(l, false, line, "programs are not run here: procmail_programs");
}

static void
lint_assignment(struct procmail_lint *l, const struct procmail_statement *s)
{
	struct span value;

	if (memchr(s->text.n == 0 ? "" : s->text.p, '`', s->text.n) != NULL)
		lint_programs(l, s->line);
	if (value_of(l, s->text, &value)) {
		lint_value(l, s, value);
		set(l, s->name, value);
	} else {
		hash_remove(l->known, s->name);
	}
}

/* ---- conditions ---- */

static struct span
trim_front(struct span s)
{
	while (s.n > 0 && ascii_is_wsp(s.p[0]))
		s = span_from(s, 1);
	return s;
}

static size_t
number_length(struct span s)
{
	size_t n = 0, digits = 0;

	if (n < s.n && (s.p[n] == '-' || s.p[n] == '+'))
		n++;
	for (; n < s.n && (ascii_is_digit(s.p[n]) || s.p[n] == '.'); n++)
		digits += ascii_is_digit(s.p[n]);
	return digits == 0 ? 0 : n;
}

/* "w^x " in front. */
static bool
skip_weight(struct span *text)
{
	size_t n = number_length(*text), m;
	struct span rest = trim_front(span_from(*text, n));

	if (n == 0 || rest.n == 0 || rest.p[0] != '^')
		return false;
	rest = trim_front(span_from(rest, 1));
	m = number_length(rest);
	if (m > 0)
		*text = trim_front(span_from(rest, m));
	return m > 0;
}

/* "VAR ??" in front. */
static bool
skip_variable(struct span *text)
{
	size_t n = procmail_name_length(*text);
	struct span rest = trim_front(span_from(*text, n));

	if (n == 0 || !span_starts(rest, SPAN("??")))
		return false;
	*text = trim_front(span_from(rest, 2));
	return true;
}

static void
lint_regex(struct procmail_lint *l, const struct procmail_condition *c, struct span text)
{
	const char *why;
	struct procmail_regex *r = procmail_regex_new(text, false, &why);

	if (r != NULL)
		why = procmail_regex_warning(r);
	if (why != NULL)
		tell(l, true, c->line, "invalid expression \"%.*s\": %s", SPAN_ARG(span_sub(text, 0, TEXT_MAX / 2)), why);
	procmail_regex_free(r);
}

static void
lint_condition(struct procmail_lint *l, const struct procmail_condition *c)
{
	bool weighted = false, exact = true;
	struct span text = c->text;

	for (unsigned i = 0; i < PREFIXES_MAX; i++) {
		char first;

		text = trim_front(text);
		first = text.n > 0 ? text.p[0] : '\0';
		if (first == '!' || first == '$') {
			exact = exact && first == '!';
			text = span_from(text, 1);
			continue;
		}
		if (!weighted && skip_weight(&text)) {
			weighted = true;
			continue;
		}
		if (skip_variable(&text))
			continue;
		if (first == '?')
			lint_programs(l, c->line);
		if (first != '?' && first != '<' && first != '>' && exact)	/* no variables are to be put in */
			lint_regex(l, c, first == '\\' ? span_from(text, 1) : text);
		return;
	}
}

/* ---- recipes ---- */

/* The words of a command or of addresses, as far as they are known. */
static bool
words_of(struct procmail_lint *l, const struct procmail_statement *s, struct procmail_words *out)
{
	l->expander.overflow = false;
	return procmail_expand(&l->expander, PROCMAIL_EXPAND_WORDS_MODE, s->text, l->a, out) == 0;
}

static void
lint_addresses(struct procmail_lint *l, const struct procmail_statement *s)
{
	struct procmail_words w;

	if (span_trim(s->text).n == 0)
		tell(l, false, s->action_line, "a ! without an address fails");
	if (!words_of(l, s, &w))
		return;
	for (size_t i = 0; i < w.count; i++)
		if (w.is_value[i] && span_starts(w.word[i], SPAN("-")))
			tell(l, false, s->action_line, "\"%.*s\" is a variable's value: it is no option for sendmail, and the recipe fails",
			    SPAN_ARG(span_sub(w.word[i], 0, TEXT_MAX / 2)));
}

static void
lint_command(struct procmail_lint *l, const struct procmail_statement *s)
{
	struct procmail_words w;
	const char *why;

	if (!words_of(l, s, &w) || w.count == 0 || !formail_is(w.word[0]))
		return;
	why = formail_warning(w.word + 1, w.count - 1);
	if (why != NULL)
		tell(l, false, s->action_line, "%s", why);
}

static void
lint_recipe(struct procmail_lint *l, const struct procmail_statement *s)
{
	bool pipe = s->action == PROCMAIL_PIPE || s->action == PROCMAIL_CAPTURE;

	for (const struct procmail_condition *c = s->conditions; c != NULL; c = c->next)
		lint_condition(l, c);
	if (s->action == PROCMAIL_BLOCK && s->locks && !(s->flags & PROCMAIL_FLAG_c))
		tell(l, false, s->line, "a lock file on a block without the flag c is not taken");
	if (s->action == PROCMAIL_FORWARD)
		lint_addresses(l, s);
	if (s->action == PROCMAIL_PIPE && span_trim(s->text).n == 0)
		tell(l, false, s->action_line, "a | alone fails: there is no standard output");
	else if (pipe) {
		lint_programs(l, s->action_line);
		lint_command(l, s);
	}
	if (pipe && (s->flags & PROCMAIL_FLAG_f) != 0 && (s->flags & (PROCMAIL_FLAG_w | PROCMAIL_FLAG_W)) == 0)
		tell(l, false, s->line, "a filter that fails or writes nothing leaves the message as it was");
}

/* The parser bounds the depth of blocks. */
static void
lint_statements(struct procmail_lint *l, const struct procmail_statement *s)
{
	for (; s != NULL; s = s->next) {
		switch (s->kind) {
		case PROCMAIL_ASSIGN:
			lint_assignment(l, s);
			break;
		case PROCMAIL_UNSET:
			if (span_eq(s->name, SPAN("UMASK")))
				tell(l, false, s->line, "without UMASK it is 077");
			hash_remove(l->known, s->name);
			break;
		case PROCMAIL_RECIPE:
			lint_recipe(l, s);
			lint_statements(l, s->block);
			break;
		}
	}
}

void
procmail_lint_run(struct procmail_lint *l, const struct procmail_rc *rc)
{
	for (const struct procmail_problem *p = rc->problems; p != NULL; p = p->next)
		tell(l, true, p->line, "%s", p->text);
	if (rc->cut)
		tell(l, true, 0, "the file is too large: its end is not read");
	lint_statements(l, rc->first);
}
