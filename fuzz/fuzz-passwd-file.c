/* SPDX-License-Identifier: MIT */
/* Properties: every user that the table lists is found by name, with its first line; extra fields come to an end. */
#include <stdint.h>
#include <stdlib.h>
#include "auth/fields.h"
#include "auth/passwd-file.h"

static void
check_extra(struct span extra)
{
	static struct arena *a;
	struct span name, value;
	struct err e = ERR_INIT;
	struct fields f;
	size_t words = 0, max = extra.n;

	if (a == NULL)
		a = arena_new(1 << 20);
	arena_reset(a);
	fields_init(&f, a);
	while (fields_next_word(&extra, a, &name, &value, &e) == 1) {
		if (++words > max)
			abort();
		if (fields_set(&f, name, value, &e) == 0 && !span_eq(fields_value(&f, name), value))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t doubles = 0;
	struct passwd_table *t = passwd_table_new(span_of(data, size), &doubles);
	const struct passwd_entry *it, *found;

	if (t == NULL)
		return 0;
	for (size_t i = 0; (it = passwd_table_at(t, i)) != NULL; i++) {
		found = passwd_table_find(t, it->user);
		if (found == NULL || found > it || !span_eq(found->user, it->user))
			abort();
		if (span_chr(it->user, ':') != it->user.n || span_chr(it->password, ':') != it->password.n)
			abort();
		check_extra(it->extra);
	}
	passwd_table_free(t);
	return 0;
}
