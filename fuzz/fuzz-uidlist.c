/* SPDX-License-Identifier: MIT */
/* A list that was read is written so that it reads the same; and the other files of other servers are read or passed over. */
#include <stdlib.h>
#include "lib-storage/maildir/uidlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_list(const struct uidlist *l)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct uidlist again;
	uint32_t last = 0;

	uidlist_put_head(&b, l->uidvalidity, l->next, l->guid, l->fence);
	for (size_t i = 0; i < l->entries.n; i++) {
		const struct uidlist_entry *entry = array_at(&l->entries, i);
		struct span v, name = uidlist_name(l, entry);

		if (entry->uid <= last || (name.n > 0 && entry->uid >= l->next) || uidlist_by_uid(l, entry->uid) != entry)
			abort();
		last = entry->uid;
		if (name.n > 0 && uidlist_by_name(l, name) == NULL)
			abort();
		uidlist_put_uid(&b, entry->uid);
		if (uidlist_field(l, entry, UIDLIST_UIDL, &v) && !uidlist_put_field(&b, UIDLIST_UIDL, v))
			abort();
		uidlist_put_name(&b, name);
	}
	if (!uidlist_parse(buf_span(&b), &again) || again.uidvalidity != l->uidvalidity || again.next != l->next ||
	    again.entries.n != l->entries.n || again.unsound != 0 || again.cut)
		abort();
	for (size_t i = 0; i < l->entries.n; i++) {
		const struct uidlist_entry *x = array_at(&l->entries, i), *y = array_at(&again.entries, i);
		struct span v = SPAN_NONE, w = SPAN_NONE;

		if (x->uid != y->uid || !span_eq(uidlist_name(l, x), uidlist_name(&again, y)) ||
		    uidlist_field(l, x, UIDLIST_UIDL, &v) != uidlist_field(&again, y, UIDLIST_UIDL, &w) || !span_eq(v, w))
			abort();
	}
	uidlist_clear(&again);
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), names[KEYWORD_LETTERS], base;
	struct courier_keywords keywords;
	struct courier_pop3 pop3;
	struct uidlist l;
	size_t unsound;
	uint32_t mask;
	char uidl[512];

	if (uidlist_parse(in, &l)) {
		if (!uidlist_index(&l))
			abort();
		check_list(&l);
		uidlist_clear(&l);
	}
	dovecot_keywords_parse(in, names, &unsound);
	for (size_t i = 0; i < KEYWORD_LETTERS; i++)
		if (names[i].n > 0 && !keyword_is_legal(names[i]))
			abort();
	courier_pop3_begin(&pop3, in);
	while (courier_pop3_next(&pop3, &base, uidl))
		if (base.n == 0 || base.n > 255 || uidl[0] == '\0')
			abort();
	courier_keywords_begin(&keywords, in);
	while (courier_keywords_next(&keywords, &base, &mask))
		if (base.n == 0 || mask >> keywords.count != 0)
			abort();
	return 0;
}
