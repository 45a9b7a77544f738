/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/script.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/encode.h"
#include "lib/sys.h"
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/tester-world.h"
#include "lib-mail/encoded-word.h"

#define COMPLAINTS_MAX 20	/* that a run logs */
#define STEP_OCTETS 64		/* octets that are looked at in one step */
#define LOOK_STEPS 100000	/* until the clock is looked at */
#define SLICE 500000		/* the same, within one match */
#define FIELD_MAX ((size_t)1 << 20)

int
sieve_run_fail(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...)
{
	char text[SIEVE_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->script->name.n > 0)
		return sieve_error_set(&r->error, n->line, "in the included script \"%.*s\": %.*s: %s",
		    SPAN_ARG(span_sub(r->script->name, 0, 40)), SPAN_ARG(span_sub(n->name, 0, 60)), text);
	return sieve_error_set(&r->error, n->line, "%.*s: %s", SPAN_ARG(span_sub(n->name, 0, 60)), text);
}

void
sieve_run_complain(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...)
{
	struct sieve_error error;
	char text[SIEVE_ERROR_MAX], line[SIEVE_ERROR_MAX + 40];
	va_list ap;
	int len;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sieve_error_set(&error, n->line, "%.*s: %s", SPAN_ARG(span_sub(n->name, 0, 60)), text);
	if (r->host->tester != NULL)
		tester_error(r->host->tester, error.text);
	/* In a loop it would be the same again and again, in the log of all. */
	if (r->complaints++ >= COMPLAINTS_MAX)
		return;
	len = snprintf(line, sizeof(line), "line %u: %s", error.line, error.text);
	if (r->host->log != NULL)
		r->host->log(r->host->ctx, span_of(line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1));
}

uint64_t
sieve_cpu_us(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0 ? (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 : 0;
}

/* The clock runs from the first look at it: a script that does little never asks for it. */
static int
look_at_clock(struct sieve_run *r, const struct sieve_node *n)
{
	uint64_t now = r->limits.cpu_us == 0 ? 0 : sieve_cpu_us();

	r->look_at = r->steps + LOOK_STEPS;
	if (r->cpu_start_us == 0)
		r->cpu_start_us = now;
	return now - r->cpu_start_us <= r->limits.cpu_us ? 0 :
	    sieve_run_fail(r, n, "the script takes more than %llu ms of CPU time", (unsigned long long)r->limits.cpu_us / 1000);
}

int
sieve_run_work(struct sieve_run *r, const struct sieve_node *n, uint64_t steps)
{
	if (steps > r->limits.steps - r->steps)
		return sieve_run_fail(r, n, "the script takes too much work");
	r->steps += steps;
	return r->steps < r->look_at ? 0 : look_at_clock(r, n);
}

struct filter_action *
sieve_run_action(struct sieve_run *r, const struct sieve_node *n, enum filter_kind kind)
{
	struct filter_action *action;

	if (r->action_count >= r->limits.actions) {
		sieve_run_fail(r, n, "the total number of actions exceeds policy limit (%zu)", r->limits.actions);
		return NULL;
	}
	action = arena_alloc(r->a, 1, sizeof(*action));
	if (action == NULL) {
		sieve_run_fail(r, n, "the script needs too much memory");
		return NULL;
	}
	r->action_count++;
	action->kind = kind;
	action->line = n->line;
	action->within = r->script->name;
	action->verb = n->word == NULL ? NULL : n->word->name;
	if (kind == FILTER_REDIRECT && r->edits.enclosed.p != NULL)
		action->message = r->edits.enclosed;
	else if (r->edits.changed && !filter_sends(kind) && sieve_message_text(r, n, &action->message) == -1)
		return NULL;
	*r->tail = action;
	r->tail = &action->next;
	return action;
}

int
sieve_run_dup(struct sieve_run *r, const struct sieve_node *n, struct span s, struct span *out)
{
	*out = arena_dup(r->a, s);
	return out->p == NULL ? sieve_run_fail(r, n, "the script needs too much memory") : 0;
}

int64_t
sieve_run_now(const struct sieve_run *r)
{
	return r->host->now != NULL ? r->host->now(r->host->ctx) : clock_wall_us() / 1000000;
}

int
sieve_run_mark(struct sieve_run *r, const struct sieve_node *n, const char *kind, const struct span *parts, size_t count,
    struct span *out)
{
	struct buf text = BUF_INIT(256);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE], size[8];
	unsigned int len = 0;
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < count && ok; i++) {
		be64_put(size, parts[i].n);	/* so that "a", "bc" is not "ab", "c" */
		ok = EVP_DigestUpdate(md, size, sizeof(size)) == 1 && EVP_DigestUpdate(md, parts[i].p, parts[i].n) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, digest, &len) == 1;
	EVP_MD_CTX_free(md);
	buf_adds(&text, kind);
	buf_addc(&text, ' ');
	hex_encode(&text, span_of(digest, len));
	*out = ok && !text.failed ? arena_dup(r->a, buf_span(&text)) : SPAN_NONE;
	buf_clear(&text);
	return out->p == NULL ? sieve_run_fail(r, n, "no digest could be made") : 0;
}

