/* SPDX-License-Identifier: MIT */
/*
 * Programs of the administrator's that run when something happens: service NAME { executable = script PROGRAM ARGUMENT ... }.
 * Whoever connects to one of the service's sockets may add arguments (lib-config/script-request.h) and, where it wants an answer
 * (scripts of Sieve do), what the program reads.  The processes that serve mail execute nothing: this is what they ask.
 *
 * The parent, which is root, reads nothing of what is sent.  It accepts and forks; the child becomes the service's user
 * first, reads the request then, and becomes the program: with a clean environment, no descriptors but an empty standard
 * input and output and the log, and a time in which to end.  Where an answer is wanted it starts the program with the client as
 * its input and output, waits, and tells how it ended.  More than process_limit at once wait in the socket.
 *
 * A program may want more rights than its user has, as sendmail does to put mail in its queue: no-new-privs is not set.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-config/script-request.h"
#include "lib-protocol/children.h"

#define SCRIPTS_MAX 64
#define ARGUMENTS_MAX 32	/* of the configuration */
#define REQUEST_MS 5000
#define END_GRACE 5.
#define KILL_GRACE 5.

struct script {
	const char *name;			/* of the service */
	char *argv[ARGUMENTS_MAX + SCRIPT_ARGUMENTS_MAX + 1];
	size_t argc;
	uid_t uid;
	gid_t gid;
	char *user;				/* for initgroups; NULL: as who runs the server */
	uint32_t limit, running;
};

struct run {
	struct script *script;
	pid_t pid;
	bool told;
	ev_timer timer;
};

struct listening {
	struct script *script;
	int fd;
	ev_io accept;
};

struct parent {
	struct service service;
	struct children *children;
	struct script scripts[SCRIPTS_MAX];
	size_t script_count;
	struct listening listening[SERVICE_LISTENERS_MAX];
	size_t listening_count;
	double timeout;
};

static struct parent parent;

static char *
copy(struct span s)
{
	char *p = strndup(s.n == 0 ? "" : s.p, s.n);

	if (p == NULL)
		log_fatal("out of memory");
	return p;
}

static void
read_command(struct script *s, struct span text)
{
	struct span word;

	while (span_next(&text, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (s->argc == ARGUMENTS_MAX)
			log_fatal("service %s: more than %d arguments", s->name, ARGUMENTS_MAX);
		s->argv[s->argc++] = copy(word);
	}
}

static void
read_user(struct script *s, const struct set_block *b)
{
	struct span name = set_block_str(b, "user"), group = set_block_str(b, "group");
	struct err e = ERR_INIT;
	char *text;

	s->uid = geteuid();
	s->gid = getegid();
	if (geteuid() != 0)
		return;
	if (name.n == 0)
		name = set_str(parent.service.view, SET_default_internal_user);
	s->user = copy(name);
	if (priv_lookup_user(s->user, &s->uid, &s->gid, &e) == -1)
		log_fatal("service %s: %s", s->name, e.log);
	if (group.n == 0)
		return;
	text = copy(group);
	if (priv_lookup_group(text, &s->gid, &e) == -1)
		log_fatal("service %s: %s", s->name, e.log);
	free(text);
}

static void
read_listeners(struct script *s, const struct set_block *b, const char *kind)
{
	struct service *service = &parent.service;
	struct set_block l;
	size_t pos = 0;

	while (set_block_next(service->view, b, kind, &pos, &l)) {
		for (size_t i = 0; i < service->listener_count; i++) {
			if (!span_eq(l.name, span_str(service->listeners[i].name)))
				continue;
			parent.listening[parent.listening_count++] = (struct listening){ .script = s,
				.fd = service->listeners[i].fd };
			break;
		}
	}
}

static void
read_scripts(void)
{
	const struct set_view *v = parent.service.view;
	struct set_block b;
	struct span command;
	size_t pos = 0;

	while (set_block_next(v, NULL, "service", &pos, &b)) {
		struct script *s = &parent.scripts[parent.script_count];
		uint64_t limit = set_block_num(&b, "process_limit");

		/* As the master looks for them: it binds their sockets. */
		if (!script_command(set_block_str(&b, "executable"), &command))
			continue;
		if (parent.script_count == SCRIPTS_MAX)
			log_fatal("more than %d services that run scripts", SCRIPTS_MAX);
		parent.script_count++;
		s->name = copy(b.name);
		s->limit = (uint32_t)(limit > 0 && limit < 10000 ? limit : set_num(v, SET_default_process_limit));
		read_command(s, command);
		read_user(s, &b);
		read_listeners(s, &b, "unix_listener");
	}
}

/*
 * What the child reads from the socket until a request is whole, and no more: the rest is the program's.  The arguments go behind
 * those of the configuration.
 */
static int
read_request(struct script *s, int fd, char *room, struct script_request *q, struct err *e)
{
	static char in[SCRIPT_REQUEST_MAX];
	int64_t deadline = clock_ms() + REQUEST_MS;
	size_t have = 0, want;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_ms();
		enum script_parse parsed;
		ssize_t n;

		if (left <= 0 || (poll(&pfd, 1, (int)left) == 0))
			return err_set(e, ERR_TIMEOUT, "no request came");
		n = recv(fd, in + have, sizeof(in) - have, MSG_PEEK);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return have == 0 && n == 0 ? 1 : err_set(e, ERR_SYNTAX, "half a request came");
		parsed = script_request_parse(span_of(in, have + (size_t)n), room, q);
		if (parsed == SCRIPT_BAD)
			return err_set(e, ERR_SYNTAX, "what came is no request");
		want = parsed == SCRIPT_DONE ? q->used - have : (size_t)n;
		if (recv(fd, in + have, want, 0) != (ssize_t)want)
			return err_set(e, ERR_SYNTAX, "half a request came");
		have += want;
		if (parsed == SCRIPT_MORE)
			continue;
		for (size_t i = 0; i < q->count; i++)
			s->argv[s->argc + i] = (char *)(uintptr_t)q->arguments[i];
		s->argv[s->argc + q->count] = NULL;
		return 0;
	}
}

