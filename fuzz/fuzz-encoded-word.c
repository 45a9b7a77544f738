/* SPDX-License-Identifier: MIT */
/* Whatever is decoded is valid UTF-8; what is encoded decodes to the same; a fold of pieces is pieces of the fold. */
#include <stdlib.h>

#include "lib-mail/encoded-word.h"
#include "lib-mail/subject.h"
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = 100 * size + 1000;
	struct span in = span_of(data, size);
	bool is_reply;
	struct buf text = BUF_INIT(room), coded = BUF_INIT(room), back = BUF_INIT(room), fold = BUF_INIT(2 * room);

	if (!utf8_is_valid(subject_base(NULL, &coded, in, &is_reply)))
		abort();
	buf_reset(&coded);
	encoded_word_decode(NULL, &text, in);
	if (text.failed || !utf8_is_valid(buf_span(&text)))
		abort();
	charset_fold(&fold, buf_span(&text));
	if (fold.failed || !utf8_is_valid(buf_span(&fold)))
		abort();
	encoded_word_encode(&coded, buf_span(&text));
	encoded_word_decode(NULL, &back, buf_span(&coded));
	if (coded.failed || !span_eq(buf_span(&text), buf_span(&back)))
		abort();
	buf_clear(&text);
	buf_clear(&coded);
	buf_clear(&back);
	buf_clear(&fold);
	return 0;
}
