/* SPDX-License-Identifier: MIT */
/* The configuration in memory: its scopes, blocks and notes.  What fills it is parse.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib-config/config-priv.h"

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->scopes.n; i++) {
		struct scope *s = *(struct scope **)array_at(&c->scopes, i);

		array_clear(&s->plugin);
		array_clear(&s->blocks);
	}
	array_clear(&c->scopes);
	array_clear(&c->notes);
	array_clear(&c->warned);
	arena_free(c->arena);
	free(c);
}

static void __attribute__((format(printf, 4, 0)))
note(struct config *c, bool is_error, struct place at, const char *fmt, va_list ap)
{
	struct config_note *n;
	char text[1000];

	c->errors += is_error;
	vsnprintf(text, sizeof(text), fmt, ap);
	n = c->notes.n == c->notes.max ? NULL : array_push(&c->notes);
	if (n == NULL)
		return;
	n->is_error = is_error;
	if (at.file == NULL)
		n->text = arena_printf(c->arena, "%s", text);
	else
		n->text = arena_printf(c->arena, "%s:%u: %s", at.file, at.line, text);
	if (n->text == NULL)
		n->text = "the configuration takes too much memory";
}

void
config_error(struct config *c, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(c, true, at, fmt, ap);
	va_end(ap);
}

void
config_warning(struct config *c, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(c, false, at, fmt, ap);
	va_end(ap);
}

bool
config_warn_once(struct config *c, struct span what)
{
	struct span *slot;

	for (size_t i = 0; i < c->warned.n; i++) {
		if (span_eq(*(struct span *)array_at(&c->warned, i), what))
			return false;
	}
	slot = array_push(&c->warned);
	if (slot == NULL)
		return false;
	*slot = arena_dup(c->arena, what);
	return true;
}

size_t
config_notes(const struct config *c, const struct config_note **notes_out)
{
	*notes_out = c->notes.p;
	return c->notes.n;
}

bool
config_has_errors(const struct config *c)
{
	return c->errors > 0;
}

struct scope *
scope_top(const struct config *c)
{
	return *(struct scope **)array_at(&c->scopes, 0);
}

static bool
netaddr_eq(const struct netaddr *a, const struct netaddr *b)
{
	return a->family == b->family && a->bits == b->bits && memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

static bool
filter_eq(const struct filter *a, const struct filter *b)
{
	return a->not_protocol == b->not_protocol && span_eq(a->protocol, b->protocol) &&
	    span_ieq(a->local_name, b->local_name) && netaddr_eq(&a->local, &b->local) &&
	    netaddr_eq(&a->remote, &b->remote);
}

struct scope *
scope_for(struct config *c, struct scope *outer, const struct filter *filter)
{
	struct scope *s, **slot;

	for (size_t i = 0; i < c->scopes.n; i++) {
		s = *(struct scope **)array_at(&c->scopes, i);
		if (filter_eq(&s->filter, filter))
			return s;
	}
	s = arena_alloc(c->arena, 1, sizeof(*s));
	if (s == NULL || (slot = array_push(&c->scopes)) == NULL)
		return NULL;
	s->filter = *filter;
	s->outer = outer;
	s->plugin = ARRAY_INIT(struct plugin_value, CONFIG_PLUGIN_MAX);
	s->blocks = ARRAY_INIT(struct block *, CONFIG_BLOCKS_MAX);
	*slot = s;
	return s;
}

struct block *
block_for(struct config *c, struct scope *s, struct block *parent, enum block_kind kind, struct span name,
    struct place at)
{
	struct block *b, **slot;

	for (size_t i = 0; name.n > 0 && i < s->blocks.n; i++) {
		b = *(struct block **)array_at(&s->blocks, i);
		if (b->kind == kind && b->parent == parent && span_eq(b->name, name))
			return b;
	}
	if (c->blocks >= CONFIG_BLOCKS_MAX)
		return NULL;
	b = arena_alloc(c->arena, 1, sizeof(*b));
	if (b == NULL || (b->values = arena_alloc(c->arena, block_setting_count(kind), sizeof(*b->values))) == NULL)
		return NULL;
	b->name = arena_dup(c->arena, name);
	if (b->name.p == NULL || (slot = array_push(&s->blocks)) == NULL)
		return NULL;
	b->kind = kind;
	b->parent = parent;
	b->place = at;
	b->built_in = at.file == NULL;
	*slot = b;
	c->blocks++;
	return b;
}

struct plugin_value *
plugin_for(struct scope *s, struct span key)
{
	for (size_t i = 0; i < s->plugin.n; i++) {
		struct plugin_value *pv = array_at(&s->plugin, i);

		if (span_eq(pv->key, key))
			return pv;
	}
	return NULL;
}

struct span
value_text(const struct setting_def *def, const struct value *v)
{
	return v->text.p != NULL ? v->text : value_default(def);
}
