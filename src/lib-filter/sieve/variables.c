/* SPDX-License-Identifier: MIT */
/* Variables (RFC 5229): set, string, ${name} and ${1} in strings; and encoded-character (RFC 5228 section 2.4.2.4). */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/tester-world.h"
#include "lib/encode.h"

#define NAME_MAX_OCTETS 64
#define EXPANDED_MAX ((size_t)1 << 20)

/* ---- encoded-character ---- */

/*
 * Where the } of the ${ at the start of s is; s.n: it has none.  What another $ is in is no name and no number, so that a
 * string of nothing but ${ takes no more than its octets.
 */
static size_t
closing(struct span s)
{
	size_t i = 2;

	while (i < s.n && s.p[i] != '}' && s.p[i] != '$')
		i++;
	return i < s.n && s.p[i] == '}' ? i : s.n;
}

static bool
hex_number(struct span s, uint32_t *out)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 8)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v << 4 | (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return true;
}

static bool
next_hex(struct span *rest, struct span *word)
{
	size_t n = 0;

	while (rest->n > 0 && (ascii_is_wsp(rest->p[0]) || rest->p[0] == '\r' || rest->p[0] == '\n'))
		*rest = span_from(*rest, 1);
	while (n < rest->n && !ascii_is_wsp(rest->p[n]) && rest->p[n] != '\r' && rest->p[n] != '\n')
		n++;
	*word = span_sub(*rest, 0, n);
	*rest = span_from(*rest, n);
	return n > 0;
}

/* The inside of ${hex:...} or ${unicode:...} at the end of out.  1; 0: it is not of that form; -1: no such character. */
static int
decode_one(struct span inside, bool unicode, struct buf *out)
{
	size_t start = out->n;
	struct span word;
	bool any = false;
	uint32_t v;

	while (next_hex(&inside, &word)) {
		any = true;
		if (!hex_number(word, &v) || (!unicode && word.n > 2)) {
			out->n = start;
			return 0;
		}
		if (unicode && (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)))
			return -1;
		if (unicode)
			utf8_put(out, v);
		else
			buf_addc(out, (char)v);
	}
	return any;
}

bool
sieve_decode_characters(struct arena *a, struct span *s)
{
	struct buf out = BUF_INIT(4 * s->n + 16);
	struct span rest = *s;
	bool changed = false, ok = true;

	while (rest.n > 0 && ok) {
		size_t at = span_find(rest, SPAN("${")), end;
		bool unicode;
		int rc = 0;

		buf_add(&out, span_sub(rest, 0, at));
		if (at >= rest.n)
			break;
		rest = span_from(rest, at);
		unicode = span_istarts(rest, SPAN("${unicode:"));
		end = closing(rest);
		if (end < rest.n && (unicode || span_istarts(rest, SPAN("${hex:"))))
			rc = decode_one(span_sub(rest, unicode ? 10 : 6, end - (unicode ? 10 : 6)), unicode, &out);
		ok = rc != -1;
		changed = changed || rc == 1;
		if (rc != 1)
			buf_add(&out, SPAN("${"));
		rest = span_from(rest, rc == 1 ? end + 1 : 2);
	}
	if (ok && changed) {
		*s = arena_dup(a, buf_span(&out));
		ok = s->p != NULL;
	}
	buf_clear(&out);
	return ok;
}

/* ---- names ---- */

