/* SPDX-License-Identifier: MIT */
/* :regex (draft-ietf-sieve-regex): compiling, matching, and the work that is counted. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib-filter/sieve/regex.h"

#include <pcre2.h>
#include <stdio.h>

#include "lib/encode.h"
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"

#define TRANSLATED_MAX ((size_t)16 * SIEVE_REGEX_MAX)
#define TRIES_MIN 100000		/* PCRE2's steps that one value may take, and more for a long one */
#define HEAP_KIB 20000
#define DFA_WORKSPACE 2000
#define LOOK_HERE "(?C1)"		/* in front of each expression: look() */
#define LOOKS 32			/* places where a match might begin, until the clock is looked at */
#define STEPS_PER_US 20			/* what a microsecond of PCRE2 counts: it does not tell its own steps */

struct sieve_regex {
	pcre2_code *code;
	uint32_t groups;		/* and the whole match */
	bool utf8;
	bool exact;			/* has back references: these know no longest match */
};

static void *
take(size_t n, void *arena)
{
	return arena_alloc(arena, 1, n);
}

static void
leave(void *p, void *arena)
{
	(void)p;			/* goes with the arena */
	(void)arena;
}

const struct sieve_regex *
sieve_regex_compile(struct arena *a, struct span ere, enum sieve_comparator cmp, char *error, size_t room)
{
	struct buf text = BUF_INIT(TRANSLATED_MAX + sizeof(LOOK_HERE));
	struct sieve_regex *re = arena_alloc(a, 1, sizeof(*re));
	pcre2_general_context *general = re == NULL ? NULL : pcre2_general_context_create(take, leave, a);
	pcre2_compile_context *ctx = general == NULL ? NULL : pcre2_compile_context_create(general);
	uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	const char *bad;
	PCRE2_SIZE where;
	int code = 0;

	if (ctx == NULL) {
		snprintf(error, room, "the script needs too much memory");
		return NULL;
	}
	re->utf8 = cmp != SIEVE_OCTET;
	options |= re->utf8 ? PCRE2_UTF : 0;
	options |= cmp == SIEVE_UNICODE ? PCRE2_CASELESS : 0;
	buf_adds(&text, LOOK_HERE);
	bad = sieve_regex_translate(&text, ere, cmp == SIEVE_CASEMAP, re->utf8, &re->exact);
	if (bad != NULL) {
		snprintf(error, room, "%s", bad);
	} else {
		re->code = pcre2_compile((PCRE2_SPTR)(text.p == NULL ? "" : text.p), text.n, options, &code, &where, ctx);
		if (re->code == NULL && pcre2_get_error_message(code, (PCRE2_UCHAR *)error, room) < 0)
			snprintf(error, room, "error %d", code);
	}
	buf_clear(&text);
	if (re->code == NULL)
		return NULL;
	pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
	re->groups++;
	return re;
}

struct watch {
	uint64_t until_us;
	unsigned looks;
};

/*
 * Called wherever a match might begin: PCRE2's own limit is for one such place, and there may be millions, each with a little less
 * work than that.
 */
static int
look(pcre2_callout_block *block, void *ctx)
{
	struct watch *w = ctx;

	(void)block;
	return ++w->looks % LOOKS == 0 && sieve_cpu_us() > w->until_us ? PCRE2_ERROR_CALLOUT : 0;
}

/* The longest match that begins where the one in data does; it takes its place there. */
static void
lengthen(const struct sieve_regex *re, struct span value, pcre2_match_data *data, pcre2_match_context *ctx)
{
	PCRE2_SIZE *found = pcre2_get_ovector_pointer(data), start = found[0], end = found[1];
	pcre2_match_data *longest = pcre2_match_data_create(1, NULL);
	int workspace[DFA_WORKSPACE], rc;

	if (longest == NULL)
		return;
	rc = pcre2_dfa_match(re->code, (PCRE2_SPTR)value.p, value.n, start, PCRE2_ANCHORED | (re->utf8 ? PCRE2_NO_UTF_CHECK : 0),
	    longest, ctx, workspace, DFA_WORKSPACE);
	if (rc >= 0 && pcre2_get_ovector_pointer(longest)[1] > end) {
		end = pcre2_get_ovector_pointer(longest)[1];
		rc = pcre2_match(re->code, (PCRE2_SPTR)value.p, end, start, PCRE2_ANCHORED | PCRE2_ENDANCHORED |
		    (end < value.n ? PCRE2_NOTEOL : 0) | (re->utf8 ? PCRE2_NO_UTF_CHECK : 0), data, ctx);
		if (rc < 0) {
			/* Only an assertion at the end can do that: the match is right, its groups are not known. */
			for (uint32_t i = 1; i < pcre2_get_ovector_count(data); i++)
				found[2 * i] = found[2 * i + 1] = PCRE2_UNSET;
			found[0] = start;
			found[1] = end;
		}
	}
	pcre2_match_data_free(longest);
}

