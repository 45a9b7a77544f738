/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/compile.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib-filter/sieve/parse.h"

struct sieve_script *
sieve_script_new(struct sieve_error *error)
{
	struct sieve_script *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->a = arena_new(SIEVE_SCRIPT_MEMORY)) == NULL) {
		sieve_error_set(error, 0, "out of memory");
		free(s);
		return NULL;
	}
	return s;
}

void
sieve_script_free(struct sieve_script *s)
{
	if (s == NULL)
		return;
	arena_free(s->a);
	free(s);
}

static int
check(struct sieve_script *s, const struct sieve_compile_options *o, struct sieve_mistakes *mistakes)
{
	struct sieve_checker c = {
		.a = s->a, .options = o, .unit = s, .main = s, .available = o->available, .mistakes = mistakes,
	};

	s->state = SCRIPT_OPEN;
	if (sieve_check(&c, s->commands) == -1)
		return -1;
	s->state = SCRIPT_CHECKED;
	s->required = c.required;
	return 0;
}

int
sieve_script_check(struct sieve_script *s, const struct sieve_compile_options *o, struct sieve_error *error)
{
	struct sieve_mistakes m = { .tell = o->on_error, .ctx = o->on_error_ctx };
	int rc = check(s, o, &m);

	*error = m.first;
	return rc;
}

struct sieve_script *
sieve_compile_with(struct span text, const struct sieve_compile_options *options, struct sieve_error *error)
{
	struct sieve_mistakes m = { .tell = options->on_error, .ctx = options->on_error_ctx };
	struct sieve_script *s = sieve_script_new(error);
	int rc = -1;

	if (s == NULL)
		return NULL;
	s->text = arena_dup(s->a, text);
	if (s->text.p == NULL)
		sieve_mistake_last(&m, 0, "the script is too large");
	else
		rc = sieve_parse(s->text, s->a, &s->commands, &m);
	/* What could be parsed of a script with mistakes is looked at, too. */
	if (!m.over && check(s, options, &m) == -1)
		rc = -1;
	*error = m.first;
	if (rc == 0)
		return s;
	sieve_script_free(s);
	return NULL;
}

struct sieve_script *
sieve_compile(struct span text, const struct sieve_extset *available, struct sieve_error *error)
{
	struct sieve_compile_options options = { .available = *available, .available_global = *available };

	return sieve_compile_with(text, &options, error);
}

struct sieve_script *
sieve_include_known(const struct sieve_script *main, bool personal, struct span name)
{
	struct sieve_script *s = main->included;

	while (s != NULL && (s->personal != personal || !span_eq(s->name, name)))
		s = s->next;
	return s;
}

struct sieve_script *
sieve_include_new(struct sieve_script *main, bool personal, struct span name)
{
	struct sieve_script *s = main->include_count < SIEVE_INCLUDES_MAX ? arena_alloc(main->a, 1, sizeof(*s)) : NULL;
	struct sieve_script **tail = &main->included;

	if (s == NULL)
		return NULL;
	s->a = main->a;
	s->personal = personal;
	s->name = name;
	s->idx = main->include_count++;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = s;
	return s;
}

/* A mistake in an included script is told with its name, and the line there. */
static int
check_included(struct sieve_checker *c, struct sieve_script *unit)
{
	struct sieve_checker inner = {
		.a = c->a, .options = c->options, .unit = unit, .main = c->main, .mistakes = c->mistakes, .depth = c->depth + 1,
		.available = unit->personal ? c->options->available : c->options->available_global,
	};
	struct span within = c->mistakes->within;
	int rc = 0;

	unit->state = SCRIPT_OPEN;
	c->mistakes->within = unit->name;
	if (unit->commands == NULL && unit->text.n > 0)
		rc = sieve_parse(unit->text, c->a, &unit->commands, c->mistakes);
	if (sieve_check(&inner, unit->commands) == -1)
		rc = -1;
	c->mistakes->within = within;
	unit->state = rc == 0 ? SCRIPT_CHECKED : SCRIPT_WRONG;
	unit->required = inner.required;
	return rc;
}

/* Reads a script that is not known yet. */
static struct sieve_script *
fetch(struct sieve_checker *c, struct sieve_node *n, bool personal, struct span name)
{
	const struct filter_host *host = c->options->host;
	struct sieve_script *unit;
	struct err e = ERR_INIT;
	struct span text;

	/* What a binary includes is in it. */
	if (c->main->loaded) {
		sieve_fail(c, n, "the binary has not all scripts");
		return NULL;
	}
	unit = c->options->includes > 0 && c->main->include_count >= c->options->includes ? NULL :
	    sieve_include_new(c->main, personal, name);
	if (unit == NULL) {
		sieve_fail(c, n, "too many scripts are included");
		return NULL;
	}
	if (host == NULL || host->script == NULL)
		err_set(&e, ERR_NOTFOUND, "no scripts");
	else if (host->script(host->ctx, personal, name, c->a, &text, &e) == 0) {
		unit->text = text;
		return unit;
	}
	if (e.code != ERR_NOTFOUND) {
		sieve_fail(c, n, "\"%.*s\" can not be read", SPAN_ARG(span_sub(name, 0, 60)));
		return NULL;
	}
	unit->state = SCRIPT_MISSING;
	return unit;
}

/* Where it is included, when it has been told which they are. */
static int
has_mistakes(struct sieve_checker *c, const struct sieve_node *n, struct span name)
{
	return sieve_fail(c, n, "\"%.*s\" has mistakes", SPAN_ARG(span_sub(name, 0, 60)));
}

static void __attribute__((format(printf, 3, 4)))
warn(struct sieve_checker *c, const struct sieve_node *n, const char *fmt, ...)
{
	char text[SIEVE_ERROR_MAX];
	struct sieve_error w;
	va_list ap;

	if (c->options->on_warning == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c->unit != c->main)
		sieve_error_set(&w, n->line, "in the included script \"%.*s\": %.140s", SPAN_ARG(span_sub(c->unit->name, 0, 40)), text);
	else
		sieve_error_set(&w, n->line, "%.*s: %.140s", SPAN_ARG(span_sub(n->name, 0, 60)), text);
	c->options->on_warning(c->options->on_error_ctx, &w);
}

int
sieve_include_find(struct sieve_checker *c, struct sieve_node *n, bool personal, struct span name, bool optional,
    bool once, struct sieve_script **out)
{
	struct sieve_script *unit = sieve_include_known(c->main, personal, name);

	*out = NULL;
	if (c->depth >= (c->options->include_depth > 0 ? c->options->include_depth : SIEVE_INCLUDE_DEPTH_MAX))
		return sieve_fail(c, n, "scripts include each other too deeply");
	if (unit == NULL && (unit = fetch(c, n, personal, name)) == NULL)
		return -1;
	switch (unit->state) {
	case SCRIPT_OPEN:
		/* Who asks for it once does not get it again. */
		if (once)
			break;
		return sieve_fail(c, n, "\"%.*s\" includes itself", SPAN_ARG(span_sub(name, 0, 60)));
	case SCRIPT_MISSING:
		if (c->options->upload && !optional)
			warn(c, n, "there is no script \"%.*s\" yet", SPAN_ARG(span_sub(name, 0, 60)));
		return optional || c->options->upload || c->main->loaded ? 0 :
		    sieve_fail(c, n, "there is no script \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
	case SCRIPT_PARSED:
		if (check_included(c, unit) == -1)
			return has_mistakes(c, n, name);
		break;
	case SCRIPT_WRONG:
		return has_mistakes(c, n, name);
	case SCRIPT_CHECKED:
		break;
	}
	*out = unit;
	return 0;
}
