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

static bool
take(struct policy_request *r, struct span name, struct span value)
{
	if (span_eq(name, SPAN("size")))
		return span_u64(value, INT64_MAX, &r->size);
	if (span_eq(name, SPAN("recipient"))) {
		r->recipient = value;
	} else if (span_eq(name, SPAN("sender"))) {
		r->sender = value;
		r->has_sender = true;
	} else if (span_eq(name, SPAN("client_address"))) {
		r->client_address = span_ieq(value, SPAN("unknown")) ? SPAN("") : value;
	} else if (span_eq(name, SPAN("client_name"))) {
		/* As Postfix calls who has no name that leads back to its address. */
		r->client_name = span_ieq(value, SPAN("unknown")) ? SPAN("") : value;
	} else {
		return true;
	}
	return !has_control(value);
}

enum policy_parse
policy_request_parse(struct span in, struct policy_request *out, size_t *used_out)
{
	struct policy_request r = { .recipient = SPAN(""), .sender = SPAN(""), .client_name = SPAN(""), .client_address = SPAN("") };
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
		if (!take(&r, line, value))
			return POLICY_BAD;
	}
	*out = r;
	*used_out = used;
	return POLICY_DONE;
}
