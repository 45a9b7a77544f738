/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-config/script-request.h"
#include "master/notify.h"

#define BIND_PATIENCE_MS 3000	/* a server that was killed a moment ago may still be going */
#define READY_MAX 10.		/* seconds until the log tells of new services that do not serve */
#define WORKERS_GRACE 8.	/* seconds: the parents give their sessions less, and kill what is left */
#define REST_GRACE 2.
#define FRONT_PROCESSES_MAX 4	/* by default no more login processes, however many processors */

int
master_read_config(struct master *m, int *image_fd_out, struct settings **settings_out, struct set_view **view_out,
    void (*say)(bool is_error, const char *text), struct err *e)
{
	struct config *c = config_read(m->config_path, e);
	const struct config_note *notes;
	struct settings *s = NULL;
	struct set_view *v;
	int fd = -1;

	if (c == NULL)
		return -1;
	for (size_t i = 0; m->overrides != NULL && m->overrides[i] != NULL; i++)
		if (config_override(c, span_str(m->overrides[i]), e) == -1)
			goto fail;
	for (size_t i = 0, n = config_notes(c, &notes); i < n; i++)
		say(notes[i].is_error, notes[i].text);
	if (config_has_errors(c)) {
		err_set(e, ERR_SYNTAX, "%s has errors", m->config_path);
		goto fail;
	}
	if ((fd = config_image(c, e)) == -1 || settings_open(fd, &s, e) == -1)
		goto fail;
	v = set_view_new(s, NULL);
	if (v == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		goto fail;
	}
	config_free(c);
	*image_fd_out = fd;
	*settings_out = s;
	*view_out = v;
	return 0;
fail:
	if (s != NULL)
		settings_close(s);
	if (fd != -1)
		close(fd);
	config_free(c);
	return -1;
}

static void
say_in_log(bool is_error, const char *text)
{
	if (is_error)
		log_error("%s", text);
	else
		log_warning("%s", text);
}

static bool
is_served(const struct set_view *v, enum kind k)
{
	if (kinds[k].protocol != NULL && !set_list_has(v, SET_protocols, span_str(kinds[k].protocol)))
		return false;
	return k != KIND_HIBERNATE || set_ms(v, SET_imap_hibernate_timeout) > 0;
}

/*
 * How many processes of a front service there are from the start.  They are event-driven: one a processor is enough,
 * unless each serves a fixed count of connections.
 */
static uint32_t
default_processes(const struct set_block *b)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (set_block_num(b, "service_count") > 0 || processors < 1)
		return 1;
	return processors < FRONT_PROCESSES_MAX ? (uint32_t)processors : FRONT_PROCESSES_MAX;
}

/* Services with names of their own that run programs: whatever sockets they have are one process's. */
static int
read_scripts(struct svc *s, const struct set_view *v, struct err *e)
{
	struct set_block b;
	struct span command;
	size_t pos = 0;

	while (set_block_next(v, NULL, "service", &pos, &b))
		if (kind_find(b.name) == KINDS && script_command(set_block_str(&b, "executable"), &command) &&
		    listeners_read(&s->listeners, v, &b, e) == -1)
			return err_wrap(e, "service %.*s", SPAN_ARG(b.name));
	s->enabled = s->listeners.n > 0;
	return 0;
}

/* What one service is in a view, its sockets not bound yet. */
static int
read_service(struct svc *s, const struct set_view *v, struct err *e)
{
	const struct kind_def *k = &kinds[s->kind];
	struct set_block b;
	size_t pos = 0;

	listeners_init(&s->listeners);
	s->enabled = is_served(v, s->kind);
	s->min_avail = s->process_limit = 1;
	if (s->kind == KIND_SCRIPT)
		return read_scripts(s, v, e);
	if (!s->enabled)
		return 0;
	while (set_block_next(v, NULL, "service", &pos, &b)) {
		if (!span_eq(b.name, span_str(k->name)))
			continue;
		if (k->peer == PEER_LOGIN) {
			s->min_avail = (uint32_t)set_block_num(&b, "process_min_avail");
			s->process_limit = (uint32_t)set_block_num(&b, "process_limit");
			if (s->process_limit == 0)
				s->process_limit = (uint32_t)set_num(v, SET_default_process_limit);
			if (s->min_avail == 0)
				s->min_avail = default_processes(&b);
			if (s->process_limit < 1)
				s->process_limit = 1;
		}
		if (k->listens && listeners_read(&s->listeners, v, &b, e) == -1)
			return -1;
		/* Only where somebody gave it a socket. */
		s->enabled = s->kind != KIND_QUOTA_STATUS || s->listeners.n > 0;
		return 0;
	}
	return 0;
}

