/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_SUMMARY_PRIV_H
#define CULVER_LIB_MAIL_SUMMARY_PRIV_H
/* Shared by summary.c and summary-pack.c alone. */
#include "lib-mail/summary.h"

enum { SUMMARY_HEAD = 80, SUMMARY_PIECES = 5, SUMMARY_TZ_BIAS = 1440 };

/* Do the holes lie in order inside the structure, and the entries add up to the fields?  Else they are not followed. */
bool summary_is_sound(const struct summary_view *v);

/*
 * Finds damage, not malice: who can write the index can write anything.  Four lanes of multiplications, since
 * one would wait for each product.  Words are taken as the machine has them, so that an index which came
 * from a machine of other byte order counts as damaged.
 */
static inline uint64_t
summary_mix(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * 0x9e3779b97f4a7c15u;
	return lane ^ lane >> 32;
}

static inline uint64_t
summary_word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline uint32_t
summary_checksum(const char *p, size_t n)
{
	uint64_t a = n, b = ~(uint64_t)n, c = n + 1, d = n ^ 0x5bd1e995, word = 0;

	for (; n >= 32; p += 32, n -= 32) {
		a = summary_mix(a, summary_word_at(p));
		b = summary_mix(b, summary_word_at(p + 8));
		c = summary_mix(c, summary_word_at(p + 16));
		d = summary_mix(d, summary_word_at(p + 24));
	}
	for (; n >= 8; p += 8, n -= 8)
		a = summary_mix(a, summary_word_at(p));
	if (n > 0)
		memcpy(&word, p, n);
	a = summary_mix(summary_mix(summary_mix(summary_mix(a, word), b), c), d);
	return (uint32_t)a;
}
#endif