static void
take_captures(struct span value, pcre2_match_data *data, struct sieve_captures *out)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);
	uint32_t count = pcre2_get_ovector_count(data);

	out->count = count < SIEVE_CAPTURES ? count : SIEVE_CAPTURES;
	for (size_t i = 0; i < out->count; i++)
		out->part[i] = v[2 * i] == PCRE2_UNSET || v[2 * i + 1] < v[2 * i] ? SPAN("") :
		    span_sub(value, v[2 * i], v[2 * i + 1] - v[2 * i]);
}

int
sieve_regex_match(const struct sieve_regex *re, struct arena *a, struct span value, uint64_t max_us, struct sieve_captures *captures)
{
	struct watch watch = { .until_us = sieve_cpu_us() };

	pcre2_match_data *data;
	pcre2_match_context *ctx;
	int rc;

	if (value.p == NULL)
		value = SPAN("");
	if (re->utf8 && !utf8_is_valid(value)) {
		struct buf text = BUF_INIT(3 * value.n + 16);

		utf8_put_valid(&text, value);
		value = arena_dup(a, buf_span(&text));
		buf_clear(&text);
		if (value.p == NULL)
			return -1;
	}
	/* Not made from the pattern: what matching needs would be taken from the pattern's arena, and stay there. */
	data = pcre2_match_data_create(re->groups, NULL);
	ctx = pcre2_match_context_create(NULL);
	if (data == NULL || ctx == NULL) {
		rc = PCRE2_ERROR_NOMEMORY;
	} else {
		pcre2_set_match_limit(ctx, (uint32_t)(TRIES_MIN + (value.n < 1000000 ? value.n : 1000000) * 4));
		pcre2_set_heap_limit(ctx, HEAP_KIB);
		watch.until_us += max_us < UINT64_MAX - watch.until_us ? max_us : UINT64_MAX - watch.until_us;
		pcre2_set_callout(ctx, look, &watch);
		rc = pcre2_match(re->code, (PCRE2_SPTR)value.p, value.n, 0, re->utf8 ? PCRE2_NO_UTF_CHECK : 0, data, ctx);
		if (rc >= 0 && captures != NULL && !re->exact)
			lengthen(re, value, data, ctx);
		if (rc >= 0 && captures != NULL)
			take_captures(value, data, captures);
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(ctx);
	return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

/* ---- in scripts ---- */

int
sieve_check_regex(struct sieve_checker *c, struct sieve_node *n, struct sieve_match *m)
{
	const struct sieve_arg *keys = NULL;
	char why[120];

	for (size_t i = 0; i < sizeof(n->pos) / sizeof(n->pos[0]); i++)
		if (n->pos[i] != NULL)
			keys = n->pos[i];
	if (keys == NULL)
		return 0;
	m->regexes = arena_alloc(c->a, keys->count + 1, sizeof(*m->regexes));
	if (m->regexes == NULL)
		return sieve_fail(c, n, "the script is too large");
	for (size_t i = 0; i < keys->count; i++) {
		if (!sieve_is_constant(c, keys->strings[i]))
			continue;
		m->regexes[i] = sieve_regex_compile(c->a, keys->strings[i], m->comparator, why, sizeof(why));
		if (m->regexes[i] == NULL)
			return sieve_fail(c, n, "\"%.*s\" is no regular expression: %s", SPAN_ARG(span_sub(keys->strings[i], 0, 60)), why);
	}
	return 0;
}

int
sieve_regex_prepare(struct sieve_matching *x, const struct sieve_arg *keys)
{
	char why[120];

	x->regexes = arena_alloc(x->r->a, keys->count + 1, sizeof(*x->regexes));
	if (x->regexes == NULL)
		return sieve_run_fail(x->r, x->n, "the script needs too much memory");
	for (size_t i = 0; i < keys->count; i++) {
		x->regexes[i] = x->m->regexes == NULL ? NULL : x->m->regexes[i];
		if (x->regexes[i] != NULL)
			continue;
		if (sieve_run_work(x->r, x->n, 100 + x->keys[i].n) == -1)
			return -1;
		x->regexes[i] = sieve_regex_compile(x->r->a, x->keys[i], x->m->comparator, why, sizeof(why));
		/* Of a variable: that it matches nothing is better than that mail is not filed. */
		if (x->regexes[i] == NULL)
			sieve_run_complain(x->r, x->n, "\"%.*s\" is no regular expression: %s", SPAN_ARG(span_sub(x->keys[i], 0, 60)), why);
	}
	return 0;
}

int
sieve_regex_run(struct sieve_matching *x, size_t key, struct span value, struct sieve_captures *captures)
{
	uint64_t before, spent, max_us = (x->r->limits.steps - x->r->steps) / STEPS_PER_US;
	int rc;

	if (x->regexes[key] == NULL)
		return 0;
	before = sieve_cpu_us();
	rc = sieve_regex_match(x->regexes[key], x->r->a, value, max_us, captures);
	spent = sieve_cpu_us() - before;
	if (rc == -1)
		return sieve_run_fail(x->r, x->n, "matching \"%.*s\" takes too much work", SPAN_ARG(span_sub(x->keys[key], 0, 60)));
	/* A clock tick alone is no work: what a small match costs was counted already. */
	return spent > 50 && sieve_run_work(x->r, x->n, spent * STEPS_PER_US) == -1 ? -1 : rc;
}