static bool
is_identifier(struct span s)
{
	if (s.n == 0 || ascii_is_digit(s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

bool
sieve_is_variable(struct span s)
{
	return s.n <= NAME_MAX_OCTETS && is_identifier(s);
}

/* "global." is the one namespace (RFC 6609 section 3.4), where "include" is there. */
static bool
is_name(const struct sieve_extset *required, struct span s)
{
	if (extset_has(required, EXT_INCLUDE) && span_istarts(s, SPAN("global.")))
		s = span_from(s, 7);
	return sieve_is_variable(s);
}

static struct span
lower_name(struct span name, char room[NAME_MAX_OCTETS])
{
	for (size_t i = 0; i < name.n; i++)
		room[i] = ascii_lower(name.p[i]);
	return span_of(room, name.n);
}

/* Where the variable is: *name loses its namespace. */
static struct hash *
table_of(const struct sieve_run *r, struct span *name)
{
	const struct sieve_names *g = r->script->globals;

	if (span_istarts(*name, SPAN("global."))) {
		*name = span_from(*name, 7);
		return r->globals;
	}
	while (g != NULL && !span_ieq(g->name, *name))
		g = g->next;
	return g != NULL ? r->globals : r->variables;
}

int
sieve_variable_set(struct sieve_run *r, const struct sieve_node *n, struct span name, struct span value)
{
	struct hash *table = table_of(r, &name);
	char room[NAME_MAX_OCTETS];
	struct span *slot = arena_alloc(r->a, 1, sizeof(*slot));

	/* Longer values are cut, at a character (RFC 5229 section 6). */
	if (value.n > r->limits.variable_octets) {
		value.n = r->limits.variable_octets;
		while (value.n > 0 && ((unsigned char)value.p[value.n] & 0xc0) == 0x80)
			value.n--;
	}
	if (slot == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	*slot = value;
	return hash_set(table, lower_name(name, room), slot) ? 0 :
	    sieve_run_fail(r, n, "there are more than %zu variables", r->limits.variables);
}

struct span
sieve_variable_get(const struct sieve_run *r, struct span name)
{
	char room[NAME_MAX_OCTETS];
	const struct hash *table = table_of(r, &name);
	const struct span *v = name.n > NAME_MAX_OCTETS ? NULL : hash_get(table, lower_name(name, room));

	return v == NULL ? SPAN("") : *v;
}

/* ---- strings ---- */

/* The value of ${inside}; false: it is no variable, and stays as it is written. */
static bool
value_of(const struct sieve_run *r, struct span inside, struct span *out)
{
	uint64_t number;

	if (span_u64(inside, 999999, &number)) {
		*out = number < r->captures.count ? r->captures.part[number] : SPAN("");
		return true;
	}
	/* vnd.dovecot.environment: the items of the environment are a namespace. */
	if (extset_has(&r->script->required, EXT_VND_ENVIRONMENT) && span_istarts(inside, SPAN("env."))) {
		if (!sieve_environment_get(r, span_from(inside, 4), out))
			*out = SPAN("");
		return true;
	}
	if (r->host->tester != NULL && span_istarts(inside, SPAN("tst.")))
		return tester_variable(r->host->tester, span_from(inside, 4), out);
	if (!is_name(&r->script->required, inside))
		return false;
	*out = sieve_variable_get(r, inside);
	return true;
}

int
sieve_run_string(struct sieve_run *r, const struct sieve_node *n, struct span s, struct span *out)
{
	struct buf text = BUF_INIT(EXPANDED_MAX);
	struct span rest = s;

	*out = s;
	if (!extset_has(&r->script->required, EXT_VARIABLES) || span_find(s, SPAN("${")) == SIZE_MAX)
		return 0;
	while (rest.n > 0) {
		size_t at = span_find(rest, SPAN("${")), end;
		struct span value;

		buf_add(&text, span_sub(rest, 0, at));
		if (at >= rest.n)
			break;
		rest = span_from(rest, at);
		end = closing(rest);
		if (end < rest.n && value_of(r, span_sub(rest, 2, end - 2), &value)) {
			buf_add(&text, value);
			rest = span_from(rest, end + 1);
		} else {
			buf_add(&text, SPAN("${"));
			rest = span_from(rest, 2);
		}
	}
	if (!text.failed)
		*out = arena_dup(r->a, buf_span(&text));
	if (text.failed || out->p == NULL || sieve_run_work(r, n, text.n / 64) == -1) {
		buf_clear(&text);
		return r->error.text[0] != '\0' ? -1 : sieve_run_fail(r, n, "a string grows too long");
	}
	buf_clear(&text);
	return 0;
}

int
sieve_captures_keep(struct sieve_run *r, const struct sieve_node *n, const struct sieve_captures *c)
{
	r->captures.count = c->count;
	for (size_t i = 0; i < c->count; i++) {
		r->captures.part[i] = arena_dup(r->a, c->part[i]);
		if (r->captures.part[i].p == NULL)
			return sieve_run_fail(r, n, "the script needs too much memory");
	}
	return 0;
}

/* ---- set ---- */

/* ASCII letters alone: what RFC 5229 section 4.1 asks for, and what other servers do. */
static void
put_case(struct buf *out, struct span s, bool upper, size_t characters)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, i >= characters ? s.p[i] : upper ? ascii_upper(s.p[i]) : ascii_lower(s.p[i]));
}

static void
swap(struct buf *a, struct buf *b)
{
	struct buf tmp = *a;

	*a = *b;
	*b = tmp;
	buf_reset(b);
}

/* Octets of the first character of s. */
static size_t
char_octets(struct span s)
{
	size_t n = 1;

	while (n < s.n && n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/*
 * Quotes each octet that is one of specials.  What is longer than a variable may be is cut between two characters, never within
 * the form of one (RFC 5229 section 4.1.4).
 */
static void
put_quoted(struct buf *out, struct span s, const char *specials, size_t max)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		bool special = s.p[i] != '\0' && strchr(specials, s.p[i]) != NULL;

		n = char_octets(span_from(s, i));
		if (n + special > max - out->n)
			return;
		if (special)
			buf_addc(out, '\\');
		buf_add(out, span_sub(s, i, n));
	}
}

/* RFC 5435 section 6: all but "unreserved" of RFC 3986.  It is cut as above. */
static void
put_url(struct buf *out, struct span s, size_t max)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		bool plain = ascii_is_alpha(s.p[i]) || ascii_is_digit(s.p[i]) || (s.p[i] != '\0' && strchr("-._~", s.p[i]) != NULL);

		n = char_octets(span_from(s, i));
		if (3 * n - (plain ? 2 : 0) > max - out->n)
			return;
		for (size_t k = i; k < i + n; k++)
			if (plain && k == i)
				buf_addc(out, s.p[k]);
			else
				buf_addf(out, "%%%02X", (unsigned char)s.p[k]);
	}
}