static void
svcs_clear(struct svc svc[KINDS])
{
	for (enum kind k = 0; k < KINDS; k++)
		listeners_clear(&svc[k].listeners, false);
}

/* The services of a view in svc, with their sockets bound (those of old reused). */
static int
read_services(struct svc svc[KINDS], const struct svc *old, const struct set_view *v, int patience_ms, struct err *e)
{
	memset(svc, 0, KINDS * sizeof(svc[0]));
	for (enum kind k = 0; k < KINDS; k++) {
		svc[k].kind = k;
		if (read_service(&svc[k], v, e) == -1 ||
		    listeners_bind(&svc[k].listeners, old == NULL ? NULL : &old[k].listeners, patience_ms, e) == -1) {
			err_wrap(e, "service %s", kinds[k].name);
			svcs_clear(svc);
			return -1;
		}
	}
	/* It asks deliver, whether LMTP is served or not. */
	svc[KIND_DELIVER].enabled = svc[KIND_DELIVER].enabled || svc[KIND_QUOTA_STATUS].enabled;
	return 0;
}

static void
take_service(struct svc *to, const struct svc *from)
{
	to->enabled = from->enabled;
	to->listeners = from->listeners;
	to->min_avail = from->min_avail;
	to->process_limit = from->process_limit;
	to->backoff.deaths = 0;
}

static int
make_dirs(const struct set_view *v, struct err *e)
{
	struct span base = set_str(v, SET_base_dir);
	char path[4096];
	static const char *const below[] = { "", "/login", "/empty" };

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		snprintf(path, sizeof(path), "%.*s%s", SPAN_ARG(base), below[i]);
		if (dir_make(path, 0755, e) == -1)
			return -1;
	}
	return 0;
}

static void
raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == -1)
		return;
	if (geteuid() == 0 && lim.rlim_max < 65536)
		lim.rlim_max = 65536;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

/* Services that the server can not do without must be there before anything is started. */
static int
check_programs(struct master *m, struct err *e)
{
	char path[4096];

	for (enum kind k = 0; k < KINDS; k++)
		if (m->svc[k].enabled && proc_program(m, k, path, sizeof(path), e) == -1)
			return err_wrap(e, "service %s", kinds[k].name);
	return 0;
}

static bool
all_ready(const struct master *m)
{
	for (enum kind k = 0; k < KINDS; k++) {
		const struct proc *p;

		if (!m->svc[k].enabled)
			continue;
		for (p = m->procs; p != NULL; p = p->next)
			if (p->kind == k && proc_is_current(p) && p->ready && !p->told_to_stop)
				break;
		if (p == NULL)
			return false;
	}
	return true;
}

static bool
front_is_left(const struct master *m, unsigned generation)
{
	for (const struct proc *p = m->procs; p != NULL; p = p->next)
		if (kinds[p->kind].is_front && p->generation <= generation && !proc_is_current(p))
			return true;
	return false;
}

/* Old services that nobody can ask any more end when their sessions have. */
static void
retire(struct master *m, bool at_once)
{
	if (m->reload_pending)
		return;
	for (struct proc *p = m->procs; p != NULL; p = p->next)
		if (!proc_is_current(p) && (kinds[p->kind].is_front || at_once || !front_is_left(m, p->generation)))
			proc_stop(p);
}

static void
on_retire(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	retire(w->data, true);
}

/* The new generation serves: the old one may go. */
static void
finish_reload(struct master *m)
{
	m->reload_pending = false;
	ev_timer_stop(m->loop, &m->ready_timer);
	retire(m, false);
	/* No client is before its login for longer than that. */
	ev_timer_stop(m->loop, &m->retire_timer);
	ev_timer_set(&m->retire_timer, (double)set_ms(m->view, SET_login_max_time) / 1000. + 10., 0.);
	ev_timer_start(m->loop, &m->retire_timer);
	notify_system("READY=1");
}

/* The old services go on until the new ones serve: the binaries may have been replaced by ones that want a new start. */
static void
on_ready_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	log_error("not all services serve with the new configuration; the old ones go on meanwhile");
	notify_system("READY=1");
}

static bool
is_left(const struct master *m, bool front, bool rest, bool workers)
{
	for (const struct proc *p = m->procs; p != NULL; p = p->next) {
		bool is_rest = p->kind == KIND_AUTH || p->kind == KIND_HUB, is_front = kinds[p->kind].peer == PEER_LOGIN;

		if ((front && is_front) || (rest && is_rest) || (workers && !is_front && !is_rest))
			return true;
	}
	return false;
}

