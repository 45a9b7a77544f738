/* SPDX-License-Identifier: MIT */
#include "lib-mail/param.h"

#include "lib-mail/encoded-word.h"
#include "lib-mail/lex.h"
#include "lib/encode.h"

enum { SMALL = 16, NAME_OCTETS = 100 };

/* The list while it grows: most fields have a few parameters, so that the arena gets exactly those. */
struct list {
	struct param small[SMALL], *v;
	size_t n, cap;
};

static int
list_push(struct arena *a, struct list *l, struct param p)
{
	if (l->n == l->cap) {
		struct param *v = arena_alloc(a, l->cap * 2, sizeof(*v));

		if (v == NULL)
			return -1;
		memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		l->cap *= 2;
	}
	l->v[l->n++] = p;
	return 0;
}

static int
list_end(struct arena *a, struct list *l, struct params *out)
{
	out->n = l->n;
	out->v = l->v;
	if (l->v == l->small && l->n > 0) {
		out->v = arena_alloc(a, l->n, sizeof(*out->v));
		if (out->v == NULL)
			return -1;
		memcpy(out->v, l->small, l->n * sizeof(*out->v));
	}
	if (l->n == 0)
		out->v = NULL;
	return 0;
}

/* Behind the opening quote of *s: its content in *out, and whether there is something to take out of it. */
static void
take_quoted(struct span *s, struct span *out, bool *plain)
{
	size_t i = 0;

	*plain = true;
	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' || s->p[i] == '\r' || s->p[i] == '\n')
			*plain = false;
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
	}
	*out = span_of(s->p, i);
	*s = span_from(*s, i + 1);
}

/* SPAN_NONE: over the budget; *failed: the arena is exhausted. */
static struct span
take_value(struct arena *a, struct span *s, struct param_budget *left, bool *failed)
{
	struct span raw;
	bool plain;
	size_t n = 0;
	char *p;

	lex_cfws(s);
	if (s->n == 0 || s->p[0] != '"')
		return lex_until(s, ";\"");
	*s = span_from(*s, 1);
	take_quoted(s, &raw, &plain);
	if (plain)
		return raw;
	if (raw.n > left->octets)
		return SPAN_NONE;
	left->octets -= raw.n;
	p = arena_alloc(a, raw.n, 1);
	if (p == NULL) {
		*failed = true;
		return SPAN_NONE;
	}
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		if (raw.p[i] != '\r' && raw.p[i] != '\n')
			p[n++] = raw.p[i];
	}
	return span_of(p, n);
}

/* *(";" name "=" value); anything else is stepped over, up to the next semicolon. */
static int
params_parse(struct arena *a, struct span s, struct param_budget *left, struct params *out)
{
	struct list l = { .n = 0, .cap = SMALL };
	bool failed = false;

	l.v = l.small;
	while (s.n > 0 && !out->truncated) {
		struct param p;

		s = span_from(s, span_chr(s, ';'));
		s = span_from(s, 1);
		lex_cfws(&s);
		p.name = lex_until(&s, "=;(");
		if (!lex_char(&s, '=') || p.name.n == 0)
			continue;
		p.value = take_value(a, &s, left, &failed);
		if (failed)
			return -1;
		if (left->count == 0 || p.value.p == NULL) {
			out->truncated = true;
			break;
		}
		left->count--;
		if (list_push(a, &l, p) == -1)
			return -1;
	}
	return list_end(a, &l, out);
}

int
content_type_parse(struct arena *a, struct span value, struct param_budget *left, struct content_type *out)
{
	struct span s = value;

	*out = (struct content_type){ .type = SPAN_NONE };
	lex_cfws(&s);
	out->type = lex_until(&s, "/;(\",=");
	if (lex_char(&s, '/')) {
		lex_cfws(&s);
		out->subtype = lex_until(&s, "/;(\",=");
	}
	if (out->type.n == 0 || out->subtype.n == 0)
		out->type = out->subtype = SPAN_NONE;
	return params_parse(a, s, left, &out->params);
}

int
content_disposition_parse(struct arena *a, struct span value, struct param_budget *left, struct span *disposition_out,
	struct params *params_out)
{
	struct span s = value;

	*params_out = (struct params){ .n = 0 };
	lex_cfws(&s);
	if (s.n > 0 && s.p[0] == '"')	/* wrong, but seen */
		s = span_from(s, 1);
	*disposition_out = lex_until(&s, ";(\"");
	return params_parse(a, s, left, params_out);
}

struct span
param_raw(const struct params *ps, struct span name)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (span_ieq(ps->v[i].name, name))
			return ps->v[i].value;
	}
	return SPAN_NONE;
}

/* "base*number" or "base*number*" (RFC 2231 sections 3 and 4.1). */
struct section {
	struct span base;
	unsigned number;
	bool extended;
};

static bool
section_parse(struct span name, struct section *out)
{
	size_t star = span_chr(name, '*');
	struct span digits = span_from(name, star + 1);
	uint64_t v;

	if (star == 0 || star == name.n)
		return false;
	out->base = span_of(name.p, star);
	out->extended = digits.n > 0 && digits.p[digits.n - 1] == '*';
	digits.n -= out->extended;
	if (!span_u64(digits, PARAM_JOIN_MAX - 1, &v))
		return false;
	out->number = (unsigned)v;
	return true;
}

/* A parameter that came in numbered pieces, in their order. */
struct pieces {
	const struct param *v[PARAM_JOIN_MAX];
	bool extended[PARAM_JOIN_MAX];
	unsigned n;
	bool any_extended;
};

