/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_FILTER_PROGRAM_H
#define CULVER_LIB_DELIVER_FILTER_PROGRAM_H
/*
 * Programs that Sieve scripts name (vnd.dovecot.pipe, .filter, .execute): those of the directories sieve_pipe_bin_dir,
 * sieve_filter_bin_dir, sieve_execute_bin_dir, run by a helper that was started before the process shut itself in, as the mail
 * user, in the user's home, with USER, HOME, HOST, SENDER, RECIPIENT and ORIG_RECIPIENT in their environment and nothing else.
 * Before that they are looked for in sieve_pipe_socket_dir, sieve_filter_socket_dir, sieve_execute_socket_dir: behind a socket
 * there is a service that starts the program, as whom it likes (program-socket.h).
 */
#include "lib-deliver/host.h"

/* Whether scripts run (of deliveries, of IMAP events) and one of the directories of programs is set. */
bool deliver_programs_wanted(const struct set_view *view);
/* Whether one of the directories of sockets is set. */
bool deliver_sockets_wanted(const struct set_view *view);
/* As the mail user.  *out's sock is -1 where they are not wanted. */
int deliver_programs_start(const struct set_view *view, struct program_helper *out, struct err *e);

/* Whether it has died: a process that has shut itself in can start no other, and had better end. */
bool deliver_programs_gone(const struct program_helper *h);

/* For filter_host.run.  What it writes to its errors is in the log. */
int deliver_program_run(struct deliver_host *h, const struct filter_program *p, struct span input, struct arena *a,
    struct span *out, int *status, struct err *e);
/* A FILTER_PIPE: an exit status other than 0 is a failure. */
int deliver_pipe(struct deliver_host *h, const struct filter_action *action, struct span message, struct err *e);
#endif