int
sieve_run_modify(struct sieve_run *r, const struct sieve_node *n, struct span value, struct span *out)
{
	struct buf text = BUF_INIT(4 * EXPANDED_MAX), next = BUF_INIT(4 * EXPANDED_MAX);
	int rc;

	buf_add(&text, value);
	/* In the order of their precedence (RFC 5229 section 4.1). */
	if (sieve_tag_get(n, TAG_LOWER) != NULL || sieve_tag_get(n, TAG_UPPER) != NULL) {
		put_case(&next, buf_span(&text), sieve_tag_get(n, TAG_UPPER) != NULL, SIZE_MAX);
		swap(&text, &next);
	}
	if (sieve_tag_get(n, TAG_LOWERFIRST) != NULL || sieve_tag_get(n, TAG_UPPERFIRST) != NULL) {
		put_case(&next, buf_span(&text), sieve_tag_get(n, TAG_UPPERFIRST) != NULL, 1);
		swap(&text, &next);
	}
	if (sieve_tag_get(n, TAG_QUOTEWILDCARD) != NULL || sieve_tag_get(n, TAG_QUOTEREGEX) != NULL) {
		put_quoted(&next, buf_span(&text), sieve_tag_get(n, TAG_QUOTEREGEX) != NULL ? "\\^$.[]|()?*+{}" : "*?\\",
		    r->limits.variable_octets);
		swap(&text, &next);
	}
	if (sieve_tag_get(n, TAG_ENCODEURL) != NULL) {
		put_url(&next, buf_span(&text), r->limits.variable_octets);
		swap(&text, &next);
	}
	if (sieve_tag_get(n, TAG_LENGTH) != NULL) {
		size_t characters = 0;

		for (size_t i = 0; i < text.n; i++)
			characters += ((unsigned char)text.p[i] & 0xc0) != 0x80;
		buf_addf(&next, "%zu", characters);
		swap(&text, &next);
	}
	rc = text.failed || next.failed ? sieve_run_fail(r, n, "the script needs too much memory") :
	    sieve_run_dup(r, n, buf_span(&text), out);
	buf_clear(&text);
	buf_clear(&next);
	return rc;
}

static int
run_set(struct sieve_run *r, const struct sieve_node *n)
{
	struct span value;

	if (sieve_run_string(r, n, n->pos[1]->strings[0], &value) == -1 || sieve_run_modify(r, n, value, &value) == -1)
		return -1;
	return sieve_variable_set(r, n, n->pos[0]->strings[0], value);
}

/* A variable of this script that is set: there may be so many, and that it is one too many is told once. */
static int
count_variable(struct sieve_checker *c, const struct sieve_node *n, struct span name)
{
	size_t max = c->options->variables > 0 ? c->options->variables : SIEVE_LIMITS_DEFAULT.variables;
	struct sieve_names *known = c->variables;

	if (c->variable_count > max)
		return 0;
	while (known != NULL && !span_ieq(known->name, name))
		known = known->next;
	if (known != NULL)
		return 0;
	known = arena_alloc(c->a, 1, sizeof(*known));
	if (known == NULL)
		return sieve_fail(c, n, "the script is too large");
	known->name = name;
	known->next = c->variables;
	c->variables = known;
	return ++c->variable_count <= max ? 0 : sieve_fail(c, n, "there are more than %zu variables", max);
}