static void
signal_phase(struct master *m, int sig)
{
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		bool is_rest = p->kind == KIND_AUTH || p->kind == KIND_HUB, is_front = kinds[p->kind].peer == PEER_LOGIN;

		if (m->phase == PHASE_STOP_WORKERS ? !is_rest && !is_front : m->phase == PHASE_STOP_FRONT ? is_front : true)
			proc_term(p, sig);
	}
}

/*
 * The end in three steps: sessions first (their last words still go out through the login processes that do TLS), then
 * those, then the rest.
 */
static void
next_phase(struct master *m)
{
	for (;;) {
		if (m->phase == PHASE_STOP_WORKERS && !is_left(m, false, false, true))
			m->phase = PHASE_STOP_FRONT;
		else if (m->phase == PHASE_STOP_FRONT && !is_left(m, true, false, false))
			m->phase = PHASE_STOP_REST;
		else if (m->phase == PHASE_STOP_REST && m->procs == NULL) {
			ev_break(m->loop, EVBREAK_ALL);
			return;
		} else
			return;
		signal_phase(m, SIGTERM);
		ev_timer_stop(m->loop, &m->phase_timer);
		ev_timer_set(&m->phase_timer, REST_GRACE, 0.);
		ev_timer_start(m->loop, &m->phase_timer);
	}
}

static void
on_phase_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct master *m = w->data;

	(void)revents;
	log_warning("services that did not end in time are killed");
	signal_phase(m, SIGKILL);
	ev_timer_set(w, REST_GRACE, 0.);
	ev_timer_start(loop, w);
}

void
master_stop(struct master *m)
{
	if (m->phase > PHASE_RUNNING) {
		/* Told twice: no more patience. */
		for (struct proc *p = m->procs; p != NULL; p = p->next)
			proc_term(p, SIGKILL);
		return;
	}
	notify_system("STOPPING=1");
	log_info("stopping");
	m->phase = PHASE_STOP_WORKERS;
	for (struct proc *p = m->procs; p != NULL; p = p->next)
		if (kinds[p->kind].peer == PEER_LOGIN)
			proc_stop(p);
	signal_phase(m, SIGTERM);
	ev_timer_set(&m->phase_timer, WORKERS_GRACE, 0.);
	ev_timer_start(m->loop, &m->phase_timer);
	next_phase(m);
}

static void
tell_parent(struct master *m, char status)
{
	if (m->ready_fd == -1)
		return;
	if (write(m->ready_fd, &status, 1) != 1)
		log_warning("telling who started us: %s", strerror(errno));
	close(m->ready_fd);
	m->ready_fd = -1;
}

void
master_proc_ready(struct master *m)
{
	if (m->phase > PHASE_RUNNING) {
		next_phase(m);
		return;
	}
	if (m->phase == PHASE_STARTING && all_ready(m)) {
		m->phase = PHASE_RUNNING;
		log_info("Culver %s is ready", PACKAGE_VERSION);
		notify_system("READY=1");
		tell_parent(m, 0);
		if (m->reload_wanted) {
			struct err e = ERR_INIT;

			master_reload(m, &e);
		}
	}
	if (m->reload_pending && all_ready(m))
		finish_reload(m);
	retire(m, false);
}

static int
load(struct master *m, int *image_fd, struct settings **settings, struct set_view **view, struct err *e)
{
	if (master_read_config(m, image_fd, settings, view, say_in_log, e) == -1)
		return -1;
	if (!span_eq(set_str(*view, SET_base_dir), set_str(m->view, SET_base_dir)))
		return err_set(e, ERR_SYNTAX, "base_dir can only be changed by a new start");
	return 0;
}

