/* SPDX-License-Identifier: MIT */
/* Any "mailto:" of a script: what it names are addresses, and no field can hold a line end. */
#include <stdlib.h>
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/mailto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
no_line_end(struct span s)
{
	if (span_chr(s, '\n') < s.n || span_chr(s, '\r') < s.n || span_chr(s, '\0') < s.n)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)4 << 20);
	struct mailto m;

	if (mailto_parse(a, span_of(data, size), &m) == NULL) {
		for (size_t i = 0; i < m.recipient_count; i++)
			if (!sieve_is_address(m.recipients[i]))
				abort();
		no_line_end(m.to);
		no_line_end(m.cc);
		no_line_end(m.subject);
		for (size_t i = 0; i < m.field_count; i++) {
			no_line_end(m.fields[i].name);
			no_line_end(m.fields[i].value);
		}
	}
	arena_free(a);
	return 0;
}
