/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_LOG_H
#define CULVER_LIB_LOG_H
/*
 * The process's log: the one piece of global state.  A line is
 *     <time> <prefix>: <Level>: <text>        level named unless it is info: "Debug: ", "Warning: ", "Error: ", "Fatal: "
 * as Dovecot's tools and fail2ban's rules expect.  Control bytes in a line are written as \xNN: a peer can not forge a
 * line.  Writing never blocks for long and never fails the caller: what a full disk refuses is counted and told later.
 */
#include <stdbool.h>
#include "lib/err.h"

enum log_level { LOG_LVL_DEBUG, LOG_LVL_INFO, LOG_LVL_WARNING, LOG_LVL_ERROR, LOG_LVL_FATAL };

struct log_target {
	int fd;			/* a file (O_APPEND) or stderr; -1: syslog */
	int info_fd;		/* the same for info, and debug; -1: as fd */
	int debug_fd;
	const char *syslog_ident;	/* borrowed, must live on */
	int syslog_facility;
	const char *timestamp;	/* strftime format; NULL: the default "%b %d %H:%M:%S " */
	bool debug;		/* whether debug lines are wanted */
};

void log_init(const struct log_target *t);	/* before it: stderr, without debug */
void log_prefix(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* e.g. "imap(bob)<123><sess>" */
bool log_is_debug(void);

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));	/* and exits with 89 */
/* With another prefix than the process's: for the event-driven processes, which have many sessions. */
void log_as(enum log_level level, const char *prefix, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Called with each line of warning or worse, if set: the master keeps the last ones for `culveradm log errors'. */
void log_hook(void (*on_line)(enum log_level level, const char *line));
#endif