int
master_reload(struct master *m, struct err *e)
{
	struct svc svc[KINDS];
	const struct array *now[KINDS];
	struct settings *settings = NULL;
	struct set_view *view = NULL;
	int image_fd = -1;

	if (m->phase == PHASE_STARTING) {
		m->reload_wanted = true;
		return 0;
	}
	if (m->phase > PHASE_RUNNING)
		return err_set(e, ERR_INUSE, "the server is stopping");
	notify_system("RELOADING=1");
	/* logs_open comes last of what may fail: it closes the old files. */
	if (load(m, &image_fd, &settings, &view, e) == -1 || read_services(svc, m->svc, view, 0, e) == -1)
		goto fail;
	if (logs_open(&m->logs, view, e) == -1) {
		svcs_clear(svc);
		goto fail;
	}
	for (enum kind k = 0; k < KINDS; k++)
		now[k] = &svc[k].listeners;
	for (enum kind k = 0; k < KINDS; k++) {
		listeners_unlink_gone(&m->svc[k].listeners, now, KINDS);
		listeners_clear(&m->svc[k].listeners, false);
		ev_timer_stop(m->loop, &m->svc[k].restart);
		take_service(&m->svc[k], &svc[k]);
	}
	set_view_free(m->view);
	settings_close(m->settings);
	close(m->image_fd);
	m->view = view;
	m->settings = settings;
	m->image_fd = image_fd;
	m->generation++;
	m->reload_pending = true;
	for (enum kind k = 0; k < KINDS; k++)
		proc_ensure(&m->svc[k]);
	ev_timer_stop(m->loop, &m->ready_timer);
	ev_timer_set(&m->ready_timer, READY_MAX, 0.);
	ev_timer_start(m->loop, &m->ready_timer);
	log_info("configuration reloaded");
	master_proc_ready(m);
	return 0;
fail:
	if (view != NULL)
		set_view_free(view);
	if (settings != NULL)
		settings_close(settings);
	if (image_fd != -1)
		close(image_fd);
	log_warning("the old configuration stays: %s", e->log);
	notify_system("READY=1");
	return -1;
}

static void
on_sighup(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct err e = ERR_INIT;

	(void)loop;
	(void)revents;
	log_info("SIGHUP: reloading");
	master_reload(w->data, &e);	/* a failure is in the log already */
}

static void
on_sigterm(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	master_stop(w->data);
}

static void
on_sigusr1(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct master *m = w->data;
	struct err e = ERR_INIT;

	(void)loop;
	(void)revents;
	if (logs_open(&m->logs, m->view, &e) == -1) {
		log_error("reopening the log: %s", e.log);
		return;
	}
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		struct ipc_out o;

		if (p->control == NULL)
			continue;
		ipc_begin(&o, MSG_LOG_FILES);
		logs_put(&m->logs, &o);
		peer_send(p->control, &o);
	}
	log_info("log files reopened");
}

static struct master *hooked;

static void
on_own_line(enum log_level level, const char *line)
{
	log_memory_add(hooked->memory, level, line, strlen(line), time(NULL));
}

static void
watch_signal(struct master *m, ev_signal *w, void (*on_signal)(struct ev_loop *, ev_signal *, int), int sig)
{
	ev_signal_init(w, on_signal, sig);
	w->data = m;
	ev_signal_start(m->loop, w);
}

int
master_start(struct master *m, struct err *e)
{
	struct svc svc[KINDS];

	raise_limits();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a log that reached a limit is no reason to go */
	m->loop = ev_default_loop(EVFLAG_NOENV);
	m->memory = log_memory_new(1000);
	if (m->loop == NULL || m->memory == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	random_bytes(m->seal, sizeof(m->seal));
	procs_init(m);
	m->tool_fd = -1;
	/* Before anybody can see that we are there, and send one. */
	watch_signal(m, &m->sig_hup, on_sighup, SIGHUP);
	watch_signal(m, &m->sig_term, on_sigterm, SIGTERM);
	watch_signal(m, &m->sig_int, on_sigterm, SIGINT);
	watch_signal(m, &m->sig_usr1, on_sigusr1, SIGUSR1);
	if (make_dirs(m->view, e) == -1 || read_services(svc, NULL, m->view, BIND_PATIENCE_MS, e) == -1)
		return -1;
	for (enum kind k = 0; k < KINDS; k++)
		take_service(&m->svc[k], &svc[k]);
	if (check_programs(m, e) == -1 || tool_listen(m, e) == -1 || logs_open(&m->logs, m->view, e) == -1)
		return -1;
	hooked = m;
	log_hook(on_own_line);
	ev_timer_init(&m->phase_timer, on_phase_timer, 0., 0.);
	ev_timer_init(&m->retire_timer, on_retire, 0., 0.);
	ev_timer_init(&m->ready_timer, on_ready_timer, 0., 0.);
	m->phase_timer.data = m->retire_timer.data = m->ready_timer.data = m;
	for (enum kind k = 0; k < KINDS; k++)
		proc_ensure(&m->svc[k]);
	return 0;
}

int
master_run(struct master *m)
{
	ev_run(m->loop, 0);
	tell_parent(m, 1);
	tool_close(m);
	for (enum kind k = 0; k < KINDS; k++)
		listeners_clear(&m->svc[k].listeners, true);
	log_info("stopped");
	return m->exit_status;
}
