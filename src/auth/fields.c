/* SPDX-License-Identifier: MIT */
#include "auth/fields.h"

void
fields_init(struct fields *f, struct arena *a)
{
	f->arena = a;
	f->first = NULL;
	f->last = &f->first;
	f->count = 0;
}

static struct field *
find(const struct fields *f, struct span name)
{
	for (struct field *it = f->first; it != NULL; it = it->next)
		if (span_eq(it->name, name))
			return it;
	return NULL;
}

static bool
name_is_sound(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == '=' || name.p[i] == 127)
			return false;
	return name.n > 0 && name.n <= 256;
}

int
fields_set(struct fields *f, struct span name, struct span value, struct err *e)
{
	struct field *it = find(f, name);

	if (!name_is_sound(name) || (value.n > 0 && memchr(value.p, '\0', value.n) != NULL))
		return err_set(e, ERR_SYNTAX, "field %.*s is malformed", SPAN_ARG(span_sub(name, 0, 64)));
	if (value.n > FIELD_VALUE_MAX)
		return err_set(e, ERR_LIMIT, "field %.*s is too long", SPAN_ARG(name));
	if (it == NULL) {
		if (f->count == FIELDS_MAX || (it = arena_alloc(f->arena, 1, sizeof(*it))) == NULL)
			return err_set(e, ERR_LIMIT, "too many fields");
		it->name = arena_dup(f->arena, name);
		*f->last = it;
		f->last = &it->next;
		f->count++;
	}
	it->value = arena_dup(f->arena, value);
	if (it->name.p == NULL || it->value.p == NULL)
		return err_set(e, ERR_LIMIT, "no room for field %.*s", SPAN_ARG(name));
	return 0;
}

const struct field *
fields_get(const struct fields *f, struct span name)
{
	return find(f, name);
}

struct span
fields_value(const struct fields *f, struct span name)
{
	const struct field *it = find(f, name);

	return it == NULL ? SPAN_NONE : it->value;
}

bool
fields_is_true(const struct fields *f, struct span name)
{
	const struct field *it = find(f, name);

	if (it == NULL)
		return false;
	return !span_ieq(it->value, SPAN("n")) && !span_ieq(it->value, SPAN("no")) && !span_ieq(it->value, SPAN("0")) &&
		!span_ieq(it->value, SPAN("false"));
}

/* Reads from the opening quote on; moves *rest behind the closing one. */
static int
quoted(struct span *rest, struct arena *a, struct span *out, struct err *e)
{
	char *p = arena_alloc(a, rest->n, 1);
	size_t n = 0;

	if (p == NULL)
		return err_set(e, ERR_LIMIT, "no room for fields");
	for (size_t i = 1; i < rest->n; i++) {
		if (rest->p[i] == '"') {
			*out = span_of(p, n);
			*rest = span_from(*rest, i + 1);
			return 1;
		}
		if (rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
		p[n++] = rest->p[i];
	}
	return err_set(e, ERR_SYNTAX, "a quoted value has no end");
}

int
fields_next_word(struct span *rest, struct arena *a, struct span *name_out, struct span *value_out, struct err *e)
{
	size_t i = 0;

	*rest = span_trim(*rest);
	if (rest->n == 0)
		return 0;
	while (i < rest->n && rest->p[i] != '=' && !ascii_is_wsp(rest->p[i]))
		i++;
	*name_out = span_sub(*rest, 0, i);
	*value_out = span_of("", 0);
	*rest = span_from(*rest, i);
	if (rest->n == 0 || rest->p[0] != '=')
		return 1;
	*rest = span_from(*rest, 1);
	if (rest->n > 0 && rest->p[0] == '"')
		return quoted(rest, a, value_out, e);
	for (i = 0; i < rest->n && !ascii_is_wsp(rest->p[i]); i++)
		;
	*value_out = span_sub(*rest, 0, i);
	*rest = span_from(*rest, i);
	return 1;
}
