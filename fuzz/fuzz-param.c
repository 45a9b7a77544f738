/* SPDX-License-Identifier: MIT */
/* Parameters keep to their budget, and joined ones are as many at most. */
#include <stdlib.h>

#include "lib-mail/param.h"
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_param(void *ctx, struct span name, struct span value)
{
	if (name.n == 0 || value.p == NULL)
		abort();
	(*(size_t *)ctx)++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(16 << 20);
	struct param_budget left = { 200, 5000 };
	struct buf text = BUF_INIT(100 * size + 1000);
	struct content_type ct;
	struct params ps;
	struct span disposition;
	size_t joined = 0;

	if (content_type_parse(a, span_of(data, size), &left, &ct) == -1)
		abort();
	params_join(&ct.params, on_param, &joined);
	if (joined > ct.params.n || ct.params.n > 200)
		abort();
	if (content_disposition_parse(a, span_of(data, size), &left, &disposition, &ps) == -1)
		abort();
	param_get(NULL, &ps, SPAN("filename"), &text);
	if (text.failed || !utf8_is_valid(buf_span(&text)))
		abort();
	buf_clear(&text);
	arena_free(a);
	return 0;
}
