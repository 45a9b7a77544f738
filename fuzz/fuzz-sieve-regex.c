/* SPDX-License-Identifier: MIT */
/* Any regular expression on any value (a line end between them; the first octet chooses how they compare). */
#include <stdlib.h>
#include "lib-filter/sieve/regex.h"
#include "lib/buf.h"

#define MAX_US 60000000	/* more than anything takes here: the clock decides nothing */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sieve_comparator comparators[] = { SIEVE_OCTET, SIEVE_CASEMAP, SIEVE_UNICODE };
	struct span in = span_of(data, size), re, value;
	enum sieve_comparator cmp = comparators[size > 0 ? data[0] % 3 : 0];
	struct arena *a = arena_new((size_t)4 << 20);
	struct sieve_captures c = { .count = 0 }, none = { .count = 0 };
	const struct sieve_regex *compiled;
	char why[120] = "";

	in = span_from(in, 1);
	re = span_sub(in, 0, span_chr(in, '\n'));
	value = span_from(in, re.n + 1);
	compiled = sieve_regex_compile(a, re, cmp, why, sizeof(why));
	if (compiled == NULL) {
		if (why[0] == '\0')
			abort();
	} else {
		int rc = sieve_regex_match(compiled, a, value, MAX_US, &c),
		    again = sieve_regex_match(compiled, a, value, MAX_US, NULL);

		if (rc != again || (rc != 1 && c.count != none.count) || c.count > SIEVE_CAPTURES)
			abort();
		for (size_t i = 0; i < c.count; i++)
			if (c.part[i].n > 3 * value.n)
				abort();
	}
	arena_free(a);
	return 0;
}
