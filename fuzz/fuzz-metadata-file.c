/* SPDX-License-Identifier: MIT */
/* The file of annotations: what was read is written as it was; names have what they may have. */
#include <stdlib.h>
#include "lib-storage/metadata-file.h"
#include "lib-storage/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size), name;
	struct arena *a = arena_new((size_t)4 << 20);
	struct buf out = BUF_INIT((size_t)4 << 20);
	struct metadata_items items;
	struct err e = ERR_INIT;
	const char *why;

	if (a == NULL)
		return 0;
	if (metadata_file_parse(text, a, &items, &e) == 0 && size > 0) {
		struct metadata_items again;

		metadata_file_write(&out, &items);
		if (out.failed || metadata_file_parse(buf_span(&out), a, &again, &e) == -1 || again.n != items.n)
			abort();
		for (size_t i = 0; i < items.n; i++)
			if (!span_eq(items.v[i].value, again.v[i].value) || !span_eq(items.v[i].name, again.v[i].name))
				abort();
	}
	name = metadata_name(text, a, &why);
	if (name.p != NULL && (name.n != size || metadata_name(name, a, &why).p == NULL))
		abort();
	buf_clear(&out);
	arena_free(a);
	return 0;
}
