/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_SQUEEZE_H
#define CULVER_LIB_SQUEEZE_H
/*
 * Short texts made shorter by what they repeat, of themselves and of a text that both sides know beforehand.  Taking one
 * apart is a few copies: it costs little more than reading it.  The same text always gives the same octets.
 *
 * The octets are sequences, each of:
 *	a token		1: number of literals << 4 | number of octets that are repeated less SQUEEZE_LEAST; 15 stands for 15 and
 *			more, then comes the rest, seven bits an octet, the lowest first, the last octet without its highest bit
 *	the rest of the number of literals, and the literals
 *	the distance	2, big-endian: how far back what is repeated begins
 *	the rest of the other number
 * The last one ends behind its literals.
 */
#include "lib/buf.h"

#define SQUEEZE_LEAST 4
#define SQUEEZE_SLACK 32	/* octets of room behind what is taken apart, which may be written to */

struct squeezer {
	size_t known;			/* octets of the text that is known */
	uint16_t last[4096];		/* by a hash of four octets: where they stood last, + 1 */
};
/* known: SQUEEZE_KNOWN_MAX octets at most. */
#define SQUEEZE_KNOWN_MAX 8192
void squeezer_init(struct squeezer *s, struct span known);

/* all: what the squeezer knows, what the other side has besides, up to `start', and the text behind that.  Appended to out. */
void squeeze(struct buf *out, const struct squeezer *s, struct span all, size_t start);
/*
 * room: known octets of what is known; the text of n octets is written behind it, with SQUEEZE_SLACK octets of room more.
 * False: in is no such text of that size; room then holds anything behind what is known.
 */
bool unsqueeze(char *room, size_t known, size_t n, struct span in);
#endif
