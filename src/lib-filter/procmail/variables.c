/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "lib-filter/procmail/state.h"

#define LINEBUF_MIN 128
#define LINEBUF_UNSET 2048

static struct variable *
find(const struct procmail_state *s, struct span name)
{
	for (size_t i = 0; i < s->variables.n; i++) {
		struct variable *v = array_at(&s->variables, i);

		if (span_eq(span_of(v->name, v->name_n), name))
			return v;
	}
	return NULL;
}

bool
procmail_get(void *ctx, struct span name, struct span *out)
{
	const struct variable *v = find(ctx, name);

	if (v == NULL)
		return false;
	*out = span_of(v->value, v->value_n);
	return true;
}

struct span
procmail_value(struct procmail_state *s, const char *name)
{
	struct span value = SPAN_NONE;

	(void)procmail_get(s, span_str(name), &value);
	return value;
}

/* As strtol() reads it: what is no number is 0. */
static long
number_of(struct span text, int base)
{
	char digits[24];
	size_t n = 0;

	text = span_trim(text);
	for (; n < text.n && n < sizeof(digits) - 1; n++)
		digits[n] = text.p[n];
	digits[n] = '\0';
	return strtol(digits, NULL, base);
}

long
procmail_number(struct procmail_state *s, const char *name, long unset)
{
	struct span value;

	return procmail_get(s, span_str(name), &value) && value.n > 0 ? number_of(value, 10) : unset;
}

/* True: a number that is not 0, on, y, t, e; false: 0, off, n, f, d. */
static bool
is_true(struct span value, bool otherwise)
{
	char c = value.n == 0 ? '\0' : ascii_lower(value.p[0]);

	if (ascii_is_digit(c))
		return number_of(value, 10) != 0;
	if (c == 'o')
		return value.n < 2 || ascii_lower(value.p[1]) != 'f';
	if (c == 'y' || c == 't' || c == 'e')
		return true;
	if (c == 'n' || c == 'f' || c == 'd')
		return false;
	return otherwise;
}

/* EXITCODE's: a word may stand for a number.  False: it is none. */
bool
procmail_exit_number(struct span value, long *out)
{
	static const struct { const char *word; long number; } words[] = {
		{ "a", 2 }, { "on", 1 }, { "y", 1 }, { "t", 1 }, { "e", 1 }, { "off", 0 }, { "n", 0 }, { "f", 0 }, { "d", 0 },
	};
	size_t sign;

	value = span_trim(value);
	sign = value.n > 0 && (value.p[0] == '-' || value.p[0] == '+');
	if (value.n > sign && ascii_is_digit(value.p[sign])) {
		*out = number_of(value, 10);
		return true;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_istarts(value, span_str(words[i].word))) {
			*out = words[i].number;
			return true;
		}
	return false;
}

bool
procmail_is_on(struct procmail_state *s, const char *name, bool unset)
{
	struct span value;

	return procmail_get(s, span_str(name), &value) ? is_true(value, unset) : unset;
}

static void
variable_free(struct procmail_state *s, struct variable *v)
{
	s->sh->left.values += v->name_n + v->value_n;
	free(v->name);
	free(v->value);
}

static char *
copy(struct span s)
{
	char *p = malloc(s.n + 1);

	if (p != NULL && s.n > 0)
		memcpy(p, s.p, s.n);
	if (p != NULL)
		p[s.n] = '\0';
	return p;
}

bool
procmail_set_plain(struct procmail_state *s, struct span name, struct span value)
{
	struct variable *v = find(s, name);
	char *fresh;

	/* What programs get ends with a NUL. */
	value = span_sub(value, 0, span_chr(value, '\0'));
	if (value.n > s->sh->left.values || name.n > s->sh->left.values - value.n) {
		procmail_log(s, "Too much in variables: \"%.*s\"", SPAN_ARG(span_sub(name, 0, 100)));
		return false;
	}
	fresh = copy(value);
	if (fresh == NULL)
		return false;
	if (v == NULL) {
		char *kept = s->variables.n < s->sh->left.variables ? copy(name) : NULL;

		v = kept == NULL ? NULL : array_push(&s->variables);
		if (v == NULL) {
			free(kept);
			free(fresh);
			procmail_log(s, "Too many variables: \"%.*s\"", SPAN_ARG(name));
			return false;
		}
		v->name = kept;
		v->name_n = name.n;
		s->sh->left.values -= name.n;
	}
	free(v->value);
	s->sh->left.values += v->value_n;
	s->sh->left.values -= value.n;
	v->value = fresh;
	v->value_n = value.n;
	return true;
}

void
procmail_unset(struct procmail_state *s, struct span name)
{
	struct variable *v = find(s, name);

	if (v != NULL) {
		variable_free(s, v);
		array_remove(&s->variables, (size_t)(v - (struct variable *)s->variables.p), 1);
	}
	if (span_eq(name, SPAN("LOCKFILE")))
		procmail_unlock_global(s);
	else if (span_eq(name, SPAN("HOST")))
		s->delivered = s->stop = s->ended = true;	/* as with a name that is not the host's */
	else if (span_eq(name, SPAN("SWITCHRC")))
		procmail_end_rc(s);
	else if (span_eq(name, SPAN("LOGFILE")))
		buf_reset(&s->log_path);
	else if (span_eq(name, SPAN("LINEBUF")))
		s->expander.max = LINEBUF_UNSET;
	else if (span_eq(name, SPAN("MAILDIR")))
		(void)procmail_set_plain(s, name, SPAN("."));	/* where that is stays */
}

