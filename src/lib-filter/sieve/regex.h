/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_REGEX_H
#define CULVER_LIB_FILTER_SIEVE_REGEX_H
/*
 * POSIX extended regular expressions (draft-ietf-sieve-regex) by PCRE2: an expression is translated, so that it means what
 * POSIX says, and matched within limits on steps and memory.  What is found is the leftmost match and of those the longest;
 * inside of it a group stands for what PCRE2 tries first.  GNU's \w \W \s \S \b \B \< \> \` \' and \1 to \9 work too.
 */
#include "lib/arena.h"
#include "lib-filter/sieve/match.h"

#define SIEVE_REGEX_MAX 4096		/* octets of an expression */

/*
 * The expression in the words of PCRE2, appended to out.  fold: ASCII letters stand for both cases.  utf8: a character may
 * be several octets.  NULL; or why it is none.
 */
const char *sieve_regex_translate(struct buf *out, struct span ere, bool fold, bool utf8, bool *backrefs_out);

/* All of it in the arena.  NULL: error (of room octets) says why. */
const struct sieve_regex *sieve_regex_compile(struct arena *a, struct span ere, enum sieve_comparator cmp, char *error,
    size_t room);

/*
 * 1 or 0.  -1: matching takes too much work, more than max_us of processor time, or memory.  captures: NULL, or [0] the match
 * and the groups; spans into value, SPAN("") for a group that took no part.  a: for a copy of a value that is not UTF-8.
 */
int sieve_regex_match(const struct sieve_regex *re, struct arena *a, struct span value, uint64_t max_us,
    struct sieve_captures *captures);
#endif
