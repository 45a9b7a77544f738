/* SPDX-License-Identifier: MIT */
/* culver-uids: what was read, written anew, reads the same; each name is found, and is in the text. */
#include <stdlib.h>
#include "lib-storage/maildir/uids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct uids *u)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct uids again;

	uids_put_head(&b, u->uidvalidity);
	for (size_t i = 0; i < u->names.n; i++) {
		const struct uids_name *n = array_at(&u->names, i);
		struct span name = span_sub(u->text, n->name, n->name_n);
		uint32_t uid = uids_by_name(u, name);

		if (n->uid > u->highest || name.n != n->name_n || uid == 0)
			abort();
		if (!uids_put_name(&b, n->uid, name))
			abort();
	}
	for (size_t i = 0; i < u->keywords.n; i++) {
		const struct uids_keywords *k = array_at(&u->keywords, i);

		if (uids_keywords(u, k->uid) != k->bits)
			abort();
		uids_put_keywords(&b, k->uid, k->bits);
	}
	if (!uids_parse(buf_span(&b), &again) || again.uidvalidity != u->uidvalidity || again.names.n != u->names.n ||
	    again.unsound != 0)
		abort();
	uids_clear(&again);
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uids u;

	if (!uids_parse(span_of(data, size), &u))
		return 0;
	if (uids_index(&u))
		check(&u);
	uids_clear(&u);
	return 0;
}
