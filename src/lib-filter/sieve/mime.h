/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_MIME_H
#define CULVER_LIB_FILTER_SIEVE_MIME_H
/* "mime" (RFC 5703 section 4) in the tests of test.c: which headers they look at, and what of a field. */
#include "lib-filter/sieve/run.h"

struct sieve_checker;

#define FOREVERYPART_DEPTH_MAX 4
#define SIEVE_MIME_TAGS { TAG_MIME, EXT_MIME }, { TAG_ANYCHILD, EXT_MIME }
#define SIEVE_MIME_FIELD_TAGS                                                                                          \
	{ TAG_TYPE, EXT_MIME }, { TAG_SUBTYPE, EXT_MIME }, { TAG_CONTENTTYPE, EXT_MIME }, { TAG_PARAM, EXT_MIME }

int sieve_check_mime(struct sieve_checker *c, const struct sieve_node *n);
/* fn for the header of the part at work, and with :anychild for those of all parts in it, until it returns other than 0. */
typedef int sieve_header_fn(struct sieve_matching *x, struct span header);
int sieve_mime_each_header(struct sieve_matching *x, sieve_header_fn *fn);
/* Whether it is only a piece of the field that counts, and that piece. */
bool sieve_mime_is_partial(const struct sieve_node *n);
int sieve_mime_value(struct sieve_matching *x, struct span field, struct span value);
#endif
