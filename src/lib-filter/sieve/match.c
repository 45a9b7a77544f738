/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/match.h"

#include "lib-mail/charset.h"

#define FOLDED_MAX ((size_t)4 << 20)
#define FOLD_WORK 8		/* octets that could be compared while one is folded */

bool
sieve_comparator_find(struct span name, enum sieve_comparator *out)
{
	static const char *const names[] = { "i;octet", "i;ascii-casemap", "i;ascii-numeric", "i;unicode-casemap" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_eq(name, span_str(names[i]))) {
			*out = (enum sieve_comparator)i;
			return true;
		}
	}
	return false;
}

bool
sieve_relation_find(struct span name, enum sieve_relation *out)
{
	static const char *const names[] = { "gt", "ge", "lt", "le", "eq", "ne" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_ieq(name, span_str(names[i]))) {
			*out = (enum sieve_relation)i;
			return true;
		}
	}
	return false;
}

bool
sieve_relation_holds(enum sieve_relation rel, int compared)
{
	switch (rel) {
	case SIEVE_GT:
		return compared > 0;
	case SIEVE_GE:
		return compared >= 0;
	case SIEVE_LT:
		return compared < 0;
	case SIEVE_LE:
		return compared <= 0;
	case SIEVE_EQ:
		return compared == 0;
	case SIEVE_NE:
		return compared != 0;
	}
	return false;
}

/* The digits in front, without leading zeros; p is NULL when there is none. */
static struct span
digits_of(struct span s)
{
	size_t n = 0, zeros = 0;

	while (n < s.n && ascii_is_digit(s.p[n]))
		n++;
	if (n == 0)
		return SPAN_NONE;
	while (zeros + 1 < n && s.p[zeros] == '0')
		zeros++;
	return span_sub(s, zeros, n - zeros);
}

static int
compare_numbers(struct span a, struct span b)
{
	struct span x = digits_of(a), y = digits_of(b);

	if (x.p == NULL || y.p == NULL)
		return (x.p == NULL) - (y.p == NULL);
	if (x.n != y.n)
		return x.n < y.n ? -1 : 1;
	return span_cmp(x, y);
}

static int
sign(int v)
{
	return v < 0 ? -1 : v > 0;
}