static int
become_user(const struct script *s, struct err *e)
{
	if (s->user == NULL)
		return 0;
	if (initgroups(s->user, s->gid) == -1 || setgid(s->gid) == -1 || setuid(s->uid) == -1)
		return err_errno(e, "becoming %s", s->user);
	/* Proof that root does not come back. */
	if (s->uid != 0 && setuid(0) == 0)
		return err_set(e, ERR_DENIED, "becoming %s: root came back", s->user);
	return 0;
}

static void __attribute__((noreturn))
become_program(struct script *s, int in, int out)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = { path, NULL };
	sigset_t none;

	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1)
		log_fatal("standard input: %s", strerror(errno));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	/* The log stays where errors go; nothing else is left open. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(s->argv[0], s->argv, env);
	log_fatal("%s: %s", s->argv[0], strerror(errno));
}

/* 0: it goes on; -1: nobody waits for it any more, or it has had its time. */
static int
watch_client(int fd, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd };

	if (clock_ms() >= deadline) {
		log_error("the program takes too long: it is ended");
		return -1;
	}
	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)) != 0 ? -1 : 0;
}

/* Runs the program for a client that waits for its answer. */
static void __attribute__((noreturn))
answer(struct script *s, int fd, const struct script_request *q)
{
	const struct timespec slice = { .tv_nsec = 100000000 };
	int64_t deadline = q->seconds > 0 ? clock_ms() + (int64_t)q->seconds * 1000 : INT64_MAX;
	int status = 0, done = 0;
	char how[64], text[2];
	sigset_t child_ended;
	pid_t pid;

	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_ended, NULL);
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == -1)
		log_fatal("fork: %s", strerror(errno));
	if (pid == 0)
		become_program(s, fd, fd);
	while ((done = waitpid(pid, &status, WNOHANG)) == 0 && watch_client(fd, deadline) == 0)
		(void)sigtimedwait(&child_ended, NULL, &slice);
	if (done != pid) {
		/* The whole group, of which this process is one; TERM first, as for all programs. */
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		for (int i = 0; i < 10 && waitpid(pid, &status, WNOHANG) == 0; i++)
			(void)sigtimedwait(&child_ended, NULL, &slice);
		kill(0, SIGKILL);
		_exit(1);
	}
	if (service_death(status, how, sizeof(how)))
		log_error("the program %s%s", WIFSIGNALED(status) ? "was " : "", how);
	text[0] = status == 0 ? '+' : '-';
	text[1] = '\n';
	(void)send(fd, text, sizeof(text), MSG_NOSIGNAL);
	/* What the program has left behind may have the socket still. */
	(void)shutdown(fd, SHUT_WR);
	_exit(0);
}

