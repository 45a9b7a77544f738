/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_IMAP_SET_H
#define CULVER_LIB_STORAGE_IMAP_SET_H
/* Sets of sequence numbers or UIDs (RFC 3501 section 9, sequence-set): ranges, ascending, not touching each other. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct imap_range {
	uint32_t first, last;	/* both belong to it; first <= last */
};

struct imap_set {
	struct imap_range *r;
	size_t n;
};

/* By bisection. */
static inline bool
imap_set_has(const struct imap_set *set, uint32_t v)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (set->r[mid].last < v)
			low = mid + 1;
		else
			high = mid;
	}
	return low < set->n && set->r[low].first <= v;
}
#endif
