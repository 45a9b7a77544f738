/* SPDX-License-Identifier: MIT */
#include "lib-deliver/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/arena.h"
#include "lib/sys.h"

#define ARGUMENTS_MAX ((size_t)4 << 20)
#define PIPE_OCTETS 65536	/* taken by the pipe, whoever reads */
#define AFTER_EXIT_MS 2000	/* for the output of what a program left behind */

struct run {
	const struct program_request *r;
	const struct program_limits *l;
	char **argv, **env;
	char *dir;
	int in[2], out[2], said[2];
	pid_t pid;
	int pid_fd;
	bool write_failed;
};

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static char **
strings(struct arena *a, const struct span *list, size_t count)
{
	char **out = arena_alloc(a, count + 1, sizeof(*out));

	for (size_t i = 0; out != NULL && i < count; i++) {
		out[i] = arena_cstr(a, list[i]);
		if (out[i] == NULL)
			return NULL;
	}
	return out;
}

/* A number behind name in the text of /proc/PID/status; 0: there is none. */
static unsigned long
status_number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL ? 0 : strtoul(at + strlen(name), NULL, 10);
}

/* The owner of a directory in /proc is no help: processes that can not be traced belong to root there. */
unsigned
program_count_processes(void)
{
	char path[300], text[2048];
	struct dirent *entry;
	DIR *d = opendir("/proc");
	unsigned count = 0;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		ssize_t n;
		int fd;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
		if (fd != -1)
			close(fd);
		if (n <= 0)
			continue;
		text[n] = '\0';
		if (strstr(text, "\nUid:") != NULL && status_number(text, "\nUid:") == getuid())
			count += (unsigned)status_number(text, "\nThreads:");
	}
	if (d != NULL)
		closedir(d);
	return count;
}

static void
set_limit(int which, uint64_t value)
{
	struct rlimit l = { value, value };

	if (value > 0)
		(void)setrlimit((__rlimit_resource_t)which, &l);
}

/* A script without its x bit, as procmail runs it: the shell reads the file, from where it is or from PATH. */
static void
become_shell(struct run *x)
{
	char shell[] = "/bin/sh", **argv;
	size_t count = 0;

	while (x->argv[count] != NULL)
		count++;
	argv = calloc(count + 2, sizeof(*argv));
	if (argv == NULL)
		return;
	argv[0] = shell;
	memcpy(argv + 1, x->argv, (count + 1) * sizeof(*argv));
	execve(argv[0], argv, x->env);
	free(argv);
}

/* In the child: becomes the program, or leaves with 126 or 127 as a shell does; errno goes back over `tell'. */
static void
become(struct run *x, int tell)
{
	int saved;
	sigset_t none;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);	/* nobody would end it then */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			(void)signal(sig, SIG_DFL);
	if (dup2(x->in[0], 0) == -1 || dup2(x->out[1], 1) == -1 || dup2(x->said[1], 2) == -1 || dup2(tell, 3) == -1)
		_exit(126);
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	(void)close_range(4, ~0u, 0);
	umask((mode_t)(x->r->umask & 0777));
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_AS, x->l->memory);
	set_limit(RLIMIT_FSIZE, x->l->file_size);
	if (x->l->processes > 0)
		set_limit(RLIMIT_NPROC, (uint64_t)x->r->running + x->l->processes);
	set_limit(RLIMIT_CPU, x->l->timeout == 0 ? PROGRAM_TIMEOUT : x->l->timeout);
	if (chdir(x->dir) == 0) {
		environ = x->env;
		execvp(x->argv[0], x->argv);
		saved = errno;
		if (x->r->or_shell && x->l->only_dir.n == 0 && access(x->argv[0], R_OK) == 0)
			become_shell(x);
	} else
		saved = errno;
	(void)!write(3, &saved, sizeof(saved));
	_exit(saved == ENOENT ? 127 : 126);
}

