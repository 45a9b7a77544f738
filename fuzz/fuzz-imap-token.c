/* SPDX-License-Identifier: MIT */
/* What is taken and what is left make up the input; what is refused is left where it was. */
#include <stdlib.h>
#include "lib-protocol/imap-quote.h"
#include "lib-protocol/imap-token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool taker(struct imap_in *in, struct span *out);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static taker *const takers[] = {
		imap_atom, imap_tag, imap_string, imap_astring, imap_nstring, imap_list_mailbox, imap_flag, imap_set_text,
	};
	struct arena *a = arena_new(1 << 16);
	struct span all = span_of(data, size);

	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		struct imap_in in = { all, a, NULL };
		struct span out = SPAN_NONE;

		if (!takers[i](&in, &out)) {
			if (in.s.p != all.p || in.s.n != all.n || in.why == NULL)
				abort();
		} else if (in.s.p + in.s.n != all.p + all.n || in.s.n >= all.n)
			abort();
		else if (takers[i] == imap_astring && span_chr(out, '\0') == out.n) {
			/* What was read can be written, and reads as the same. */
			struct buf b = BUF_INIT(1 << 20);
			struct span again;

			imap_astring_write(&b, out);
			in = (struct imap_in){ buf_span(&b), a, NULL };
			if (arena_used(a) < 1 << 14 && (!imap_astring(&in, &again) || !span_eq(out, again)))
				abort();
			buf_clear(&b);
		}
	}
	arena_free(a);
	return 0;
}
