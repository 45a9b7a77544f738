/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_BINARY_H
#define CULVER_LIB_FILTER_SIEVE_BINARY_H
/*
 * A compiled script as octets: its tree, and those of the scripts that it includes.  What is loaded is checked again, as
 * if it had just been parsed: so a binary can say nothing that a script could not.  Pure.
 *
 *	"CuSv" version:32 digest of the extensions and tags that there are: 32 octets
 *	size:64 mtime:64 written:64 digest:32 octets		(of the source)
 *	commands
 *	count:32 included scripts: flags:8 name digest:32 octets commands
 *	sha256 of all that
 *
 * A string is a length of 32 bits and its octets; numbers are big-endian.
 */
#include "lib/buf.h"
#include "lib-filter/sieve/script.h"

#define SIEVE_BINARY_MAX ((size_t)16 << 20)
#define SIEVE_DIGEST 32

struct sieve_stamp {			/* what the source was */
	uint64_t size;
	int64_t mtime_ns;
	int64_t written_ns;		/* when the binary was made */
	unsigned char digest[SIEVE_DIGEST];
};

void sieve_digest(unsigned char out[SIEVE_DIGEST], struct span text);

/* Appends the binary of a script that was compiled from its text.  -1: it is too large. */
int sieve_script_dump(const struct sieve_script *s, const struct sieve_stamp *stamp, struct buf *out);

/* Of what source a binary is; false: it is none, is torn, or is of another version or set of words. */
bool sieve_binary_stamp(struct span binary, struct sieve_stamp *out);

/*
 * NULL: it is no whole binary of this version, an included script is not what it was (asked of options->host), or the
 * script is not valid here any more.
 */
struct sieve_script *sieve_script_load(struct span binary, const struct sieve_compile_options *options,
    struct sieve_error *error);

/* Whether options->host has for all that a script includes the text that it was compiled with, which goes through a. */
bool sieve_included_is_same(const struct sieve_script *s, const struct sieve_compile_options *options, struct arena *a);
#endif
