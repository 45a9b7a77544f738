/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_LANE_H
#define CULVER_LIB_LANE_H
/*
 * Sixteen octets at once: SSE2 or NEON, without a word of either.  A comparison gives 0xff in each octet where it holds, and wants
 * a cast back, (lane)(v == lane_of('\n')).
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char lane __attribute__((vector_size(16)));

static inline lane
lane_load(const char *p)
{
	lane v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline lane
lane_of(char c)
{
	return (lane){ 0 } + (unsigned char)c;
}

/* Whether any octet is other than 0. */
static inline bool
lane_any(lane v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof(half));
	return (half[0] | half[1]) != 0;
}
#endif
