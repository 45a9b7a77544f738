/* SPDX-License-Identifier: MIT */
#include "login-replay.h"

/* However the bytes are cut on their way, the answers are the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	login_replay(&login_imap, data, size);
	return 0;
}
