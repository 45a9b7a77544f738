/* SPDX-License-Identifier: MIT */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/log.h"
#include "lib-protocol/service.h"

#define FIRST_FD 3
#define SAFE_FD 256		/* above all numbers that a service gets */
#define FDS_MAX (5 + SERVICE_LISTENERS_MAX)
#define ENV_MAX 64

/* What a service gets beside its standard descriptors, in the order of its numbers. */
struct handover {
	int fds[FDS_MAX];
	size_t count;
	struct buf listeners;
	char log[64];
	char *env[ENV_MAX];
	size_t env_count;
};

bool
proc_is_current(const struct proc *p)
{
	return p->generation == p->master->generation || kinds[p->kind].outlives_reload;
}

static bool
is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

int
proc_program(const struct master *m, enum kind kind, char *out, size_t room, struct err *e)
{
	struct span dir = set_str(m->view, SET_libexec_dir);
	const struct kind_def *k = &kinds[kind];

	if (dir.n > 0) {
		snprintf(out, room, "%.*s/%s", SPAN_ARG(dir), k->name);
		return is_program(out) ? 0 : err_set(e, ERR_NOTFOUND, "there is no program %s (libexec_dir)", out);
	}
	/* Run from where it was built: src/master/culver beside src/auth/auth. */
	if (span_ends(span_str(m->exe_dir), SPAN("/src/master"))) {
		snprintf(out, room, "%s/../%s/%s", m->exe_dir, k->subdir, k->name);
		if (is_program(out))
			return 0;
	}
	snprintf(out, room, "%s/../libexec/culver/%s", m->exe_dir, k->name);
	if (is_program(out))
		return 0;
	snprintf(out, room, "%s/%s", CULVER_LIBEXECDIR, k->name);
	return is_program(out) ? 0 : err_set(e, ERR_NOTFOUND, "there is no program %s (libexec_dir)", out);
}

static void
add_env(struct handover *h, char *assignment)
{
	if (assignment != NULL && h->env_count < ENV_MAX - 1)
		h->env[h->env_count++] = assignment;
}

static void
import_env(struct handover *h, const char *name)
{
	const char *value = getenv(name);
	char *assignment;

	if (value != NULL && asprintf(&assignment, "%s=%s", name, value) != -1)
		add_env(h, assignment);
}

