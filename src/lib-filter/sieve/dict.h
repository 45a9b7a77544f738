/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_DICT_H
#define CULVER_LIB_FILTER_SIEVE_DICT_H
/*
 * Scripts in a file dictionary (dict:file:PATH;name=NAME), as Dovecot has it: lines in pairs, a key and its value.
 *
 *	priv/sieve/name/<name>		an id
 *	priv/sieve/data/<id>		the text of the script, which is one line: with SOH and "n", "r", "t", "0", "1" for LF, CR, tab,
 *					NUL, SOH (as `doveadm dict set' writes them)
 */
#include "lib/arena.h"
#include "lib/err.h"

#define SIEVE_DICT_MAX ((size_t)16 << 20)	/* octets of a dictionary */
#define SIEVE_DICT_NAME "default"		/* of the script, where none is given */

/* Pure: *out is a part of dict, as it is written.  False: it has no script of that name.  Of two with one key the last counts. */
bool sieve_dict_get(struct span dict, struct span name, struct span *out);
/* What is written so stands for, in a.  p NULL: no memory. */
struct span sieve_dict_text(struct arena *a, struct span value);
/* From the file; in a.  ERR_NOTFOUND; ERR_TOOBIG: the script has more than max octets. */
int sieve_dict_read(const char *path, struct span name, size_t max, struct arena *a, struct span *out, struct err *e);
#endif