/* False when there are none, or when a number is missing or doubled. */
static bool
pieces_collect(const struct params *ps, struct span base, struct pieces *out)
{
	unsigned found = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < ps->n; i++) {
		struct section s;

		if (!section_parse(ps->v[i].name, &s) || !span_ieq(s.base, base))
			continue;
		if (out->v[s.number] != NULL)
			return false;
		out->v[s.number] = &ps->v[i];
		out->extended[s.number] = s.extended;
		out->any_extended |= s.extended;
		found++;
		if (s.number >= out->n)
			out->n = s.number + 1;
	}
	return found > 0 && found == out->n;
}

static bool
is_attribute_char(unsigned char c)	/* RFC 2231 section 7 */
{
	return c > ' ' && c < 0x7f && strchr("*'%()<>@,;:\\\"/[]?=", c) == NULL;
}

/* The pieces as one extended value: those without percent encoding get it, where it is needed. */
static void
pieces_extended(struct buf *out, const struct pieces *p)
{
	if (!p->extended[0])
		buf_add(out, SPAN("''"));
	for (unsigned i = 0; i < p->n; i++) {
		struct span v = p->v[i]->value;

		if (p->extended[i]) {
			buf_add(out, v);
			continue;
		}
		for (size_t k = 0; k < v.n; k++) {
			unsigned char c = (unsigned char)v.p[k];

			if (is_attribute_char(c))
				buf_addc(out, (char)c);
			else
				buf_addf(out, "%%%02X", c);
		}
	}
}

static void
join_one(const struct param *p, const struct pieces *pieces, param_write write, void *ctx)
{
	struct buf name = BUF_INIT(NAME_OCTETS + 1), value = BUF_INIT((size_t)16 << 20);

	buf_add(&name, span_of(p->name.p, span_chr(p->name, '*')));
	if (pieces->any_extended) {
		buf_addc(&name, '*');
		pieces_extended(&value, pieces);
	} else {
		for (unsigned i = 0; i < pieces->n; i++)
			buf_add(&value, pieces->v[i]->value);
	}
	if (name.failed || value.failed) {
		for (size_t i = 0; i < pieces->n; i++)
			write(ctx, pieces->v[i]->name, pieces->v[i]->value);
	} else {
		write(ctx, buf_span(&name), value.n == 0 ? SPAN("") : buf_span(&value));
	}
	buf_clear(&name);
	buf_clear(&value);
}

void
params_join(const struct params *ps, param_write write, void *ctx)
{
	struct pieces pieces;
	struct section s;
	bool sections = false;

	for (size_t i = 0; i < ps->n; i++) {
		if (ps->n <= PARAM_JOIN_MAX && section_parse(ps->v[i].name, &s))
			sections = true;
		else
			write(ctx, ps->v[i].name, ps->v[i].value);
	}
	for (size_t i = 0; sections && i < ps->n; i++) {
		if (!section_parse(ps->v[i].name, &s))
			continue;
		if (!pieces_collect(ps, s.base, &pieces))
			write(ctx, ps->v[i].name, ps->v[i].value);
		else if (s.number == 0)
			join_one(&ps->v[i], &pieces, write, ctx);
	}
}

static void
percent_decode(struct buf *out, struct span in)
{
	for (size_t i = 0; i < in.n; i++) {
		int hi, lo;

		if (in.p[i] == '%' && in.n - i > 2 && (hi = hex_value(in.p[i + 1])) >= 0 &&
			(lo = hex_value(in.p[i + 2])) >= 0) {
			buf_addc(out, (char)(hi << 4 | lo));
			i += 2;
		} else {
			buf_addc(out, in.p[i]);
		}
	}
}

/* charset'language'text with percent encoding (RFC 2231 section 4); without the quotes it is text alone. */
static struct span
extended_split(struct span in, struct span *charset)
{
	size_t first = span_chr(in, '\''), second = span_chr(span_from(in, first + 1), '\'');

	if (first == in.n || first + 1 + second >= in.n) {
		*charset = SPAN_NONE;
		return in;
	}
	*charset = span_of(in.p, first);
	return span_from(in, first + second + 2);
}

bool
param_get(struct charset_cache *cache, const struct params *ps, struct span name, struct buf *out)
{
	struct buf full = BUF_INIT(NAME_OCTETS), octets = BUF_INIT((size_t)16 << 20);
	struct span charset = SPAN_NONE, v;
	struct pieces pieces;
	bool found = true;

	buf_add(&full, name);
	buf_addc(&full, '*');
	v = param_raw(ps, buf_span(&full));
	if (v.p != NULL) {
		v = extended_split(v, &charset);
		percent_decode(&octets, v);
	} else if (ps->n <= PARAM_JOIN_MAX && pieces_collect(ps, name, &pieces)) {
		for (unsigned i = 0; i < pieces.n; i++) {
			v = pieces.v[i]->value;
			if (i == 0 && pieces.extended[0])
				v = extended_split(v, &charset);
			if (pieces.extended[i])
				percent_decode(&octets, v);
			else
				buf_add(&octets, v);
		}
	} else {
		v = param_raw(ps, name);
		found = v.p != NULL;
		if (found)
			encoded_word_decode(cache, out, v);
	}
	if (octets.n > 0)
		charset_to_utf8(cache, out, charset, buf_span(&octets));
	buf_clear(&full);
	buf_clear(&octets);
	return found;
}
