/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PACK_H
#define CULVER_LIB_PACK_H
/*
 * Compressed octets: gzip (RFC 1952) and zstd (RFC 8878).  What is read comes from a file that others may have written:
 * the caller bounds what comes out, and damage is ERR_CORRUPT.
 */
#include <stdbool.h>
#include "lib/buf.h"
#include "lib/err.h"

/* PACK_FOREIGN: compressed in a way that is not read here (bzip2, xz, LZ4). */
enum pack_kind { PACK_NONE, PACK_GZIP, PACK_ZSTD, PACK_FOREIGN };
#define PACK_MAGIC 10		/* octets that pack_detect() looks at, at most */

/* By the first octets. */
enum pack_kind pack_detect(struct span first);
const char *pack_name(enum pack_kind kind);

/* Decompression in steps; the result is the same however the input is cut. */
struct unpacker;
int unpacker_new(enum pack_kind kind, struct unpacker **out, struct err *e);
void unpacker_free(struct unpacker *u);
/*
 * Takes octets off the front of *in and appends to out, until out has `most' octets (1), or there is no more input (0).
 * Several streams one behind the other are one.
 */
int unpacker_step(struct unpacker *u, struct span *in, struct buf *out, size_t most, struct err *e);
/* Whether the last stream was whole: what must be true at the end of the input. */
bool unpacker_is_whole(const struct unpacker *u);

/* Compression; used again for any number of inputs.  level 0: the usual one; others are brought within the bounds. */
struct packer;
int packer_new(enum pack_kind kind, int level, struct packer **out, struct err *e);
void packer_free(struct packer *p);
/* put is handed the result in pieces; -1 from it ends this. */
int packer_run(struct packer *p, struct span in, int (*put)(void *arg, struct span bytes, struct err *e), void *arg,
    struct err *e);
#endif
