/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MASTER_LOGS_H
#define CULVER_MASTER_LOGS_H
/* The log files, opened by the master for all, and the last warnings for `culveradm log errors'. */
#include <time.h>
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib-config/settings.h"

struct logs {
	int fd, info_fd, debug_fd;	/* as in struct log_target: -1 syslog (fd), as the one before (the others) */
	char timestamp[128], ident[64];
};

/* Opens what the settings say and makes it this process's log.  l holds the former ones, or -1s; they are replaced
 * only if all could be opened. */
int logs_open(struct logs *l, const struct set_view *v, struct err *e);
void logs_put(const struct logs *l, struct ipc_out *o);		/* the descriptors, for MSG_LOG_FILES */

struct log_memory;
struct log_memory *log_memory_new(size_t lines);
void log_memory_add(struct log_memory *m, enum log_level level, const char *text, size_t n, time_t when);
/* From the oldest on: start with *pos = 0; false at the end. */
bool log_memory_next(const struct log_memory *m, size_t *pos, enum log_level *level_out, struct span *text_out,
    time_t *when_out);
#endif
