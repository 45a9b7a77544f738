/* SPDX-License-Identifier: MIT */
#include "lib-storage/list-match.h"

#define PATTERN_MAX 1024

/* The position in pattern as a set of bits: all that have matched the name so far. */
struct states {
	uint64_t bit[PATTERN_MAX / 64 + 1];
};

static inline bool
has(const struct states *s, size_t i)
{
	return s->bit[i / 64] >> (i % 64) & 1;
}

static inline void
put(struct states *s, size_t i)
{
	s->bit[i / 64] |= (uint64_t)1 << (i % 64);
}

/* A wildcard may stand for nothing. */
static void
skip_wildcards(struct states *s, struct span pattern)
{
	for (size_t i = 0; i < pattern.n; i++)
		if (has(s, i) && (pattern.p[i] == '*' || pattern.p[i] == '%'))
			put(s, i + 1);
}

static bool
step(const struct states *from, struct states *to, struct span pattern, char c, char separator, bool fold)
{
	bool any = false;

	memset(to, 0, sizeof(*to));
	for (size_t i = 0; i < pattern.n; i++) {
		char p = pattern.p[i];

		if (!has(from, i))
			continue;
		if (p == '*' || (p == '%' && c != separator))
			put(to, i);
		else if (p != '%' && (p == c || (fold && ascii_upper(p) == ascii_upper(c))))
			put(to, i + 1);
		else
			continue;
		any = true;
	}
	skip_wildcards(to, pattern);
	return any;
}

enum list_match
list_match(struct span pattern, struct span name, char separator)
{
	struct states a = { { 0 } }, b;
	size_t inbox = 0;

	if (pattern.n > PATTERN_MAX)
		return LIST_NO;
	if (name.n >= 5 && span_ieq(span_sub(name, 0, 5), SPAN("INBOX")) && (name.n == 5 || name.p[5] == separator))
		inbox = 5;
	put(&a, 0);
	skip_wildcards(&a, pattern);
	for (size_t i = 0; i < name.n; i++) {
		if (!step(&a, &b, pattern, name.p[i], separator, i < inbox))
			return LIST_NO;
		a = b;
	}
	if (has(&a, pattern.n))
		return LIST_YES;
	return step(&a, &b, pattern, separator, separator, false) ? LIST_PARENT : LIST_NO;
}
