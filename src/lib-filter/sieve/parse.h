/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_PARSE_H
#define CULVER_LIB_FILTER_SIEVE_PARSE_H
/*
 * The grammar of Sieve (RFC 5228 section 8.2), whatever its words are.  Pure.  *out is the first command, NULL for an empty
 * script; all in the arena, whose maximum is the limit of the whole; strings may point into the script.  -1: there are mistakes,
 * and *out is what could be made of it: a command in which there is one is there up to it, and is `broken'.
 */
#include "lib-filter/sieve/ast.h"

int sieve_parse(struct span script, struct arena *a, struct sieve_node **out, struct sieve_mistakes *mistakes);
#endif
