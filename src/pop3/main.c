/* SPDX-License-Identifier: MIT */
/* The parent of the POP3 sessions. */
#include "lib-protocol/worker-parent.h"

#include "pop3/serve.h"

int
main(void)
{
	static const struct worker_parent_options options = {
		.service = "pop3", .serve = pop3_serve, .refuse = pop3_refuse_login,
		.homes = storage_homes_wanted, .paths = storage_paths,
	};

	return worker_parent_main(&options);
}
