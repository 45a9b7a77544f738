/* SPDX-License-Identifier: MIT */
#include "master/logs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define TEXT_MAX 1024

static int
open_one(struct span path, int *out, struct err *e)
{
	char name[4096];

	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(path));
	if (strcmp(name, "syslog") == 0) {
		*out = -1;
		return 0;
	}
	if (strcmp(name, "/dev/stderr") == 0)
		*out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		*out = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	return *out == -1 ? err_errno(e, "log file %s", name) : 0;
}

static void
close_fd(int fd)
{
	if (fd != -1)
		close(fd);
}

int
logs_open(struct logs *l, const struct set_view *v, struct err *e)
{
	struct span path = set_str(v, SET_log_path), info = set_str(v, SET_info_log_path);
	struct span debug = set_str(v, SET_debug_log_path);
	struct log_target t = { .syslog_ident = l->ident, .syslog_facility = LOG_MAIL, .timestamp = l->timestamp };
	int fd = -1, info_fd = -1, debug_fd = -1;

	if (open_one(path, &fd, e) == -1 || (info.n > 0 && open_one(info, &info_fd, e) == -1) ||
	    (debug.n > 0 && open_one(debug, &debug_fd, e) == -1)) {
		close_fd(fd);
		close_fd(info_fd);
		return -1;
	}
	close_fd(l->fd);
	close_fd(l->info_fd);
	close_fd(l->debug_fd);
	l->fd = fd;
	l->info_fd = info_fd;
	l->debug_fd = debug_fd;
	snprintf(l->timestamp, sizeof(l->timestamp), "%.*s", SPAN_ARG(set_str(v, SET_log_timestamp)));
	snprintf(l->ident, sizeof(l->ident), "%.*s", SPAN_ARG(set_str(v, SET_instance_name)));
	t.fd = fd;
	t.info_fd = info_fd;
	t.debug_fd = debug_fd;
	log_init(&t);
	return 0;
}

void
logs_put(const struct logs *l, struct ipc_out *o)
{
	const int fds[] = { l->fd, l->info_fd, l->debug_fd };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] != -1)
			ipc_put_fd(o, fds[i]);
}

struct line {
	time_t when;
	enum log_level level;
	size_t n;
	char text[TEXT_MAX];
};

struct log_memory {
	size_t count, next, room;	/* next: where the next one goes */
	struct line lines[];
};

struct log_memory *
log_memory_new(size_t lines)
{
	struct log_memory *m = calloc(1, sizeof(*m) + lines * sizeof(struct line));

	if (m != NULL)
		m->room = lines;
	return m;
}

void
log_memory_add(struct log_memory *m, enum log_level level, const char *text, size_t n, time_t when)
{
	struct line *l = &m->lines[m->next];

	l->when = when;
	l->level = level;
	l->n = n < TEXT_MAX ? n : TEXT_MAX;
	memcpy(l->text, text, l->n);
	m->next = (m->next + 1) % m->room;
	if (m->count < m->room)
		m->count++;
}

bool
log_memory_next(const struct log_memory *m, size_t *pos, enum log_level *level_out, struct span *text_out,
    time_t *when_out)
{
	const struct line *l;

	if (*pos >= m->count)
		return false;
	l = &m->lines[(m->next + m->room - m->count + *pos) % m->room];
	(*pos)++;
	*level_out = l->level;
	*text_out = span_of(l->text, l->n);
	*when_out = l->when;
	return true;
}
