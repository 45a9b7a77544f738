/* SPDX-License-Identifier: MIT */
#include "lib-filter/filter.h"

#include "lib-mail/header.h"

void
filter_action_where(struct buf *out, const struct filter_action *a)
{
	buf_add(out, a->script);
	if (a->within.n > 0)
		buf_addf(out, "%sincluded \"%.*s\"", a->script.n > 0 ? ", " : "", SPAN_ARG(a->within));
	if (a->line > 0)
		buf_addf(out, "%sline %u", a->script.n > 0 || a->within.n > 0 ? " " : "", a->line);
}

void
filter_message_init(struct filter_message *m, struct span text)
{
	size_t n = header_size(text);

	*m = (struct filter_message){ .text = text, .header = span_sub(text, 0, n), .body = span_from(text, n) };
}
