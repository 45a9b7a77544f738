/* SPDX-License-Identifier: MIT */
/* Whatever is parsed is within its limits. */
#include <stdlib.h>
#include "lib-protocol/imap-search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count(const struct search_key *k, size_t depth)
{
	size_t n = 1;

	if (depth > 20 || (k->type == SEARCH_OR && (k->child == NULL || k->child->next == NULL)))
		abort();
	for (const struct search_key *c = k->child; c != NULL; c = c->next)
		n += count(c, depth + 1);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct search_limits lim = { .keys = 50, .depth = 8, .ranges = 20, .last_seq = 100, .last_uid = 1000 };
	struct arena *a = arena_new(1 << 20);
	struct imap_in in = { span_of(data, size), a, NULL };
	struct search_query q;

	if (!imap_search_parse(&in, &lim, &q)) {
		if (in.why == NULL)
			abort();
	} else if (count(q.root, 0) > lim.keys)
		abort();
	arena_free(a);
	return 0;
}
