/* SPDX-License-Identifier: MIT */
/* The dictionary of shared mailboxes: a key that is understood is written as it was. */
#include <stdlib.h>
#include "lib-storage/shared-dict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
on_pair(void *ctx, struct span text, struct span value)
{
	struct buf out = BUF_INIT(4096);
	struct shared_key key;

	(void)ctx;
	(void)value;
	if (shared_key_parse(text, &key)) {
		shared_key_write(&out, &key);
		if (!span_eq(buf_span(&out), text))
			abort();
	}
	buf_clear(&out);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	shared_dict_each(span_of(data, size), on_pair, NULL);
	return 0;
}
