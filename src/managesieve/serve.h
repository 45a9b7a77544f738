/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MANAGESIEVE_SERVE_H
#define CULVER_MANAGESIEVE_SERVE_H
/* What worker-parent.h wants to know of ManageSieve. */
#include "lib-protocol/session.h"
#include "lib-storage/storage.h"

int msieve_serve(const struct session_start *ss);
void msieve_refuse_login(int fd, struct span tag);
int msieve_paths(const struct storage_params *p, struct arena *a, const char *const **rw_out, struct err *e);
#endif
