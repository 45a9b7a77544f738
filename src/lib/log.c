/* SPDX-License-Identifier: MIT */
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include "lib/encode.h"

#define LINE_MAX_OCTETS 2048	/* with the time far below PIPE_BUF */
#define WAIT_MS 100

static struct log_target target = { .fd = STDERR_FILENO, .info_fd = -1, .debug_fd = -1 };
static char process_prefix[256] = "culver";
static void (*line_hook)(enum log_level, const char *);
static unsigned long lost;

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[LOG_LVL_DEBUG] = { "Debug: ", LOG_DEBUG },
	[LOG_LVL_INFO] = { "", LOG_INFO },
	[LOG_LVL_WARNING] = { "Warning: ", LOG_WARNING },
	[LOG_LVL_ERROR] = { "Error: ", LOG_ERR },
	[LOG_LVL_FATAL] = { "Fatal: ", LOG_CRIT },
};

void
log_init(const struct log_target *t)
{
	target = *t;
	if (target.fd == -1)
		openlog(target.syslog_ident, LOG_NDELAY | LOG_PID, target.syslog_facility);
	/*
	 * strftime() looks at the zone's file again at every call unless TZ is set; behind chroot or seccomp it would find
	 * none and go over to UTC.
	 */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
}

void
log_prefix(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(process_prefix, sizeof(process_prefix), fmt, ap);
	va_end(ap);
}

bool
log_is_debug(void)
{
	return target.debug;
}

void
log_hook(void (*on_line)(enum log_level, const char *))
{
	line_hook = on_line;
}

/*
 * Copies text to out with control bytes, and what is not UTF-8, made visible; returns the length.  U+0080 to U+009F
 * are controls too: a terminal that shows the log could obey them.
 */
static size_t
escape(char *out, size_t room, const char *text)
{
	struct span in = span_str(text);
	size_t n = 0, pos = 0;

	while (pos < in.n && room - n > 16) {
		size_t from = pos;
		uint32_t cp;

		if (utf8_next(in, &pos, &cp) && cp >= 0x20 && (cp < 0x7f || cp > 0x9f)) {
			memcpy(out + n, in.p + from, pos - from);
			n += pos - from;
			continue;
		}
		for (; from < pos; from++)
			n += (size_t)snprintf(out + n, room - n, "\\x%02x", (unsigned char)in.p[from]);
	}
	out[n] = '\0';
	return n;
}

static void
write_file(int fd, const char *line)
{
	char whole[LINE_MAX_OCTETS + 128], when[64] = "";
	time_t now = time(NULL);
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	struct tm tm;
	int n;

	localtime_r(&now, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	/* The administrator's own format (log_timestamp). */
	strftime(when, sizeof(when), target.timestamp == NULL ? "%b %d %H:%M:%S " : target.timestamp, &tm);
#pragma GCC diagnostic pop
	if (lost > 0)
		n = snprintf(whole, sizeof(whole), "%s(%lu lines lost before) %s\n", when, lost, line);
	else
		n = snprintf(whole, sizeof(whole), "%s%s\n", when, line);
	if (n > 0 && (size_t)n >= sizeof(whole))
		n = sizeof(whole) - 1;
	/*
	 * One write a line: lines of several processes never mix in a file opened for appending.  A pipe whose reader
	 * sleeps may not hold the process up: a line fits whole into a pipe that poll() calls writable.
	 */
	if (n <= 0 || poll(&pfd, 1, WAIT_MS) != 1 || write(fd, whole, (size_t)n) != n)
		lost++;
	else
		lost = 0;
}

static int
fd_for(enum log_level level)
{
	if (level == LOG_LVL_DEBUG && target.debug_fd != -1)
		return target.debug_fd;
	if (level <= LOG_LVL_INFO && target.info_fd != -1)
		return target.info_fd;
	return target.fd;
}

static void __attribute__((format(printf, 3, 0)))
emit(enum log_level level, const char *prefix, const char *fmt, va_list ap)
{
	char text[LINE_MAX_OCTETS - 300], line[LINE_MAX_OCTETS];
	int fd, error = errno;
	size_t n;

	if (level == LOG_LVL_DEBUG && !target.debug)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	n = escape(line, 300, prefix);
	n += (size_t)snprintf(line + n, sizeof(line) - n, ": %s", levels[level].word);
	escape(line + n, sizeof(line) - n, text);
	if (line_hook != NULL && level >= LOG_LVL_WARNING)
		line_hook(level, line);
	fd = fd_for(level);
	if (fd == -1)
		syslog(levels[level].priority, "%s", line);
	else
		write_file(fd, line);
	errno = error;
}

#define EMIT(level)                             \
	do {                                    \
		va_list ap;                     \
		va_start(ap, fmt);              \
		emit(level, process_prefix, fmt, ap); \
		va_end(ap);                     \
	} while (0)

void
log_debug(const char *fmt, ...)
{
	EMIT(LOG_LVL_DEBUG);
}

void
log_info(const char *fmt, ...)
{
	EMIT(LOG_LVL_INFO);
}

void
log_warning(const char *fmt, ...)
{
	EMIT(LOG_LVL_WARNING);
}

void
log_error(const char *fmt, ...)
{
	EMIT(LOG_LVL_ERROR);
}

void
log_fatal(const char *fmt, ...)
{
	EMIT(LOG_LVL_FATAL);
	exit(89);
}

void
log_as(enum log_level level, const char *prefix, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(level, prefix, fmt, ap);
	va_end(ap);
}
