/* SPDX-License-Identifier: MIT */
#include "quota-status/policy.h"

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

enum policy_parse
policy_request_parse(struct span in, struct policy_request *out, size_t *used_out)
{
	struct policy_request r = { .recipient = SPAN("") };
	size_t used = 0, count = 0;

	for (;;) {
		struct span rest = span_from(in, used), line, value;
		size_t n = span_chr(rest, '\n'), eq;

		if (n == rest.n)
			return in.n >= POLICY_REQUEST_MAX ? POLICY_BAD : POLICY_MORE;
		line = span_sub(rest, 0, n);
		used += n + 1;
		if (used > POLICY_REQUEST_MAX)
			return POLICY_BAD;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		eq = span_chr(line, '=');
		if (eq == line.n || eq == 0 || ++count > POLICY_ATTRIBUTES_MAX)
			return POLICY_BAD;
		value = span_from(line, eq + 1);
		line.n = eq;
		if (span_eq(line, SPAN("recipient"))) {
			if (has_control(value))
				return POLICY_BAD;
			r.recipient = value;
		} else if (span_eq(line, SPAN("size")) && !span_u64(value, INT64_MAX, &r.size)) {
			return POLICY_BAD;
		}
	}
	*out = r;
	*used_out = used;
	return POLICY_DONE;
}
