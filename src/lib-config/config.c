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

/*
 * Which of two scopes applies later, and so wins: by the remote network, the name asked for, the local network, the
 * protocol.  One that lies inside another is never less in any of them, so it wins over the wider one.
 */
static int
scope_order(const struct filter *a, const struct filter *b)
{
	int ra = a->remote.family == 0 ? -1 : a->remote.bits, rb = b->remote.family == 0 ? -1 : b->remote.bits;
	int la = a->local.family == 0 ? -1 : a->local.bits, lb = b->local.family == 0 ? -1 : b->local.bits;
	int pra = a->protocol.n == 0 ? 0 : a->not_protocol ? 1 : 2;
	int prb = b->protocol.n == 0 ? 0 : b->not_protocol ? 1 : 2;
	int na = a->local_name.n > 0, nb = b->local_name.n > 0;

	return ra != rb ? ra - rb : na != nb ? na - nb : la != lb ? la - lb : pra - prb;
}

size_t
scopes_sorted(const struct config *c, struct scope *sorted_out[CONFIG_SCOPES_MAX])
{
	size_t count = c->scopes.n;

	memcpy(sorted_out, c->scopes.p, count * sizeof(sorted_out[0]));
	/* Insertion sort keeps the order of the file among equals; what comes later there applies later. */
	for (size_t i = 2; i < count; i++) {
		struct scope *s = sorted_out[i];
		size_t k = i;

		for (; k > 1 && scope_order(&sorted_out[k - 1]->filter, &s->filter) > 0; k--)
			sorted_out[k] = sorted_out[k - 1];
		sorted_out[k] = s;
	}
	return count;
}
