/* SPDX-License-Identifier: MIT */
/* Annotations in Dovecot's dictionary: whatever is taken over could have been set, and can be written to a file of ours. */
#include <stdlib.h>
#include <string.h>
#include "lib-storage/metadata-dict.h"
#include "lib-storage/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)4 << 20);
	struct metadata_items items;
	struct err e = ERR_INIT;

	for (int server = 0; a != NULL && server < 2; server++) {
		arena_reset(a);
		if (metadata_dict_parse(span_of(data, size), SPAN("0f"), server == 1, a, &items, &e) == -1)
			continue;
		for (size_t i = 0; i < items.n; i++) {
			const struct metadata_item *m = &items.v[i];

			if (m->user.n != 0 || m->name.n < 2 || m->name.n > METADATA_NAME_MAX - 7 || m->name.p[0] != '/' ||
			    memchr(m->value.p, '\0', m->value.n) != NULL)
				abort();
		}
	}
	arena_free(a);
	return 0;
}
