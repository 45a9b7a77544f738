/* SPDX-License-Identifier: MIT */
/* Any file dictionary: its first line is the name that is looked for, and what is found is one whole line of the rest. */
#include <stdlib.h>
#include "lib-filter/sieve/dict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span dict = span_of(data, size), name, out;
	struct arena *a;

	if (!span_next(&dict, '\n', &name) || !sieve_dict_get(dict, name, &out))
		return 0;
	if (out.p < dict.p || out.n > dict.n || (size_t)(out.p - dict.p) > dict.n - out.n || span_chr(out, '\n') < out.n)
		abort();
	if (out.p == dict.p || out.p[-1] != '\n' || (out.p + out.n < dict.p + dict.n && out.p[out.n] != '\n'))
		abort();
	a = arena_new((size_t)1 << 20);
	if (a != NULL && sieve_dict_text(a, out).n > out.n)
		abort();
	arena_free(a);
	return 0;
}