static int
start(struct run *x, struct err *e)
{
	int tell[2] = { -1, -1 }, failed = 0;
	ssize_t n;

	if (pipe2(x->in, O_CLOEXEC) == -1 || pipe2(x->out, O_CLOEXEC) == -1 || pipe2(x->said, O_CLOEXEC) == -1 || pipe2(tell, O_CLOEXEC) == -1) {
		err_errno(e, "pipe");
		goto fail;
	}
	x->pid = fork();
	if (x->pid == -1) {
		err_errno(e, "fork");
		goto fail;
	}
	if (x->pid == 0)
		become(x, tell[1]);
	close_fd(&x->in[0]);
	close_fd(&x->out[1]);
	close_fd(&x->said[1]);
	close_fd(&tell[1]);
	do
		n = read(tell[0], &failed, sizeof(failed));
	while (n == -1 && errno == EINTR);
	close_fd(&tell[0]);
	if (n == (ssize_t)sizeof(failed)) {
		errno = failed;
		return err_errno(e, "%s", x->argv[0]);
	}
	x->pid_fd = (int)syscall(SYS_pidfd_open, x->pid, 0);
	return fd_nonblock(x->in[1], true) | fd_nonblock(x->out[0], true) | fd_nonblock(x->said[0], true);
fail:
	close_fd(&tell[0]);
	close_fd(&tell[1]);
	return -1;
}

/* What is there, as far as there is room in b; the rest is thrown away.  Closes at the end. */
static void
take(int *fd, struct buf *b, size_t max, bool *more)
{
	char piece[65536];
	ssize_t n = read(*fd, piece, sizeof(piece));

	if (n > 0) {
		size_t room = b->n < max ? max - b->n : 0;

		if ((size_t)n > room)
			*more = true;
		buf_add(b, span_of(piece, (size_t)n < room ? (size_t)n : room));
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_fd(fd);
	}
}

