/* SPDX-License-Identifier: MIT */
/* What stands behind a |: words that hold together no more than the text, and read as the same again when they are quoted. */
#include <stdlib.h>
#include "lib/buf.h"
#include "lib-deliver/recipient/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span argv[RECIPIENT_ARGUMENTS], again[RECIPIENT_ARGUMENTS];
	struct arena *a = arena_new(1 << 20);
	struct buf text = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	size_t count, count_again, octets = 0;

	if (a != NULL && size <= 1 << 14 && recipient_command_parse(span_of(data, size), a, argv, &count, &e) == 0) {
		if (count == 0 || count > RECIPIENT_ARGUMENTS || argv[0].n == 0)
			abort();
		for (size_t i = 0; i < count; i++) {
			octets += argv[i].n;
			buf_addc(&text, '"');
			for (size_t k = 0; k < argv[i].n; k++) {
				buf_addc(&text, '\\');
				buf_addc(&text, argv[i].p[k]);
			}
			buf_adds(&text, "\" ");
		}
		if (octets > size)
			abort();
		/* "exec" would be passed over once more. */
		if (!span_eq(argv[0], SPAN("exec")) &&
		    (recipient_command_parse(buf_span(&text), a, again, &count_again, &e) == -1 || count_again != count))
			abort();
		for (size_t i = 0; !span_eq(argv[0], SPAN("exec")) && i < count; i++)
			if (!span_eq(argv[i], again[i]))
				abort();
	}
	buf_clear(&text);
	arena_free(a);
	return 0;
}
