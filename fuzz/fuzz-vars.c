/* SPDX-License-Identifier: MIT */
/*
 * %variables: what can be expanded passes the check of the configuration; but for {if}, since the check looks at the way
 * that is not taken as well.
 */
#include <stdlib.h>
#include "lib-config/vars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct var vars[VARS_USER_COUNT + 2] = { { .letter = 0 } };
	struct buf out = BUF_INIT(100000);
	struct err e = ERR_INIT;
	struct span in = span_of(data, size < 4096 ? size : 4096);

	vars_for_user(vars, SPAN("bob+x@example.org"), SPAN("/home/bob"));
	vars[VARS_USER_COUNT] = (struct var){ 's', "service", SPAN("12345") };
	if (vars_expand(&out, in, vars, &e) == 0 && vars_check(in, &e) == -1 && span_find(in, SPAN("{if")) == SIZE_MAX)
		abort();
	buf_clear(&out);
	return 0;
}
