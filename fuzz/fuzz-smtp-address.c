/* SPDX-License-Identifier: MIT */
/* A path that is accepted, written as it was read, must be read as the same again, and is one to Sieve's tests. */
#include <stdlib.h>
#include "lib-deliver/smtp-path.h"
#include "lib-filter/sieve/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), rest;
	struct arena *a = arena_new(1 << 16);
	struct smtp_path p, again;
	struct smtp_param param;
	const char *why;
	size_t used;

	if (smtp_path_parse(in, SMTP_PATH_NULL | SMTP_PATH_BARE, a, &p, &used, &why) == 0) {
		if (used > size || p.text.n > SMTP_PATH_MAX || memchr(p.text.p, '\0', p.text.n) != NULL)
			abort();
		if (p.text.n > 0 && (smtp_address_parse(p.text, a, &again, &why) == -1 ||
		    !span_eq(again.local, p.local) || !span_eq(again.domain, p.domain)))
			abort();
		if (p.text.n > 0 && !sieve_path_is_valid(p.text))
			abort();
		if (!span_starts(in, SPAN("<@")) && !span_eq(sieve_path_bare(span_sub(in, 0, used)), p.text))
			abort();
		rest = span_from(in, used);
		while (smtp_param_next(&rest, &param) == 1)
			if (param.name.n == 0)
				abort();
	}
	arena_free(a);
	return 0;
}
