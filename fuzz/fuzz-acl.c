/* SPDX-License-Identifier: MIT */
/* Files of access control lists: what is read is written as it would be read again, and gives the same rights. */
#include <stdlib.h>
#include "lib-storage/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned
rights_of(const struct acl_list *list, bool owner)
{
	const struct span groups[] = { SPAN("g"), SPAN("staff") };
	const struct acl_who who = { .user = SPAN("bob"), .groups = groups, .group_count = 2, .owner = owner };
	struct acl_sum sum = { 0, 0 };

	acl_add(&sum, list, &who, true, SPAN("Work/2026"), '/');
	return acl_sum_rights(sum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)4 << 20);
	struct buf text = BUF_INIT((size_t)4 << 20);
	struct acl_list list, again;
	struct err e = ERR_INIT;

	if (a == NULL || size > ACL_FILE_MAX) {
		arena_free(a);
		return 0;
	}
	if (acl_parse(span_of(data, size), true, a, &list, &e) == 0)
		(void)rights_of(&list, false);
	if (acl_parse(span_of(data, size), false, a, &list, &e) == 0) {
		if (list.n > ACL_ENTRIES_MAX)
			abort();
		acl_write(&text, &list);
		if (acl_parse(text.n == 0 ? SPAN("") : buf_span(&text), false, a, &again, &e) == -1 || again.n != list.n)
			abort();
		if (rights_of(&list, false) != rights_of(&again, false) || rights_of(&list, true) != rights_of(&again, true))
			abort();
	}
	buf_clear(&text);
	arena_free(a);
	return 0;
}
