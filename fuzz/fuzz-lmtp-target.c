/* SPDX-License-Identifier: MIT */
/* Fields of a passdb: a target has a host and a port, or there is none. */
#include <stdlib.h>
#include "lmtp/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lmtp_target t;
	struct err e = ERR_INIT;

	if (lmtp_target_parse(span_of(data, size), &t, &e) == -1)
		return 0;
	if (t.host.n == 0 || t.host.n > 255 || t.host.p[0] == '/' || memchr(t.host.p, '\n', t.host.n) != NULL || t.port == 0 ||
	    t.timeout_ms <= 0 || !lmtp_target_is_same_server(&t, &t))
		abort();
	return 0;
}