void
procmail_variables_clear(struct procmail_state *s)
{
	for (size_t i = 0; i < s->variables.n; i++)
		variable_free(s, array_at(&s->variables, i));
	array_clear(&s->variables);
}

bool
procmail_variables_copy(struct procmail_state *to, const struct procmail_state *from)
{
	to->variables = ARRAY_INIT(struct variable, from->variables.max);
	for (size_t i = 0; i < from->variables.n; i++) {
		const struct variable *v = array_at(&from->variables, i);

		if (!procmail_set_plain(to, span_of(v->name, v->name_n), span_of(v->value, v->value_n)))
			return false;
	}
	return true;
}

static void
assign_maildir(struct procmail_state *s, struct span value)
{
	struct buf path = BUF_INIT(8192);
	struct err e = ERR_INIT;

	if (value.n > 0 && value.p[0] != '/') {
		buf_add(&path, buf_span(&s->dir));
		buf_addc(&path, '/');
	}
	buf_add(&path, value);
	if (path.failed || value.n == 0 || (s->sh->host->enter != NULL && s->sh->host->enter(s->sh->host->ctx, buf_span(&path), &e) == -1)) {
		procmail_log(s, "Couldn't chdir to \"%.*s\"", SPAN_ARG(value));
		(void)procmail_set_plain(s, SPAN("MAILDIR"), SPAN("."));
	} else {
		buf_reset(&s->dir);
		buf_add(&s->dir, buf_span(&path));
	}
	buf_clear(&path);
}

/* When it can not be written what is logged goes where it went before. */
static void
assign_logfile(struct procmail_state *s, struct span value)
{
	struct err e = ERR_INIT;

	if (value.n > 0 && s->sh->host->open_log != NULL &&
	    s->sh->host->open_log(s->sh->host->ctx, buf_span(&s->dir), value, procmail_umask(s), &e) == -1) {
		procmail_log(s, "Couldn't open LOGFILE \"%.*s\": %s", SPAN_ARG(value), e.log);
		return;
	}
	buf_reset(&s->log_path);
	if (value.n > 0 && value.p[0] != '/') {
		buf_add(&s->log_path, buf_span(&s->dir));
		buf_addc(&s->log_path, '/');
	}
	buf_add(&s->log_path, value);
}

static void
assign_shift(struct procmail_state *s, struct span value)
{
	long count = number_of(value, 10);

	while (count-- > 0 && s->arg_count > 0) {
		s->args++;
		s->arg_count--;
	}
}

void
procmail_assign(struct procmail_state *s, struct span name, struct span value, unsigned line)
{
	(void)line;
	procmail_verbose(s, "Assigning \"%.*s=%.*s\"", SPAN_ARG(name), SPAN_ARG(value));
	if (span_eq(name, SPAN("LINEBUF"))) {
		long octets = number_of(value, 10);

		s->expander.max = octets < LINEBUF_MIN ? LINEBUF_MIN : (size_t)octets;
		if (s->expander.max > s->sh->left.line)
			s->expander.max = s->sh->left.line;
	}
	if (!procmail_set_plain(s, name, value))
		return;
	if (span_eq(name, SPAN("LOG")))
		procmail_log_text(s, value);
	else if (span_eq(name, SPAN("MAILDIR")))
		assign_maildir(s, value);
	else if (span_eq(name, SPAN("LOGFILE")))
		assign_logfile(s, value);
	else if (span_eq(name, SPAN("DELIVERED")))
		s->pretends = s->pretends || is_true(value, false);
	else if (span_eq(name, SPAN("SHIFT")))
		assign_shift(s, value);
	else if (span_eq(name, SPAN("LOCKFILE")))
		procmail_lock_global(s, value);
	else if (span_eq(name, SPAN("HOST")) && !span_eq(value, s->sh->r->host_name)) {
		procmail_verbose(s, "HOST mismatched \"%.*s\"", SPAN_ARG(s->sh->r->host_name));
		s->delivered = s->stop = s->ended = true;
		if (s->sh->host->dropped != NULL)
			s->sh->host->dropped(s->sh->host->ctx, name);
	} else if (span_eq(name, SPAN("INCLUDERC")) && value.n > 0)
		(void)procmail_open_rc(s, value, false, true);
	else if (span_eq(name, SPAN("SWITCHRC"))) {
		if (value.n == 0)
			procmail_end_rc(s);
		else
			(void)procmail_open_rc(s, value, true, true);
	}
}

int
procmail_environment(struct procmail_state *s, const struct span **env_out, size_t *count_out)
{
	struct span *env = arena_alloc(s->scratch, s->variables.n + 1, sizeof(*env));

	if (env == NULL)
		return -1;
	for (size_t i = 0; i < s->variables.n; i++) {
		const struct variable *v = array_at(&s->variables, i);
		char *line = arena_printf(s->scratch, "%s=%s", v->name, v->value);

		if (line == NULL)
			return -1;
		env[i] = span_str(line);
	}
	*env_out = env;
	*count_out = s->variables.n;
	return 0;
}