/*
 * A line that goes on behind a tab (Exchange folds so) goes on behind a space for who reads it, and for scripts on other servers.
 * RFC 5322 section 2.2.3 would leave the tab.
 */
static void
tabs_to_spaces(struct span *raw, struct buf *room)
{
	if (span_find(*raw, SPAN("\n\t")) == SIZE_MAX)
		return;
	buf_add(room, *raw);
	for (size_t i = 1; i < room->n; i++)
		if (room->p[i] == '\t' && room->p[i - 1] == '\n')
			room->p[i] = ' ';
	if (!room->failed)
		*raw = buf_span(room);
}

int
sieve_run_decode(struct sieve_run *r, const struct sieve_node *n, struct span raw, struct span *out)
{
	struct buf text = BUF_INIT(4 * FIELD_MAX), room = BUF_INIT(FIELD_MAX);

	if (sieve_run_work(r, n, raw.n / STEP_OCTETS) == -1)
		return -1;
	raw = span_sub(raw, 0, FIELD_MAX);
	tabs_to_spaces(&raw, &room);
	encoded_word_decode(r->charsets, &text, raw);
	buf_clear(&room);
	*out = arena_dup(r->a, span_trim(buf_span(&text)));
	buf_clear(&text);
	return out->p == NULL ? sieve_run_fail(r, n, "the script needs too much memory") : 0;
}

int
sieve_matching_begin(struct sieve_matching *x, struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *keys)
{
	*x = (struct sieve_matching){ .r = r, .n = n, .m = n->extra, .key_count = keys->count };
	x->keys = arena_alloc(r->a, keys->count, sizeof(*x->keys));
	if (x->keys == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	for (size_t i = 0; i < keys->count; i++)
		if (sieve_run_string(r, n, keys->strings[i], &x->keys[i]) == -1)
			return -1;
	return x->m->type == SIEVE_REGEX ? sieve_regex_prepare(x, keys) : 0;
}

/* One value and one key: 1, 0, -1.  What comparing them cost is counted when it is known. */
static int
match_key(struct sieve_matching *x, struct span value, struct span key, struct sieve_captures *captures)
{
	uint64_t all = x->r->limits.steps - x->r->steps, cpu_us = x->r->limits.cpu_us, steps;

	/* A step takes a part of a microsecond: what the steps allow is done at once, where it is sure to end in time. */
	steps = cpu_us == 0 || all <= cpu_us || all < SLICE ? all : SLICE;
	for (;; steps = all / 4 < steps ? all : steps * 4) {
		uint64_t most = (steps < UINT64_MAX / STEP_OCTETS ? steps + 1 : steps / STEP_OCTETS) * STEP_OCTETS, left = most;
		bool found = sieve_match_one(x->m, value, key, captures, &left);

		if (left == 0 && steps == all)
			return sieve_run_work(x->r, x->n, all + 1);
		if (left > 0)
			return sieve_run_work(x->r, x->n, (most - left) / STEP_OCTETS) == -1 ? -1 : found;
		/* More work than between two looks at the clock: once more, if there is time. */
		if (look_at_clock(x->r, x->n) == -1)
			return -1;
	}
}

int
sieve_matching_value(struct sieve_matching *x, struct span value)
{
	struct sieve_captures captures = { .count = 0 };
	bool remember = (x->m->type == SIEVE_MATCHES || x->m->type == SIEVE_REGEX) && !x->forget &&
	    extset_has(&x->r->script->required, EXT_VARIABLES);

	x->count++;
	if (x->m->type == SIEVE_COUNT)
		return 0;
	for (size_t i = 0; i < x->key_count; i++) {
		struct sieve_captures *parts = remember ? &captures : NULL;
		int rc = sieve_run_work(x->r, x->n, 1);

		if (rc == 0)
			rc = x->m->type == SIEVE_LIST ? sieve_list_has(x->r, x->n, x->keys[i], value) :
			    x->m->type == SIEVE_REGEX ? sieve_regex_run(x, i, value, parts) : match_key(x, value, x->keys[i], parts);
		if (rc == -1)
			return -1;
		if (rc == 0)
			continue;
		return remember && sieve_captures_keep(x->r, x->n, &captures) == -1 ? -1 : 1;
	}
	return 0;
}

int
sieve_matching_end(struct sieve_matching *x)
{
	char number[24];

	if (x->m->type != SIEVE_COUNT)
		return 0;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)x->count);
	for (size_t i = 0; i < x->key_count; i++)
		if (sieve_relation_holds(x->m->relation, sieve_compare(SIEVE_NUMERIC, span_str(number), x->keys[i])))
			return 1;
	return 0;
}

