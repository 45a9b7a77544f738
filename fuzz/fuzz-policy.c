/* SPDX-License-Identifier: MIT */
/* Requests of a policy service: what is whole is so at its last octet and not before; spans lie within it. */
#include <stdlib.h>
#include "quota-status/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct policy_request r, again;
	size_t used, used_again;

	if (policy_request_parse(in, &r, &used) != POLICY_DONE)
		return 0;
	if (used == 0 || used > in.n || used > POLICY_REQUEST_MAX || r.size > INT64_MAX)
		abort();
	if (r.recipient.n > 0 && (r.recipient.p < in.p || r.recipient.p + r.recipient.n > in.p + used))
		abort();
	if (policy_request_parse(span_of(in.p, used - 1), &again, &used_again) != POLICY_MORE ||
	    policy_request_parse(span_of(in.p, used), &again, &used_again) != POLICY_DONE || used_again != used)
		abort();
	return 0;
}
