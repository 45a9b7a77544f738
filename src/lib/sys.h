/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_SYS_H
#define CULVER_LIB_SYS_H
/* The system below, where plain calls are not enough. */
#include <sys/types.h>
#include "lib/buf.h"
#include "lib/err.h"

int64_t clock_ms(void);			/* monotonic; for timeouts */
int64_t clock_us(void);			/* monotonic */
int64_t clock_wall_us(void);		/* microseconds since 1970 */

/* For a handler of SIGTERM: this process is to come to its end.  Nothing is broken off, but waits for others are soon over. */
void end_wanted(void);
/* When that was, as of clock_ms(); 0: it was not. */
int64_t end_wanted_ms(void);

/*
 * Waits until fd is ready for events (POLLIN, POLLOUT), timeout_ms at most (-1: for ever), whatever signals come.
 * 1 ready (or broken: the next call on it says how), 0 the time is over, -1 an error.
 */
int fd_wait(int fd, short events, int timeout_ms, struct err *e);
/* The same for two; -1 stands for no descriptor.  1 or 2: which (the first if both). */
int fd_wait2(int fd, short events, int other_fd, short other_events, int timeout_ms, struct err *e);
int fd_write_all(int fd, struct span s, struct err *e);	/* retries EINTR and short writes; waits where it would block */
/* Append the whole of a file, or what is left of fd, to out: max octets at most (ERR_LIMIT; also when out is full). */
int file_read(const char *path, size_t max, struct buf *out, struct err *e);
int fd_read_all(int fd, size_t max, struct buf *out, struct err *e);
/* file_read of a name that a user has in hand: one that is no plain file (a FIFO, which nobody writes to) is ERR_DENIED. */
int file_read_plain(const char *path, size_t max, struct buf *out, struct err *e);
/*
 * Replaces name (no "/" in it) in dir_fd by content so that after a crash either the old or the new is there, whole: a temporary name,
 * fsync, rename, and (sync_dir) fsync of the directory.
 */
int file_replace(int dir_fd, const char *name, struct span content, mode_t mode, bool sync_dir, struct err *e);
/*
 * Opens a plain file for reading and appending, made with mode 0600 when it is not there, and locks it (flock): the file that has the
 * name then, since file_replace may have taken its place while the lock was waited for.  Who does not get it within wait_ms:
 * ERR_TIMEOUT; what is no plain file: ERR_DENIED.  Returns the descriptor.
 */
int file_open_locked(int dir_fd, const char *name, unsigned wait_ms, struct err *e);
int dir_sync(int dir_fd, struct err *e);
/* mkdir -p: makes what is missing of path, each with mode (less the umask), and syncs the directory each was made in. */
int dir_make(const char *path, mode_t mode, struct err *e);
int fd_flock(int fd, int operation);	/* flock(2), whatever signals come */
int fd_nonblock(int fd, bool on);
int fd_cloexec(int fd, bool on);
/* A sealed memory file with content: nobody can change or shrink it any more.  The descriptor, or -1. */
int memfd_sealed(const char *name, struct span content, struct err *e);
/* The octets of such a file, for munmap(); SPAN("") has none.  ERR_SYNTAX: it is not sealed.  0, -1. */
int memfd_map(int fd, struct span *out, struct err *e);
size_t heap_used(void);			/* octets that the heap has from the system; 0 where that can not be told */
void random_bytes(void *out, size_t n);	/* never fails: aborts when the system has none */
const char *host_name(void);		/* the system's; cached */

/* "127.0.0.1", "::1", "unix" or "unknown"; the port is 0 where there is none.  v4-mapped addresses are written as v4. */
struct sockaddr_storage;
void addr_format(const struct sockaddr_storage *sa, char out[64], uint16_t *port_out);
#endif
