/* SPDX-License-Identifier: MIT */
/* The parent of the ManageSieve sessions. */
#include "lib-protocol/worker-parent.h"

#include "managesieve/serve.h"

int
main(void)
{
	static const struct worker_parent_options options = {
		.service = "managesieve", .protocol = "sieve", .serve = msieve_serve, .refuse = msieve_refuse_login,
		.paths = msieve_paths, .makes_links = true, .gives_back = true,
	};

	return worker_parent_main(&options);
}
