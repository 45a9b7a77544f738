/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_PATH_H
#define CULVER_LIB_FILTER_SIEVE_PATH_H
/* Addresses of the envelope, as tests see them (RFC 5228 section 5.4).  Pure. */
#include "lib/buf.h"

/* "bob@example.org", "bob": dots may stand where they like, letters beyond ASCII are letters.  The empty path is none. */
bool sieve_path_is_valid(struct span path);
/* "<@a.example,@b.example:bob@example.org>" without brackets and source route; what is malformed stays as it is. */
struct span sieve_path_bare(struct span path);
#endif
