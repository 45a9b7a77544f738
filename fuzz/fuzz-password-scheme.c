/* SPDX-License-Identifier: MIT */
/*
 * The input's first line is a stored password, the rest the one that is tried.  Properties: a plain one matches exactly
 * itself; an error never shows what is stored.  Slow hashes are parsed only.
 */
#include <stdint.h>
#include <stdlib.h>
#include "lib-protocol/password-scheme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	size_t end = span_chr(in, '\n');
	struct span stored = span_sub(in, 0, end), password = span_from(in, end + 1);
	struct err e = ERR_INIT;
	struct pw_hash h;
	enum pw_verdict verdict;

	if (pw_parse(stored, SPAN("PLAIN"), &h, &e) == -1 || pw_is_slow(&h))
		return 0;
	verdict = pw_verify(&h, password, &e);
	if (span_istarts(stored, SPAN("{PLAIN}")) &&
	    (verdict == PW_MATCH) != (h.data.n > 0 && span_eq(h.data, password)))
		abort();
	/* The scheme's name is told, in its usual letters, and may be all that is stored. */
	if (verdict == PW_BROKEN && h.data.n > 8 && span_find(span_str(e.log), h.data) != SIZE_MAX &&
	    span_find(span_sub(stored, 0, stored.n - h.data.n), h.data) == SIZE_MAX &&
	    !span_istarts(span_from(stored, 1), h.data))
		abort();
	return 0;
}
