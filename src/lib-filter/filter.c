/* SPDX-License-Identifier: MIT */
#include "lib-filter/filter.h"

#include "lib-mail/header.h"

void
filter_message_init(struct filter_message *m, struct span text)
{
	size_t n = header_size(text);

	*m = (struct filter_message){ .text = text, .header = span_sub(text, 0, n), .body = span_from(text, n) };
}
