/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_PARAM_H
#define CULVER_LIB_MAIL_PARAM_H
/* Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183) and their parameters (RFC 2231). */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib-mail/charset.h"

struct param {
	struct span name;	/* as written: with RFC 2231's "*0*" if it is there */
	struct span value;	/* unquoted, unfolded, not decoded */
};

struct params {
	struct param *v;
	size_t n;
	bool truncated;
};

struct content_type {
	struct span type, subtype;	/* as written; both empty when the value is no type/subtype */
	struct params params;
};

/*
 * Both parse a field's value; spans point into it or into the arena.  *left is the number of parameters that may still
 * be taken, and is counted down.  Return -1 only when the arena is exhausted; malformed input gives what could be
 * understood.
 */
int content_type_parse(struct arena *a, struct span value, size_t *left, struct content_type *out);
int content_disposition_parse(struct arena *a, struct span value, size_t *left, struct span *disposition_out,
	struct params *params_out);

/* The parameter of exactly that name (any case), raw; SPAN_NONE when there is none. */
struct span param_raw(const struct params *ps, struct span name);

/*
 * A parameter as UTF-8: continuations joined in their order, charset and percent encoding decoded (RFC 2231), encoded
 * words decoded as many programs wrongly write them.  False when it is not there.
 */
bool param_get(struct charset_cache *cache, const struct params *ps, struct span name, struct buf *out);
#endif