/* The depth is that of the parsed tree: SIEVE_DEPTH_MAX. */
int
sieve_run_test(struct sieve_run *r, const struct sieve_node *n)
{
	return sieve_run_work(r, n, 1) == -1 ? -1 : n->word->run(r, n);
}

static const struct sieve_node nowhere = { .name = { "keep", 4 } };

int
sieve_run_implicit_keep(struct sieve_run *r, struct filter_action *out)
{
	out->keep = true;
	if (r->edits.changed && sieve_message_text(r, &nowhere, &out->message) == -1)
		return -1;
	return sieve_flags_of(r, &nowhere, &out->flags);
}

static int
add_keep(struct sieve_run *r)
{
	struct filter_action *action;

	r->limits.actions++;		/* there is always room for it */
	action = sieve_run_action(r, &nowhere, FILTER_SAVE);
	if (action == NULL)
		return -1;
	return sieve_run_implicit_keep(r, action);
}

static bool
own(struct arena *a, struct span *s)
{
	if (s->n > 0)
		*s = arena_dup(a, *s);
	return s->n == 0 || s->p != NULL;
}

/* Strings without variables are the script's: the actions live longer than that. */
static bool
own_actions(struct arena *a, struct filter_action *x)
{
	struct span text = SPAN_NONE, copy = SPAN_NONE;
	bool ok = true;

	for (; x != NULL && ok; x = x->next) {
		/* One notification to several has one text. */
		if (text.p == NULL || x->text.p != text.p || x->text.n != text.n) {
			text = copy = x->text;
			ok = own(a, &copy);
		}
		x->text = copy;
		ok = ok && own(a, &x->target) && own(a, &x->within) && own(a, &x->special_use) && own(a, &x->mailbox_id) &&
		    own(a, &x->dsn_notify) && own(a, &x->dsn_ret);
		for (size_t i = 0; i < x->arg_count && ok; i++)
			ok = own(a, &x->args[i]);
		for (size_t i = 0; i < x->flags.keyword_count && ok; i++)
			ok = own(a, &x->flags.keywords[i]);
	}
	return ok;
}

int
sieve_script_run(const struct sieve_script *s, const struct filter_message *m, const struct filter_host *host,
    const struct sieve_limits *limits, struct arena *a, struct filter_action **out, struct sieve_error *error)
{
	struct span flags;

	return sieve_script_run_flags(s, m, host, limits, a, out, &flags, error);
}

int
sieve_script_run_flags(const struct sieve_script *s, const struct filter_message *m, const struct filter_host *host,
    const struct sieve_limits *limits, struct arena *a, struct filter_action **out, struct span *flags_out,
    struct sieve_error *error)
{
	struct sieve_run r = {
		.script = s, .message = m, .host = host, .limits = *limits, .a = a, .keep = true, .flags = m->flags,
		.look_at = LOOK_STEPS, .charsets = charset_cache_new(), .variables = hash_new(limits->variables),
		.globals = hash_new(limits->variables), .included = calloc(s->include_count + 1, sizeof(bool)),
	};
	int rc;

	sieve_message_begin(&r, m);
	r.tail = &r.actions;
	rc = r.charsets == NULL || r.variables == NULL || r.globals == NULL || r.included == NULL ?
	    sieve_error_set(&r.error, 0, "out of memory") : sieve_run_block(&r, s->commands);
	if (rc == 0 && !own_actions(a, r.actions))
		rc = sieve_error_set(&r.error, 0, "the script needs too much memory");
	if (rc == -1) {
		/* What a broken script wanted is not done by half: the message is kept. */
		r.actions = NULL;
		r.tail = &r.actions;
		r.keep = true;
		r.flags = m->flags;
		r.edits.changed = false;
		*error = r.error;
	}
	if (r.keep && add_keep(&r) == -1)
		rc = -1;
	sieve_message_end(&r);
	hash_free(r.variables);
	hash_free(r.globals);
	free(r.included);
	charset_cache_free(r.charsets);
	*out = r.actions;
	*flags_out = r.flags;
	return rc;
}
