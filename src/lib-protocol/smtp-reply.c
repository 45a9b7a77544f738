/* SPDX-License-Identifier: MIT */
#include "lib-protocol/smtp-reply.h"

int
smtp_reply_parse(struct span in, struct smtp_reply *out, size_t *used_out)
{
	struct smtp_reply r = { .first = SPAN_NONE };
	struct span line;
	size_t used = 0;

	in = span_sub(in, 0, SMTP_REPLY_OCTETS);
	while (span_line(in, &used, &line)) {
		unsigned code;

		if (line.n < 3 || !ascii_is_digit(line.p[0]) || !ascii_is_digit(line.p[1]) || !ascii_is_digit(line.p[2]) ||
		    (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
			return -1;
		code = (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
		if (code < 200 || code > 599 || (r.code != 0 && code != r.code))
			return -1;
		r.code = code;
		if (r.first.p == NULL)
			r.first = span_from(line, line.n > 3 ? 4 : 3);
		if (line.n > 3 && line.p[3] == '-')
			continue;
		r.lines = span_sub(in, 0, used);
		*out = r;
		*used_out = used;
		return 1;
	}
	return in.n == SMTP_REPLY_OCTETS ? -1 : 0;
}

bool
smtp_reply_has(const struct smtp_reply *ehlo, struct span keyword, struct span *params_out)
{
	struct span line;
	size_t used = 0;
	bool first = true;

	while (span_line(ehlo->lines, &used, &line)) {
		struct span text = span_from(line, 4);
		size_t n = span_chr(text, ' ');

		if (!first && span_ieq(span_sub(text, 0, n), keyword)) {
			*params_out = span_from(text, n + 1);
			return true;
		}
		first = false;
	}
	return false;
}
