/* SPDX-License-Identifier: MIT */
#include "lib-filter/procmail/cache.h"

#include <stdlib.h>
#include "lib/hash.h"

#define RCS_MAX 200		/* kept between runs */
#define REGEXES_MAX 20000
#define ARENA_ROOM 128		/* of parsed things for an octet of a file, at most */

struct rc_entry {
	struct rc_entry *next;
	struct arena *arena;	/* all of it, the text too */
	struct span text;
	struct procmail_rc *rc;
};

struct procmail_cache {
	size_t octets_max;
	struct rc_entry *rcs;	/* the last used first */
	size_t rc_octets;
	struct hash *regexes;	/* "D" or "i" and the expression */
	size_t regex_octets;
	struct procmail_regex *last;	/* its automaton may have grown since */
	size_t last_octets;
	struct buf key;
};

struct procmail_cache *
procmail_cache_new(size_t octets_max)
{
	struct procmail_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->octets_max = octets_max;
	c->key = BUF_INIT(PROCMAIL_REGEX_NODES + 1);
	c->regexes = hash_new(REGEXES_MAX);
	if (c->regexes == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void
rc_free(struct procmail_cache *c, struct rc_entry *x)
{
	c->rc_octets -= arena_used(x->arena);
	arena_free(x->arena);
	free(x);
}

static void
drop_regexes(struct procmail_cache *c)
{
	struct span key;
	void *value;

	for (size_t pos = 0; hash_next(c->regexes, &pos, &key, &value); ) {
		(void)hash_remove(c->regexes, key);
		procmail_regex_free(value);
	}
	c->last = NULL;
	c->regex_octets = c->last_octets = 0;
}

void
procmail_cache_free(struct procmail_cache *c)
{
	if (c == NULL)
		return;
	while (c->rcs != NULL) {
		struct rc_entry *x = c->rcs;

		c->rcs = x->next;
		rc_free(c, x);
	}
	drop_regexes(c);
	hash_free(c->regexes);
	buf_clear(&c->key);
	free(c);
}

const struct procmail_rc *
procmail_cache_rc(struct procmail_cache *c, struct span text, size_t octets_max)
{
	struct rc_entry *x;

	for (struct rc_entry **at = &c->rcs; *at != NULL; at = &(*at)->next)
		if (span_eq((*at)->text, text)) {
			x = *at;
			*at = x->next;
			x->next = c->rcs;
			c->rcs = x;
			return x->rc;
		}
	if (c->rc_octets > octets_max)
		return NULL;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->arena = arena_new(text.n * ARENA_ROOM + 65536);
	if (x->arena != NULL) {
		x->text = arena_dup(x->arena, text);
		x->rc = x->text.p == NULL ? NULL : procmail_rc_parse(x->text, x->arena);
	}
	if (x->rc == NULL) {
		arena_free(x->arena);
		free(x);
		return NULL;
	}
	c->rc_octets += arena_used(x->arena);
	x->next = c->rcs;
	c->rcs = x;
	return x->rc;
}

/* What the last regular expression has grown by. */
static void
count_last(struct procmail_cache *c)
{
	size_t now = c->last == NULL ? 0 : procmail_regex_octets(c->last);

	c->regex_octets += now - c->last_octets;
	c->last_octets = now;
}

struct procmail_regex *
procmail_cache_regex(struct procmail_cache *c, struct span expression, bool distinguish_case, const char **why_out)
{
	struct procmail_regex *r;

	count_last(c);
	buf_reset(&c->key);
	buf_addc(&c->key, distinguish_case ? 'D' : 'i');
	buf_add(&c->key, expression);
	if (c->key.failed) {
		*why_out = "it is too large";
		return NULL;
	}
	r = hash_get(c->regexes, buf_span(&c->key));
	if (r == NULL) {
		r = procmail_regex_new(expression, distinguish_case, why_out);
		if (r == NULL)
			return NULL;
		if (c->regex_octets > c->octets_max || hash_count(c->regexes) >= REGEXES_MAX)
			drop_regexes(c);
		if (!hash_set(c->regexes, buf_span(&c->key), r)) {
			procmail_regex_free(r);
			*why_out = "no memory";
			return NULL;
		}
		c->last = r;
		c->last_octets = 0;
		count_last(c);
	}
	c->last = r;
	c->last_octets = procmail_regex_octets(r);
	return r;
}

void
procmail_cache_trim(struct procmail_cache *c)
{
	size_t count = 0, octets = 0;

	count_last(c);
	if (c->regex_octets > c->octets_max)
		drop_regexes(c);
	for (struct rc_entry **at = &c->rcs; *at != NULL; ) {
		struct rc_entry *x = *at;

		octets += arena_used(x->arena);
		if (++count > RCS_MAX || octets > c->octets_max) {
			*at = x->next;
			rc_free(c, x);
		} else {
			at = &x->next;
		}
	}
}