static void
child(struct script *s, int fd)
{
	static char room[SCRIPT_REQUEST_MAX];
	char dir[4096];
	struct span base = set_str(parent.service.view, SET_base_dir);
	struct script_request q;
	struct err e = ERR_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), rc;

	log_prefix("script %s", s->name);
	/* A group of its own, so that all it starts can be ended with it. */
	setsid();
	umask(0077);
	if (null == -1 || become_user(s, &e) == -1)
		log_fatal("%s", null == -1 ? "/dev/null can not be opened" : e.log);
	rc = read_request(s, fd, room, &q, &e);
	if (rc == 1)
		_exit(0);	/* who looks whether somebody listens here */
	if (rc == -1)
		log_fatal("%s", e.log);
	snprintf(dir, sizeof(dir), "%.*s", SPAN_ARG(base));
	if (chdir(dir) == -1 && chdir("/") == -1)
		log_fatal("there is no directory to run it in");
	if (q.answered)
		answer(s, fd, &q);
	become_program(s, null, null);
}

static void
watch(struct script *s, bool on)
{
	for (size_t i = 0; i < parent.listening_count; i++) {
		struct listening *l = &parent.listening[i];

		if (l->script != s)
			continue;
		if (on && !parent.service.stopping)
			ev_io_start(parent.service.loop, &l->accept);
		else
			ev_io_stop(parent.service.loop, &l->accept);
	}
}

static void
on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct run *r = w->data;

	(void)revents;
	if (!r->told)
		log_error("script %s: process %ld does not end: it is killed", r->script->name, (long)r->pid);
	kill(-r->pid, r->told ? SIGKILL : SIGTERM);
	kill(r->pid, r->told ? SIGKILL : SIGTERM);
	r->told = true;
	ev_timer_set(w, KILL_GRACE, 0.);
	ev_timer_start(loop, w);
}

static void
on_child_end(void *ctx, pid_t pid, int status, void *data)
{
	struct run *r = data;
	char how[64];

	(void)ctx;
	if (service_death(status, how, sizeof(how)))
		log_error("script %s: process %ld %s%s", r->script->name, (long)pid, WIFSIGNALED(status) ? "was " : "", how);
	ev_timer_stop(parent.service.loop, &r->timer);
	if (r->script->running-- == r->script->limit)
		watch(r->script, true);
	free(r);
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct listening *l = w->data;
	struct script *s = l->script;
	struct err e = ERR_INIT;
	struct run *r;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)revents;
	if (fd == -1)
		return;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		log_fatal("out of memory");
	r->script = s;
	r->pid = children_fork(parent.children, &fd, 1, r, &e);
	if (r->pid == 0)
		child(s, fd);
	close(fd);
	if (r->pid == -1) {
		log_error("script %s: %s", s->name, e.log);
		free(r);
		return;
	}
	ev_timer_init(&r->timer, on_timeout, parent.timeout, 0.);
	r->timer.data = r;
	if (parent.timeout > 0.)
		ev_timer_start(loop, &r->timer);
	if (++s->running == s->limit)
		watch(s, false);
}

static void
on_stop(struct service *service)
{
	(void)service;
	for (size_t i = 0; i < parent.script_count; i++)
		watch(&parent.scripts[i], false);
}

static void
on_term(struct service *service)
{
	on_stop(service);
	children_finish(parent.children, END_GRACE);
}

int
main(void)
{
	uint32_t all = 0;

	parent.service.on_stop = on_stop;
	parent.service.on_term = on_term;
	service_init(&parent.service, "script", NULL);
	/* Its programs are its clients: the master needs to start no second one. */
	parent.service.client_limit = UINT32_MAX;
	parent.timeout = (double)set_ms(parent.service.view, SET_script_timeout) / 1000.;
	read_scripts();
	for (size_t i = 0; i < parent.script_count; i++)
		all += parent.scripts[i].limit;
	parent.children = children_new(&parent.service, all, on_child_end, NULL);
	if (parent.children == NULL)
		log_fatal("out of memory");
	for (size_t i = 0; i < parent.listening_count; i++) {
		struct listening *l = &parent.listening[i];

		ev_io_init(&l->accept, on_accept, l->fd, EV_READ);
		l->accept.data = l;
		ev_io_start(parent.service.loop, &l->accept);
	}
	service_ready(&parent.service);
	return service_run(&parent.service);
}
