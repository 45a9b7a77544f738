/* SPDX-License-Identifier: MIT */
/* Commands of ManageSieve: what is whole is so at its last octet and not before, and strings are within bounds. */
#include <stdlib.h>
#include "lib-protocol/managesieve.h"

#define MAX_LINE 2048
#define MAX_LITERAL 2048
#define MAX (MAX_LINE + MAX_LITERAL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct arena *a = arena_new(65536);
	struct buf out = BUF_INIT(65536);
	struct msieve_parse p, again;

	if (a == NULL)
		return 0;
	switch (msieve_parse(in, MAX_LINE, MAX_LITERAL, a, &p)) {
	case MSIEVE_MORE:
		if (p.need <= in.n || in.n >= MAX)
			abort();
		break;
	case MSIEVE_DONE:
		if (p.used == 0 || p.used > in.n || p.used > MAX)
			abort();
		for (size_t i = 0; i < p.command.arg_count; i++) {
			if (p.command.args[i].text.n > p.used)
				abort();
			msieve_put_string(&out, p.command.args[i].text);
		}
		if (msieve_parse(span_sub(in, 0, p.used - 1), MAX_LINE, MAX_LITERAL, a, &again) != MSIEVE_MORE)
			abort();
		break;
	case MSIEVE_BAD:
		if (p.used == 0 || p.used > in.n || p.why == NULL)
			abort();
		break;
	case MSIEVE_TOO_LONG:
		break;
	}
	buf_clear(&out);
	arena_free(a);
	return 0;
}