/* Services start with a clean environment: what import_environment names, and what the frame wants. */
static void
make_env(const struct master *m, struct handover *h)
{
	static const char *const sanitizers[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	struct span words = set_str(m->view, SET_import_environment), word;
	char name[256], *text;

	while (span_next(&words, ' ', &word)) {
		if (word.n == 0 || word.n >= sizeof(name) || span_starts(word, SPAN("NOTIFY_SOCKET")))
			continue;
		memcpy(name, word.p, word.n);
		name[word.n] = '\0';
		if (span_chr(word, '=') < word.n)
			add_env(h, strdup(name));
		else
			import_env(h, name);
	}
	for (size_t i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++)
		import_env(h, sanitizers[i]);
	/* Symbols are looked up once, in the parents: each forked session would do it anew. */
	add_env(h, strdup("LD_BIND_NOW=1"));
	add_env(h, strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"));
	buf_addc(&h->listeners, '\0');
	if (!h->listeners.failed && asprintf(&text, "CULVER_LISTENERS=%s", h->listeners.p) != -1)
		add_env(h, text);
	if (asprintf(&text, "CULVER_LOG=%s", h->log) != -1)
		add_env(h, text);
	h->env[h->env_count] = NULL;
}

static void
make_handover(const struct svc *s, int control, struct handover *h)
{
	const struct master *m = s->master;
	const int logs[] = { m->logs.fd, m->logs.info_fd, m->logs.debug_fd };
	int numbers[3];

	memset(h, 0, sizeof(*h));
	buf_init(&h->listeners, 65536);
	h->fds[h->count++] = m->image_fd;
	h->fds[h->count++] = control;
	for (size_t i = 0; i < s->listeners.n; i++) {
		const struct listener *l = array_at(&s->listeners, i);

		h->fds[h->count++] = l->fd;
		buf_addf(&h->listeners, "%s %s- %s\n", l->path != NULL ? "unix" : "inet", l->ssl ? "s" : "",
			 l->name);
	}
	for (size_t i = 0; i < 3; i++) {
		numbers[i] = logs[i] == -1 ? -1 : FIRST_FD + (int)h->count;
		if (logs[i] != -1)
			h->fds[h->count++] = logs[i];
	}
	snprintf(h->log, sizeof(h->log), "%d %d %d", numbers[0], numbers[1], numbers[2]);
	make_env(m, h);
	/* For those who seal identities while sessions sleep: the same over restarts, known to no one else. */
	if (s->kind == KIND_IMAP) {
		struct buf seal = BUF_INIT(256);

		buf_adds(&seal, "CULVER_SEAL=");
		hex_encode(&seal, span_of(m->seal, sizeof(m->seal)));
		if (buf_cstr(&seal) != NULL)
			add_env(h, strdup(buf_cstr(&seal)));
		buf_wipe(&seal);
	}
}

static void
clear_handover(struct handover *h)
{
	for (size_t i = 0; i < h->env_count; i++) {
		explicit_bzero(h->env[i], strlen(h->env[i]));
		free(h->env[i]);
	}
	buf_clear(&h->listeners);
}

/* In the child: descriptors to their numbers, then the program.  Only what is safe between fork and exec. */
static void
become_program(const char *path, const struct master *m, struct handover *h)
{
	char *argv[] = { (char *)(uintptr_t)path, NULL };
	static const int handled[] = { SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };
	sigset_t none;

	for (size_t i = 0; i < h->count; i++)
		h->fds[i] = fcntl(h->fds[i], F_DUPFD_CLOEXEC, SAFE_FD);
	/* What a library or a sanitizer prints when a program breaks down belongs in the log too. */
	if (m->logs.fd != -1)
		dup2(m->logs.fd, STDERR_FILENO);
	else if (m->ready_fd != -1)	/* a daemon's standard output leads nowhere, its standard error not yet */
		dup2(STDOUT_FILENO, STDERR_FILENO);
	for (size_t i = 0; i < h->count; i++)
		if (dup2(h->fds[i], FIRST_FD + (int)i) == -1)
			_exit(71);
	close_range(FIRST_FD + (unsigned)h->count, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		signal(handled[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, h->env);
	_exit(71);
}

static int
on_ready(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct proc *p = peer_data(peer);

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed ready");
	p->ready = true;
	master_proc_ready(p->master);
	return 0;
}

static int
on_want(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct proc *p = peer_data(peer);
	struct span name = ipc_bytes(msg, F_NAME, 64);

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed want");
	if (!kind_may_want(kinds[p->kind].peer, name))
		return err_set(e, ERR_DENIED, "%s may not talk with %.*s", kinds[p->kind].name, SPAN_ARG(name));
	broker_want(p->master, peer, kinds[p->kind].peer, p->generation, name);
	return 0;
}

static int
on_status(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct proc *p = peer_data(peer);

	p->clients = ipc_u32(msg, F_COUNT);
	p->limit = ipc_u32(msg, F_LIMIT);
	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed status");
	p->full = p->clients >= p->limit;
	if (p->full && proc_is_current(p))
		proc_ensure(&p->master->svc[p->kind]);
	return 0;
}

static int
on_log_line(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct proc *p = peer_data(peer);
	uint32_t level = ipc_u32(msg, F_LEVEL);
	struct span text = ipc_bytes(msg, F_TEXT, 4096);

	if (!ipc_end(msg) || level > LOG_LVL_FATAL)
		return err_set(e, ERR_SYNTAX, "malformed log line");
	log_memory_add(p->master->memory, (enum log_level)level, text.p, text.n, time(NULL));
	return 0;
}

#define PEER_SERVICES (PEER_AUTH | PEER_HUB | PEER_LOGIN | PEER_IMAP | PEER_POP3 | PEER_SIEVE | PEER_LMTP | PEER_DELIVER | \
	PEER_HIBERNATE | PEER_SCRIPT | PEER_POLICY | PEER_QUEUE)

static const struct ipc_rule control_rules[] = {
	{ MSG_READY, PEER_SERVICES, on_ready },
	{ MSG_WANT, PEER_SERVICES, on_want },
	{ MSG_STATUS, PEER_SERVICES, on_status },
	{ MSG_LOG_LINE, PEER_SERVICES, on_log_line },
	{ 0, 0, NULL },
};

/* A service that let go of its control socket is no service any more; SIGCHLD follows. */
static void
on_control_close(struct peer *peer)
{
	struct proc *p = peer_data(peer);

	broker_forget(p->master, peer);
	p->control = NULL;
}

static void
start_proc(struct svc *s)
{
	struct master *m = s->master;
	struct peer_options po = { .rules = control_rules, .kind = kinds[s->kind].peer, .on_close = on_control_close,
				   .queue_max = 16 << 20 };
	struct err e = ERR_INIT;
	struct handover h;
	struct proc *p;
	sigset_t all, before;
	char path[4096];
	int pair[2];

	if (proc_program(m, s->kind, path, sizeof(path), &e) == -1 || ipc_pair(pair, &e) == -1) {
		log_error("service %s: %s", kinds[s->kind].name, e.log);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		log_fatal("out of memory");
	make_handover(s, pair[1], &h);
	/* Told to end before it is itself, a child would take that for the master's own signal and forget it. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	p->pid = fork();
	if (p->pid == 0)
		become_program(path, m, &h);
	sigprocmask(SIG_SETMASK, &before, NULL);
	clear_handover(&h);
	close(pair[1]);
	if (p->pid == -1) {
		log_error("service %s: fork: %s", kinds[s->kind].name, strerror(errno));
		close(pair[0]);
		free(p);
		if (!ev_is_active(&s->restart)) {
			ev_timer_set(&s->restart, 1., 0.);
			ev_timer_start(m->loop, &s->restart);
		}
		return;
	}
	p->master = m;
	p->kind = s->kind;
	p->generation = m->generation;
	p->started = ev_time();
	po.data = p;
	p->control = peer_new(m->loop, &pair[0], &po);
	if (p->control == NULL)
		log_fatal("out of memory");
	p->next = m->procs;
	if (p->next != NULL)
		p->next->prev = p;
	m->procs = p;
	broker_started(p);
}

void
proc_ensure(struct svc *s)
{
	struct master *m = s->master;
	uint32_t total = 0, available = 0;

	if (!s->enabled || m->phase > PHASE_RUNNING || ev_is_active(&s->restart))
		return;
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		if (p->kind != s->kind || !proc_is_current(p))
			continue;
		total++;
		if (p->control != NULL && !p->full && !p->told_to_stop)
			available++;
	}
	for (; available < s->min_avail && total < s->process_limit; available++, total++)
		start_proc(s);
}

static void
on_restart(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	proc_ensure(w->data);
}

static void
proc_free(struct proc *p)
{
	struct master *m = p->master;

	if (p->control != NULL) {
		broker_forget(m, p->control);
		peer_free(p->control);
	}
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		m->procs = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	free(p);
}

static void
on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct master *m = w->data;
	struct proc *p;
	struct svc *s;
	char how[64];
	bool expected, current;
	double wait;

	(void)revents;
	for (p = m->procs; p != NULL && p->pid != w->rpid; p = p->next)
		;
	if (p == NULL)
		return;
	s = &m->svc[p->kind];
	expected = p->told_to_stop || p->termed;
	current = proc_is_current(p);
	if (service_death(w->rstatus, how, sizeof(how)) && !p->termed)
		log_error("service %s: process %ld %s%s", kinds[p->kind].name, (long)p->pid,
			  WIFSIGNALED(w->rstatus) ? "was " : "", how);
	else
		expected = expected || (p->full && p->ready);	/* it has served its service_count */
	wait = expected || !current ? 0. : backoff_after(&s->backoff, ev_time() - p->started);
	proc_free(p);
	if (m->phase == PHASE_STARTING && !expected && s->backoff.deaths >= 3) {
		log_error("service %s does not start", kinds[s->kind].name);
		m->exit_status = 89;
		master_stop(m);
	} else if (wait > 0.) {
		log_warning("service %s: it is started again in %.1f seconds", kinds[s->kind].name, wait);
		ev_timer_set(&s->restart, wait, 0.);
		ev_timer_start(loop, &s->restart);
	} else
		proc_ensure(s);
	master_proc_ready(m);
}

void
procs_init(struct master *m)
{
	for (enum kind k = 0; k < KINDS; k++) {
		struct svc *s = &m->svc[k];

		s->master = m;
		s->kind = k;
		listeners_init(&s->listeners);
		ev_timer_init(&s->restart, on_restart, 0., 0.);
		s->restart.data = s;
	}
	ev_child_init(&m->reaper, on_child, 0, 0);
	m->reaper.data = m;
	ev_child_start(m->loop, &m->reaper);
}

void
proc_stop(struct proc *p)
{
	struct ipc_out o;

	if (p->told_to_stop || p->control == NULL)
		return;
	p->told_to_stop = true;
	ipc_begin(&o, MSG_STOP);
	peer_send(p->control, &o);
}

void
proc_term(struct proc *p, int sig)
{
	p->termed = true;
	kill(p->pid, sig);
}
