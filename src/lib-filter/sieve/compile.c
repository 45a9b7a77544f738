/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/compile.h"

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

int
sieve_script_check(struct sieve_script *s, const struct sieve_compile_options *o, struct sieve_error *error)
{
	struct sieve_checker c = {
		.a = s->a, .options = o, .unit = s, .main = s, .available = o->available, .error = error,
	};

	*error = (struct sieve_error){ 0 };
	s->state = SCRIPT_OPEN;
	if (sieve_check(&c, s->commands) == -1)
		return -1;
	s->state = SCRIPT_CHECKED;
	s->required = c.required;
	return 0;
}

struct sieve_script *
sieve_compile_with(struct span text, const struct sieve_compile_options *options, struct sieve_error *error)
{
	struct sieve_script *s = sieve_script_new(error);

	if (s == NULL)
		return NULL;
	s->text = arena_dup(s->a, text);
	if (s->text.p == NULL)
		sieve_error_set(error, 0, "the script is too large");
	else if (sieve_parse(s->text, s->a, &s->commands, error) == 0 && sieve_script_check(s, options, error) == 0)
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

/* An error in an included script is told with its name, and the line there. */
static int
blame(struct sieve_checker *c, const struct sieve_script *unit)
{
	char why[SIEVE_ERROR_MAX];

	if (span_starts(span_str(c->error->text), SPAN("in the included script")))
		return -1;
	memcpy(why, c->error->text, sizeof(why));
	return sieve_error_set(c->error, c->error->line, "in the included script \"%.*s\": %.*s",
	    SPAN_ARG(span_sub(unit->name, 0, 40)), 140, why);
}

static int
check_included(struct sieve_checker *c, struct sieve_script *unit)
{
	struct sieve_checker inner = {
		.a = c->a, .options = c->options, .unit = unit, .main = c->main, .error = c->error, .depth = c->depth + 1,
		.available = unit->personal ? c->options->available : c->options->available_global,
	};

	unit->state = SCRIPT_OPEN;
	if (sieve_check(&inner, unit->commands) == -1) {
		c->told = false;
		return blame(c, unit);
	}
	unit->state = SCRIPT_CHECKED;
	unit->required = inner.required;
	return 0;
}

/* Reads and parses a script that is not known yet. */
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
		if (sieve_parse(text, c->a, &unit->commands, c->error) == -1) {
			blame(c, unit);
			return NULL;
		}
		return unit;
	}
	if (e.code != ERR_NOTFOUND) {
		sieve_fail(c, n, "\"%.*s\" can not be read", SPAN_ARG(span_sub(name, 0, 60)));
		return NULL;
	}
	unit->state = SCRIPT_MISSING;
	return unit;
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
		return optional || c->options->upload || c->main->loaded ? 0 :
		    sieve_fail(c, n, "there is no script \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
	case SCRIPT_PARSED:
		if (check_included(c, unit) == -1)
			return -1;
		break;
	case SCRIPT_CHECKED:
		break;
	}
	*out = unit;
	return 0;
}
