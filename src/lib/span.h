/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_SPAN_H
#define CULVER_LIB_SPAN_H
/*
 * Borrowed bytes with their length: not freed by who holds them, not NUL-terminated, any octet inside.
 * Passed by value.  Nothing here depends on the locale.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(lit) ((struct span){ "" lit, sizeof(lit) - 1 })
#define SPAN_NONE ((struct span){ NULL, 0 })
/* For printf's "%.*s".  A length above INT_MAX is cut, not negative. */
#define SPAN_ARG(s) ((s).n > 0x7fffffff ? 0x7fffffff : (int)(s).n), ((s).n == 0 ? "" : (s).p)

static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* s may be NULL: then the span is empty. */
static inline struct span
span_str(const char *s)
{
	return (struct span){ s, s == NULL ? 0 : strlen(s) };
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Space and tab: white space inside a line (RFC 5234 WSP). */
static inline bool
ascii_is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_ieq(struct span a, struct span b);	      /* equal but for the case of ASCII letters */
int span_cmp(struct span a, struct span b);	      /* as memcmp, the shorter first */
int span_icmp(struct span a, struct span b);	      /* the same with ASCII letters folded */
bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);

/* The index of the first c, or s.n when there is none. */
static inline size_t
span_chr(struct span s, char c)
{
	const char *q = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return q == NULL ? s.n : (size_t)(q - s.p);
}

/* The part from `from` on, `n` bytes at most; both are cut to what is there. */
static inline struct span
span_sub(struct span s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	return span_of(from == 0 ? s.p : s.p + from, n < s.n - from ? n : s.n - from);	/* p may be NULL */
}

static inline struct span
span_from(struct span s, size_t from)
{
	return span_sub(s, from, SIZE_MAX);
}

/* The first needle in s: its index, or SIZE_MAX.  An empty needle is at 0. */
size_t span_find(struct span s, struct span needle);
size_t span_ifind(struct span s, struct span needle);	/* needle must be in lower case already */

struct span span_trim(struct span s);	/* without space, tab, CR and LF at both ends */

/*
 * Cuts the next piece off *rest, up to sep, and steps over sep.  False when *rest is exhausted (an empty rest gives no
 * piece; "a," gives "a" only).
 */
bool span_next(struct span *rest, char sep, struct span *piece_out);

/* The next line of in from *used on, without its LF or CRLF; false when no LF is left.  Moves *used behind the LF. */
bool span_line(struct span in, size_t *used, struct span *line_out);

/* The whole of s as a decimal number without sign: false when it is empty, has another byte, or is above max. */
bool span_u64(struct span s, uint64_t max, uint64_t *out);
bool span_u32(struct span s, uint32_t *out);
#endif
