/* SPDX-License-Identifier: MIT */
/*
 * include, return, global (RFC 6609), and ihave, error (RFC 5463).  What is included is compiled with the script: so that its
 * mistakes, and scripts that include themselves, are found before any mail comes.
 */
#include "lib-filter/sieve/compile.h"
#include "lib-filter/sieve/run.h"

#define NAME_MAX_OCTETS 256

/* ---- include ---- */

struct include {
	struct sieve_script *unit;	/* NULL: it is missing */
};

static int
check_include(struct sieve_checker *c, struct sieve_node *n)
{
	struct include *inc = n->extra = arena_alloc(c->a, 1, sizeof(*inc));
	struct span name = n->pos[0]->strings[0];

	if (inc == NULL)
		return sieve_fail(c, n, "the script is too large");
	if (!sieve_is_constant(c, name))
		return sieve_fail(c, n, "the name of a script has no variables");
	if (name.n == 0 || name.n > NAME_MAX_OCTETS || span_chr(name, '/') < name.n)
		return sieve_fail(c, n, "\"%.*s\" is no name of a script", SPAN_ARG(span_sub(name, 0, 60)));
	return sieve_include_find(c, n, sieve_tag_get(n, TAG_GLOBAL) == NULL, name, sieve_tag_get(n, TAG_OPTIONAL) != NULL,
	    sieve_tag_get(n, TAG_ONCE) != NULL, &inc->unit);
}

static int
run_include(struct sieve_run *r, const struct sieve_node *n)
{
	const struct include *inc = n->extra;
	const struct sieve_script *script = r->script;
	struct sieve_captures captures = r->captures;
	struct hash *variables = r->variables;
	int rc;

	if (inc->unit == NULL)
		return sieve_tag_get(n, TAG_OPTIONAL) != NULL ? 0 :
		    sieve_run_fail(r, n, "there is no script \"%.*s\"", SPAN_ARG(span_sub(n->pos[0]->strings[0], 0, 60)));
	if (r->included[inc->unit->idx] && sieve_tag_get(n, TAG_ONCE) != NULL)
		return 0;
	r->included[inc->unit->idx] = true;
	/* Its variables are its own, but for those of "global". */
	r->variables = hash_new(r->limits.variables);
	r->captures.count = 0;
	r->script = inc->unit;
	rc = r->variables == NULL ? sieve_run_fail(r, n, "out of memory") : sieve_run_block(r, inc->unit->commands);
	hash_free(r->variables);
	r->variables = variables;
	r->captures = captures;
	r->script = script;
	r->returned = false;
	return rc;
}

static int
run_return(struct sieve_run *r, const struct sieve_node *n)
{
	(void)n;
	r->returned = true;
	return 0;
}

/* ---- global ---- */

static int
check_global(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_arg *names = n->pos[0];

	if (!extset_has(&c->required, EXT_VARIABLES))
		return sieve_fail(c, n, "needs require \"variables\"");
	for (size_t i = 0; i < names->count; i++) {
		struct sieve_names *g = arena_alloc(c->a, 1, sizeof(*g));
		struct span name = names->strings[i];

		if (!sieve_is_variable(name))
			return sieve_fail(c, n, "\"%.*s\" is no name of a variable", SPAN_ARG(span_sub(name, 0, 60)));
		if (g == NULL)
			return sieve_fail(c, n, "the script is too large");
		g->name = name;
		g->next = c->unit->globals;
		c->unit->globals = g;
	}
	return 0;
}

static int
run_nothing(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return 0;
}

/* ---- ihave ---- */

static int
check_ihave(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_arg *names = n->pos[0];

	n->holds = SIEVE_ALWAYS;
	for (size_t i = 0; i < names->count; i++) {
		enum sieve_ext e = sieve_extension_find(names->strings[i]);

		if (!sieve_is_constant(c, names->strings[i]))
			return sieve_fail(c, n, "the names have no variables");
		/* These two change what strings are: they can not come later (RFC 5463 section 4). */
		if (e == EXT_CORE || e == EXT_VARIABLES || e == EXT_ENCODED_CHARACTER || !extset_has(&c->available, e))
			n->holds = SIEVE_NEVER;
	}
	for (size_t i = 0; i < names->count && n->holds == SIEVE_ALWAYS; i++)
		if (sieve_check_require(c, n, sieve_extension_find(names->strings[i])) == -1)
			return -1;
	return 0;
}

static int
test_ihave(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	return n->holds == SIEVE_ALWAYS;
}

static int
run_error(struct sieve_run *r, const struct sieve_node *n)
{
	struct span text;

	if (sieve_run_string(r, n, n->pos[0]->strings[0], &text) == -1)
		return -1;
	return sieve_run_fail(r, n, "%.*s", SPAN_ARG(span_sub(text, 0, SIEVE_ERROR_MAX / 2)));
}

static const struct sieve_tag_use include_tags[] = {
	{ TAG_PERSONAL, EXT_INCLUDE }, { TAG_GLOBAL, EXT_INCLUDE }, { TAG_ONCE, EXT_INCLUDE }, { TAG_OPTIONAL, EXT_INCLUDE },
	{ TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_include[] = {
	{ .name = "include", .ext = EXT_INCLUDE, .args = "S", .tags = include_tags, .check = check_include, .run = run_include },
	{ .name = "return", .ext = EXT_INCLUDE, .args = "", .run = run_return },
	{ .name = "global", .ext = EXT_INCLUDE, .args = "L", .check = check_global, .run = run_nothing },
	{ .name = "ihave", .is_test = true, .ext = EXT_IHAVE, .args = "L", .check = check_ihave, .run = test_ihave },
	{ .name = "error", .ext = EXT_IHAVE, .args = "S", .run = run_error },
	{ .name = NULL },
};
