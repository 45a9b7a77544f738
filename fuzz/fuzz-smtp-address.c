/* SPDX-License-Identifier: MIT */
/*
 * A path that is accepted, written as it was read, must be read as the same again, and is one to Sieve's tests.  What passes as xtext
 * is decoded to something that an encoder would write as the same text.
 */
#include <stdlib.h>
#include "lib-deliver/smtp-path.h"
#include "lib-filter/sieve/path.h"

static void
check_value(struct span value, struct arena *a)
{
	struct span type, address, decoded;

	if (!smtp_orcpt_split(value, true, &type, &address) || span_ieq(type, SPAN("utf-8")))
		return;
	decoded = smtp_xtext_decode(address, a);
	/* A space stays encoded: it goes into fields. */
	if (span_find(address, SPAN("+20")) != SIZE_MAX)
		return;
	for (size_t i = 0; i < decoded.n; i++)
		if (decoded.p[i] <= ' ' || decoded.p[i] > '~')
			abort();
	if (!span_eq(smtp_xtext_decode(smtp_xtext_encode(decoded, a), a), decoded))
		abort();
}

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
			else
				check_value(param.value, a);
	}
	arena_free(a);
	return 0;
}
