/* SPDX-License-Identifier: MIT */
/* The parent of the IMAP sessions. */
#include "lib-protocol/worker-parent.h"

#include "imap/behind.h"
#include "imap/serve.h"

int
main(void)
{
	static const struct worker_parent_options options = {
		.service = "imap", .serve = imap_serve, .refuse = imap_refuse_client, .hibernates = true,
		.homes = storage_homes_wanted, .paths = storage_paths, .behind = imap_behind_serve, .prepare = imap_behind_prepare,
	};

	return worker_parent_main(&options);
}
