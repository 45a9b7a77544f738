/* SPDX-License-Identifier: MIT */
#include "login/main.h"

#include "lib-filter/sieve/capability.h"

/* What the sessions will say too, but for what changes with the login. */
static bool
capabilities(const struct set_view *view, struct buf *out)
{
	return sieve_capabilities(view, out);
}

int
main(void)
{
	struct login_protocol protocol = login_managesieve;

	protocol.capabilities = capabilities;
	return login_main(&protocol);
}
