/* SPDX-License-Identifier: MIT */
/* config: culverconf with the same configuration file. */
#include "adm/adm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
cmd_config(struct adm *a)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
	char *slash;
	char **argv = arena_alloc(a->arena, (size_t)a->argc + 3, sizeof(*argv));

	/* Beside this program, so that an installation in any place finds its own. */
	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash != NULL)
			snprintf(slash + 1, sizeof(path) - (size_t)(slash + 1 - path), "culverconf");
	}
	if (argv == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	argv[0] = path;
	argv[1] = arena_printf(a->arena, "-c");
	argv[2] = arena_printf(a->arena, "%s", a->config_path);
	for (int i = 1; i < a->argc; i++)
		argv[i + 2] = a->argv[i];
	execv(path, argv);
	return adm_fail(ADM_TEMP, "%s: %s", path, strerror(errno));
}
