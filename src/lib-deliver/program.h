/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_PROGRAM_H
#define CULVER_LIB_DELIVER_PROGRAM_H
/*
 * Programs of a user's filters.  A process that has shut itself in (seccomp, Landlock, no new processes) can not run any; so
 * before it does, it starts a helper as the same user, which runs what it is asked for over a socket pair, one after the
 * other, within limits that were fixed when it began.  The helper trusts the asker with nothing but what that user may do.
 */
#include <sys/types.h>
#include "lib/buf.h"
#include "lib/err.h"

struct program_limits {
	unsigned timeout;		/* seconds, from the beginning to the end; 0: PROGRAM_TIMEOUT */
	uint64_t memory;		/* octets of address space a process; 0: no limit */
	uint64_t file_size;		/* octets of a file that it writes; 0: no limit */
	unsigned processes;		/* of the user, more than when the program is started; 0: no limit.  Root has none */
	size_t output;			/* the most that is kept, whatever is asked for */
	struct span only_dir;		/* not empty: programs of this directory alone, by their last name, and no shell */
	const struct span *dirs;	/* programs by their path, which is one of these and a name; none: any program */
	size_t dir_count;
};
#define PROGRAM_TIMEOUT 960
#define PROGRAM_STRINGS 8192		/* arguments and variables of one program */

struct program_request {
	const struct span *argv;
	size_t argc;
	const struct span *env;		/* NAME=value */
	size_t env_count;
	struct span dir;		/* absolute */
	struct span input;
	size_t output_max;		/* 0: nobody wants it */
	unsigned timeout, umask;
	bool ignore_write_errors;
	bool or_shell;			/* a file that can be read but not executed is for /bin/sh; not with program_limits.only_dir */
	unsigned running;		/* processes of the user's that there are; 0: they are counted */
	int watch_fd;			/* a socket at whose end the program is ended; 0: none */
	void (*waiting)(void *ctx);	/* program_helper_run: called a few times a second meanwhile; NULL: nobody wants that */
	void *waiting_ctx;
};

/*
 * Runs it.  *out: its output (failed: there was more than output_max), *said: what it wrote to its errors, as far as there is
 * room.  *status: its exit code, or minus the signal.  -1: ERR_NOTFOUND, ERR_DENIED, ERR_TIMEOUT, ERR_EOF (it did not read
 * its input, which is more than a pipe holds; ignore_write_errors is not set, and it did not fail either).  Afterwards nothing of its process group runs.
 */
int program_run(const struct program_request *r, const struct program_limits *l, struct buf *out, struct buf *said, int *status,
    struct err *e);

/* The threads of all processes of this one's user, as RLIMIT_NPROC counts them. */
unsigned program_count_processes(void);

struct program_helper {
	int sock;			/* -1: none */
	pid_t pid;
};

/*
 * Forks the helper, which becomes the user by `become' (NULL: it is the user already); 0 when it has.  It ends when its socket
 * is closed, and what runs ends with it.
 */
typedef int program_become(void *ctx, struct err *e);
int program_helper_start(struct program_helper *h, const struct program_limits *l, program_become *become, void *ctx, struct err *e);
void program_helper_stop(struct program_helper *h);
/* As program_run, in the helper. */
int program_helper_run(const struct program_helper *h, const struct program_request *r, struct buf *out, struct buf *said,
    int *status, struct err *e);
#endif
