/* SPDX-License-Identifier: MIT */
/* Limits hold; the label of a section, asked for again, gives the same section. */
#include <stdlib.h>
#include "lib-protocol/imap-fetch-items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fetch_limits lim = { 20, 10 };
	struct arena *a = arena_new(1 << 20);
	struct imap_in in = { span_of(data, size), a, NULL };
	struct fetch_items items, again;

	if (imap_fetch_items(&in, &lim, &items)) {
		if (items.count > lim.items)
			abort();
		for (size_t i = 0; i < items.count; i++) {
			const struct fetch_section *sec = &items.sections[i];
			struct imap_in label = { sec->label, a, NULL };

			if (sec->depth > lim.depth || sec->name_count > lim.items)
				abort();
			/* The answer's label has no length of the part: without one it is not a request. */
			if (sec->partial)
				continue;
			if (arena_used(a) < 1 << 19 && (!imap_fetch_items(&label, &lim, &again) || again.count != 1 ||
			    !span_eq(again.sections[0].label, sec->label) || again.sections[0].what != sec->what))
				abort();
		}
	} else if (in.why == NULL)
		abort();
	arena_free(a);
	return 0;
}
