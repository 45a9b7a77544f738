/* SPDX-License-Identifier: MIT */
/* Answers of spam scanners; the first octet says whose, and to what.  What is made of them fits in a header. */
#include <stdlib.h>
#include "lib-filter/spam/spam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf fields = BUF_INIT(65536);
	struct err e = ERR_INIT;
	struct spam_verdict v;
	struct arena *a;

	if (size == 0 || (a = arena_new((size_t)4 * SPAM_REPLY_MAX)) == NULL)
		return 0;
	if (spam_reply_parse((data[0] & 1) != 0 ? SPAM_RSPAMD : SPAM_SPAMD, (data[0] & 2) != 0 ? SPAM_LEARN_HAM : SPAM_CHECK,
	    span_of(data + 1, size - 1), a, &v, &e) == 0) {
		if (v.tests.n > SPAM_TESTS_MAX)
			abort();
		spam_headers_write(&fields, &v);
		if (fields.failed)
			abort();
		for (size_t i = 0; i < fields.n; i++)
			if (fields.p[i] == '\0' || (fields.p[i] == '\n' && (i == 0 || fields.p[i - 1] != '\r')))
				abort();
	}
	buf_clear(&fields);
	arena_free(a);
	return 0;
}
