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

struct param_budget {	/* what may still be taken; counted down */
	size_t count;	/* parameters */
	size_t octets;	/* of values that must be written anew, because they have backslashes or line ends in them */
};

struct content_type {
	struct span type, subtype;	/* as written; both empty when the value is no type/subtype */
	struct params params;
};

/*
 * Both parse a field's value; spans point into it or into the arena.  What is over the budget
 * is left out (params.truncated).  Return -1 only when the arena is exhausted; malformed input gives what could be
 * understood.
 */
int content_type_parse(struct arena *a, struct span value, struct param_budget *left, struct content_type *out);
int content_disposition_parse(struct arena *a, struct span value, struct param_budget *left,
	struct span *disposition_out, struct params *params_out);

/*
 * Gives the parameters as BODYSTRUCTURE has them to `write`, one by one, continuations joined (RFC 2231 section 6): a
 * group with charset or percent encoding in it is one "name*".  Parameters whose numbers do not run from 0 on are
 * passed as they are, and so are all of a list of more than PARAM_JOIN_MAX, which keeps this linear.
 */
enum { PARAM_JOIN_MAX = 128 };
typedef void (*param_write)(void *ctx, struct span name, struct span value);
void params_join(const struct params *ps, param_write write, void *ctx);

/* The parameter of exactly that name (any case), raw; SPAN_NONE when there is none. */
struct span param_raw(const struct params *ps, struct span name);

/*
 * A parameter as UTF-8: continuations joined in their order, charset and percent encoding decoded (RFC 2231), encoded
 * words decoded as many programs wrongly write them.  False when it is not there.
 */
bool param_get(struct charset_cache *cache, const struct params *ps, struct span name, struct buf *out);
#endif