/* As span_cmp, with ASCII letters in upper case, as RFC 4790 section 9.2 orders them. */
static int
compare_casemap(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)ascii_upper(a.p[i]), y = (unsigned char)ascii_upper(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

static int
compare_folded(struct span a, struct span b)
{
	struct buf x = BUF_INIT(FOLDED_MAX), y = BUF_INIT(FOLDED_MAX);
	int rc;

	charset_fold(&x, a);
	charset_fold(&y, b);
	rc = sign(span_cmp(buf_span(&x), buf_span(&y)));
	buf_clear(&x);
	buf_clear(&y);
	return rc;
}

int
sieve_compare(enum sieve_comparator cmp, struct span a, struct span b)
{
	switch (cmp) {
	case SIEVE_OCTET:
		return sign(span_cmp(a, b));
	case SIEVE_CASEMAP:
		return compare_casemap(a, b);
	case SIEVE_NUMERIC:
		return compare_numbers(a, b);
	case SIEVE_UNICODE:
		return compare_folded(a, b);
	}
	return 0;
}

static bool
octet_eq(char a, char b, bool fold)
{
	return a == b || (fold && ascii_upper(a) == ascii_upper(b));
}

/* False when there is not so much left: nothing is. */
static bool
spend(uint64_t *work, uint64_t octets)
{
	if (octets >= *work) {
		*work = 0;
		return false;
	}
	*work -= octets;
	return true;
}

static bool
contains(struct span value, struct span key, bool fold, uint64_t *work)
{
	if (key.n == 0)
		return true;
	if (!fold)		/* takes no more than the sum */
		return spend(work, value.n + key.n) && span_find(value, key) != SIZE_MAX;
	for (size_t i = 0; i + key.n <= value.n; i++) {
		size_t k = 0;

		while (k < key.n && octet_eq(value.p[i + k], key.p[k], true))
			k++;
		if (k == key.n)
			return true;
		if (!spend(work, k + 1))
			return false;
	}
	return false;
}

/* Octets of the character at s: '?' stands for a character, but for octets with i;octet. */
static size_t
char_size(struct span s, bool octets)
{
	size_t n = 1;

	while (!octets && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80 && n < 4)
		n++;
	return n;
}

/*
 * '*' is any octets, as few as will do; '?' one character; '\' makes the octet behind it mean itself.  When what follows a
 * '*' does not fit, that star takes one octet more; the stars before it need not be tried again.
 */
struct glob {
	struct span value, key;
	bool fold, octets;
	struct sieve_captures *captures;
	size_t v, k;			/* where we are */
	size_t count;			/* captures so far */
	size_t star_v, star_k, star_count;	/* behind the last star; star_k 0: there was none */
	uint64_t *work;
};

static void
capture(struct glob *g, size_t from, size_t to)
{
	g->count++;
	if (g->captures != NULL && g->count < SIEVE_CAPTURES)
		g->captures->part[g->count] = span_sub(g->value, from, to - from);
}

/* One octet, character or wildcard of the key against the value.  False: it does not fit. */
static bool
glob_step(struct glob *g)
{
	char c = g->key.p[g->k];

	if (c == '*') {
		g->k++;
		g->star_k = g->k;
		g->star_v = g->v;
		capture(g, g->v, g->v);
		g->star_count = g->count;
		return true;
	}
	if (g->v == g->value.n)
		return false;
	if (c == '?') {
		size_t n = char_size(span_from(g->value, g->v), g->octets);

		capture(g, g->v, g->v + n);
		g->v += n;
		g->k++;
		return true;
	}
	if (c == '\\' && g->k + 1 < g->key.n)
		c = g->key.p[g->k + 1];
	if (!octet_eq(g->value.p[g->v], c, g->fold))
		return false;
	g->k += g->key.p[g->k] == '\\' && g->k + 1 < g->key.n ? 2 : 1;
	g->v++;
	return true;
}

static bool
glob(struct glob *g)
{
	for (;;) {
		if (g->k == g->key.n && g->v == g->value.n)
			break;
		if (!spend(g->work, 1))
			return false;
		if (g->k < g->key.n && glob_step(g))
			continue;
		/* A star at the end takes all that is left. */
		if (g->star_k == 0 || g->star_v == g->value.n)
			return false;
		g->star_v = g->star_k == g->key.n ? g->value.n : g->star_v + 1;
		g->v = g->star_v;
		g->k = g->star_k;
		g->count = g->star_count;
		if (g->captures != NULL && g->count < SIEVE_CAPTURES) {
			struct span *star = &g->captures->part[g->count];

			*star = span_of(star->p, (size_t)(g->value.p + g->v - star->p));
		}
	}
	if (g->captures != NULL) {
		g->captures->part[0] = g->value;
		g->captures->count = (g->count < SIEVE_CAPTURES ? g->count : SIEVE_CAPTURES - 1) + 1;
	}
	return true;
}

static bool
match_octets(const struct sieve_match *m, struct span value, struct span key, struct sieve_captures *captures, uint64_t *work)
{
	bool fold = m->comparator == SIEVE_CASEMAP;
	struct glob g = { .value = value, .key = key, .fold = fold, .octets = m->comparator == SIEVE_OCTET, .captures = captures,
		.work = work };
	uint64_t least = value.n < key.n ? value.n : key.n;

	switch (m->type) {
	case SIEVE_CONTAINS:
		return contains(value, key, fold, work);
	case SIEVE_MATCHES:
		if (g.value.p == NULL)
			g.value = SPAN("");
		return glob(&g);
	case SIEVE_IS:
		return spend(work, least) && sieve_compare(m->comparator, value, key) == 0;
	case SIEVE_VALUE:
	case SIEVE_COUNT:
		break;
	case SIEVE_REGEX:	/* these are not matched here: script.c */
	case SIEVE_LIST:
		return false;
	}
	return spend(work, least) && sieve_relation_holds(m->relation, sieve_compare(m->comparator, value, key));
}

bool
sieve_match_one(const struct sieve_match *m, struct span value, struct span key, struct sieve_captures *captures, uint64_t *work)
{
	struct buf v = BUF_INIT(FOLDED_MAX), k = BUF_INIT(FOLDED_MAX);
	struct sieve_match octets = *m;
	bool found;

	if (m->comparator == SIEVE_UNICODE && !spend(work, FOLD_WORK * ((uint64_t)value.n + key.n)))
		return false;
	if (m->comparator != SIEVE_UNICODE || (m->type != SIEVE_CONTAINS && m->type != SIEVE_MATCHES))
		return match_octets(m, value, key, captures, work);
	octets.comparator = SIEVE_CASEMAP;	/* the fold is of octets that are alike; '?' is still a character */
	charset_fold(&v, value);
	charset_fold(&k, key);
	/* Folded characters may be several: '?' is one of the value as it is, too. */
	found = match_octets(&octets, buf_span(&v), buf_span(&k), NULL, work) || match_octets(&octets, value, key, NULL, work);
	/* What wildcards stand for is taken from the value as it is, where that is possible. */
	if (found && captures != NULL && m->type == SIEVE_MATCHES && !match_octets(&octets, value, key, captures, work)) {
		captures->part[0] = value;
		captures->count = 1;
	}
	buf_clear(&v);
	buf_clear(&k);
	return found;
}