static void
give(struct run *x, struct span *input)
{
	ssize_t n = write(x->in[1], input->p, input->n);

	if (n >= 0)
		*input = span_from(*input, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		x->write_failed = true;
	if (x->write_failed || input->n == 0)
		close_fd(&x->in[1]);
}

static bool
has_ended(struct run *x, int *status)
{
	int how;
	pid_t got = waitpid(x->pid, &how, WNOHANG);

	if (got != x->pid)
		return got == -1 && errno != EINTR;
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
	return true;
}

/* Moves octets until the program has ended and its output too. */
static int
serve(struct run *x, struct buf *out, struct buf *said, int *status, struct err *e)
{
	bool wanted = x->r->output_max > 0, more = false, said_more = false, ended = false;
	size_t max = x->r->output_max < x->l->output || x->l->output == 0 ? x->r->output_max : x->l->output;
	unsigned limit = x->l->timeout == 0 ? PROGRAM_TIMEOUT : x->l->timeout;
	int64_t deadline = clock_ms() + (int64_t)(x->r->timeout > 0 && x->r->timeout < limit ? x->r->timeout : limit) * 1000;
	struct span input = x->r->input;

	if (max > out->max)
		max = out->max;
	if (input.n == 0)
		close_fd(&x->in[1]);
	while (!ended || x->out[0] != -1 || x->said[0] != -1) {
		struct pollfd p[5] = { { x->in[1], POLLOUT, 0 }, { x->out[0], POLLIN, 0 }, { x->said[0], POLLIN, 0 },
			{ ended ? -1 : x->pid_fd, POLLIN, 0 }, { x->r->watch_fd > 0 ? x->r->watch_fd : -1, 0, 0 } };
		int64_t left = deadline - clock_ms();

		if (left <= 0) {
			if (ended)
				break;
			return err_set(e, ERR_TIMEOUT, "%s ran too long", x->argv[0]);
		}
		if (x->pid_fd == -1 && left > 20)
			left = 20;
		if (poll(p, 5, (int)(left > 60000 ? 60000 : left)) == -1 && errno != EINTR)
			return err_errno(e, "poll");
		if (p[4].revents & (POLLHUP | POLLERR))
			return err_set(e, ERR_EOF, "nobody waits for %s any more", x->argv[0]);
		if (p[0].revents != 0 && x->in[1] != -1)
			give(x, &input);
		if (p[1].revents != 0 && x->out[0] != -1)
			take(&x->out[0], out, max, wanted ? &more : &said_more);
		/* Who writes more than is taken sees that nobody reads it. */
		if (more)
			close_fd(&x->out[0]);
		if (p[2].revents != 0 && x->said[0] != -1)
			take(&x->said[0], said, said->max, &said_more);
		if (!ended && has_ended(x, status)) {
			ended = true;
			x->pid = -1;
			close_fd(&x->in[1]);
			if (deadline > clock_ms() + AFTER_EXIT_MS)
				deadline = clock_ms() + AFTER_EXIT_MS;
		}
	}
	if (more)
		out->failed = true;
	/* Who left without an error, and without having read all, may have meant it; procmail calls that a failure. */
	if ((x->write_failed || input.n > 0) && x->r->input.n > PIPE_OCTETS && !x->r->ignore_write_errors && *status == 0)
		return err_set(e, ERR_EOF, "%s did not read its input", x->argv[0]);
	return 0;
}

/* "program" of the only directory that is allowed; its path in a. */
static int
restrict_to(struct run *x, struct arena *a, struct err *e)
{
	struct span name = span_str(x->argv[0]);
	char *path;

	while (span_chr(name, '/') < name.n)
		name = span_from(name, span_chr(name, '/') + 1);
	if (name.n == 0 || span_eq(name, SPAN("..")) || span_eq(name, SPAN(".")))
		return err_set(e, ERR_DENIED, "%s: not a program's name", x->argv[0]);
	path = arena_printf(a, "%.*s/%.*s", SPAN_ARG(x->l->only_dir), SPAN_ARG(name));
	if (path == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	if (access(path, X_OK) == -1)
		return err_set(e, ERR_DENIED, "%s: programs are run from %.*s alone", x->argv[0], SPAN_ARG(x->l->only_dir));
	x->argv[0] = path;
	return 0;
}

/* Whether it is directly in one of the directories. */
static int
restrict_to_dirs(const struct run *x, struct err *e)
{
	struct span path = span_str(x->argv[0]);

	for (size_t i = 0; i < x->l->dir_count; i++) {
		struct span name = span_from(path, x->l->dirs[i].n);

		if (span_starts(path, x->l->dirs[i]) && name.n > 1 && name.p[0] == '/' && name.p[1] != '.' &&
		    span_chr(span_from(name, 1), '/') == name.n - 1)
			return 0;
	}
	return err_set(e, ERR_DENIED, "%s: in no directory that programs are run from", x->argv[0]);
}

int
program_run(const struct program_request *asked, const struct program_limits *l, struct buf *out, struct buf *said, int *status,
    struct err *e)
{
	struct program_request counted = *asked;
	const struct program_request *r = &counted;
	struct run x = { .r = r, .l = l, .in = { -1, -1 }, .out = { -1, -1 }, .said = { -1, -1 }, .pid = -1, .pid_fd = -1 };
	struct arena *a = arena_new(ARGUMENTS_MAX);
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	pid_t group = -1;
	int rc = -1;

	*status = 0;
	if (a == NULL || r->argc == 0 || r->argc + r->env_count > PROGRAM_STRINGS ||
	    (x.argv = strings(a, r->argv, r->argc)) == NULL || (x.env = strings(a, r->env, r->env_count)) == NULL ||
	    (x.dir = arena_cstr(a, r->dir.n == 0 ? SPAN("/") : r->dir)) == NULL) {
		arena_free(a);
		return err_set(e, ERR_LIMIT, "the arguments of a program are too long");
	}
	if (l->processes > 0 && counted.running == 0)
		counted.running = program_count_processes();
	(void)sigaction(SIGPIPE, &ignore, &before);
	if ((l->only_dir.n == 0 || restrict_to(&x, a, e) == 0) && (l->dir_count == 0 || restrict_to_dirs(&x, e) == 0)) {
		rc = start(&x, e);
		group = x.pid;
		if (rc == 0)
			rc = serve(&x, out, said, status, e);
	}
	if (group > 0)
		(void)kill(-group, SIGKILL);
	if (x.pid > 0) {
		(void)kill(x.pid, SIGKILL);
		while (waitpid(x.pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	for (int i = 0; i < 2; i++) {
		close_fd(&x.in[i]);
		close_fd(&x.out[i]);
		close_fd(&x.said[i]);
	}
	close_fd(&x.pid_fd);
	(void)sigaction(SIGPIPE, &before, NULL);
	arena_free(a);
	return rc;
}