int
sieve_check_variable(struct sieve_checker *c, const struct sieve_node *n, struct span name)
{
	if (!is_name(&c->required, name))
		return sieve_fail(c, n, "\"%.*s\" is no name of a variable", SPAN_ARG(span_sub(name, 0, 60)));
	return sieve_is_variable(name) ? count_variable(c, n, name) : 0;
}

/* *namespace identifier: "a.b".  False: what is in ${} is nothing of that form, and a text. */
static bool
has_namespace(struct span inside)
{
	size_t dots = 0;

	for (;; dots++) {
		size_t dot = span_chr(inside, '.');

		if (!is_identifier(span_sub(inside, 0, dot)))
			return false;
		if (dot == inside.n)
			return dots > 0;
		inside = span_from(inside, dot + 1);
	}
}

static bool
is_namespace(const struct sieve_checker *c, struct span inside)
{
	const struct filter_host *host = c->options->host;

	return (extset_has(&c->required, EXT_VND_ENVIRONMENT) && span_istarts(inside, SPAN("env."))) ||
	    (host != NULL && host->tester != NULL && span_istarts(inside, SPAN("tst."))) || is_name(&c->required, inside);
}

static bool
is_number(struct span s)
{
	size_t digits = 0;

	while (digits < s.n && ascii_is_digit(s.p[digits]))
		digits++;
	return s.n > 0 && digits == s.n;
}

int
sieve_check_references(struct sieve_checker *c, const struct sieve_node *n, struct span s)
{
	uint64_t number;
	size_t at;

	for (; (at = span_find(s, SPAN("${"))) != SIZE_MAX; s = span_from(s, at + 2)) {
		struct span reference = span_from(s, at), inside;
		size_t end = closing(reference);

		if (end == reference.n)
			continue;
		inside = span_sub(reference, 2, end - 2);
		/* RFC 5229 section 6 */
		if (is_number(inside) && !(span_u64(inside, SIEVE_CAPTURES - 1, &number)))
			return sieve_fail(c, n, "${%.*s}: the last match variable is ${%d}", SPAN_ARG(span_sub(inside, 0, 20)), SIEVE_CAPTURES - 1);
		if (has_namespace(inside) && !is_namespace(c, inside))
			return sieve_fail(c, n, "the namespace of ${%.*s} is not known", SPAN_ARG(span_sub(inside, 0, 60)));
	}
	return 0;
}

static int
check_set(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_check_variable(c, n, n->pos[0]->strings[0]);
}

/*
 * The test scripts that the field has were written for a "string" that compares octets: where no comparator is named it does in a
 * test script itself, not in the scripts that it tests, nor anywhere else (RFC 5228 section 2.7.3).
 */
static int
check_string(struct sieve_checker *c, struct sieve_node *n)
{
	if (sieve_check_match(c, n) == -1)
		return -1;
	if (c->options->tests && extset_has(&c->required, EXT_TESTSUITE) && sieve_tag_get(n, TAG_COMPARATOR) == NULL)
		((struct sieve_match *)n->extra)->comparator = SIEVE_OCTET;
	return 0;
}

static int
test_string(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_matching x;
	int rc = 0;

	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1)
		return -1;
	for (size_t i = 0; i < n->pos[0]->count && rc == 0; i++) {
		struct span value;

		if (sieve_run_string(r, n, n->pos[0]->strings[i], &value) == -1)
			return -1;
		/* :count is of those that are not empty (RFC 5229 section 5). */
		if (x.m->type != SIEVE_COUNT || value.n > 0)
			rc = sieve_matching_value(&x, value);
	}
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static const struct sieve_tag_use set_tags[] = { SIEVE_MODIFIER_TAGS, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use string_tags[] = { SIEVE_MATCH_TAGS, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_variables[] = {
	{ .name = "set", .ext = EXT_VARIABLES, .args = "SS", .tags = set_tags, .check = check_set, .run = run_set },
	{ .name = "string", .is_test = true, .ext = EXT_VARIABLES, .args = "LL", .tags = string_tags, .check = check_string,
	    .run = test_string },
	{ .name = NULL },
};
