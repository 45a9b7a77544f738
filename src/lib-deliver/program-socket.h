/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_PROGRAM_SOCKET_H
#define CULVER_LIB_DELIVER_PROGRAM_SOCKET_H
/*
 * A program that a service of the administrator's starts, as whom it likes: service NAME { executable = script PROGRAM }, of
 * ours or of Dovecot's, with its socket at `path' (lib-config/script-request.h has the protocol).
 */
#include "lib-deliver/program.h"

/*
 * argv[0], env, dir and umask are the service's business; timeout 0: PROGRAM_TIMEOUT.  What there is behind output_max is read
 * and thrown away, and out->failed set where that is not 0.  *status: 0, or 1: the program ended otherwise.  -1: ERR_NOTFOUND:
 * there is no socket; ERR_TIMEOUT; ERR_EOF: the answer has no end, or not all of the input was read.
 */
int program_socket_run(const char *path, const struct program_request *r, struct buf *out, int *status, struct err *e);
#endif
