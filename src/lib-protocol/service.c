/* SPDX-License-Identifier: MIT */
#include "lib-protocol/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"

#define SETTINGS_FD 3
#define CONTROL_FD 4
#define LISTENER_FD 5
#define STATUS_DELAY 0.5	/* seconds: numbers for people; being full is told at once */
#define GROUPS_MAX 32

/* The process's own log, kept for forked children: they open syslog anew. */
static struct log_target log_to = { .fd = STDERR_FILENO, .info_fd = -1, .debug_fd = -1 };
static char log_timestamp[128], log_ident[64];
static struct service *hooked;	/* whose control socket takes the lines for `culveradm log errors' */
static char *listener_names;

static int
facility_of(struct span name)
{
	static const struct {
		const char *name;
		int number;
	} table[] = {
		{ "mail", LOG_MAIL }, { "daemon", LOG_DAEMON }, { "auth", LOG_AUTH }, { "authpriv", LOG_AUTHPRIV },
		{ "user", LOG_USER }, { "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
		{ "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
		{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (span_eq(name, span_str(table[i].name)))
			return table[i].number;
	return LOG_MAIL;
}

/* The descriptors were opened by the master: CULVER_LOG is "<errors> <info> <debug>", -1 as in struct log_target. */
static void
init_log(const struct service *s)
{
	const char *env = getenv("CULVER_LOG");

	if (env == NULL || sscanf(env, "%d %d %d", &log_to.fd, &log_to.info_fd, &log_to.debug_fd) != 3)
		log_to.fd = STDERR_FILENO;
	snprintf(log_ident, sizeof(log_ident), "%.*s", SPAN_ARG(set_str(s->view, SET_instance_name)));
	snprintf(log_timestamp, sizeof(log_timestamp), "%.*s", SPAN_ARG(set_str(s->view, SET_log_timestamp)));
	log_to.syslog_ident = log_ident;
	log_to.syslog_facility = facility_of(set_str(s->view, SET_syslog_facility));
	log_to.timestamp = log_timestamp;
	log_to.debug = set_bool(s->view, SET_mail_debug) || set_bool(s->view, SET_auth_debug) ||
		set_bool(s->view, SET_verbose_ssl);
	log_init(&log_to);
}

static void
on_log_line(enum log_level level, const char *line)
{
	struct ipc_out o;

	if (hooked == NULL || hooked->master == NULL)
		return;
	ipc_begin(&o, MSG_LOG_LINE);
	ipc_put_u32(&o, F_LEVEL, (uint32_t)level);
	ipc_put_str(&o, F_TEXT, line);
	/* Sending may log: that line must not come back here. */
	struct service *s = hooked;

	hooked = NULL;
	peer_send(s->master, &o);
	hooked = s;
}

static void
init_listeners(struct service *s)
{
	const char *env = getenv("CULVER_LISTENERS");
	struct span rest, line;
	size_t used = 0;

	if (env == NULL)
		return;
	listener_names = strdup(env);
	if (listener_names == NULL)
		log_fatal("out of memory");
	rest = span_str(listener_names);
	while (span_line(rest, &used, &line)) {
		struct service_listener *l = &s->listeners[s->listener_count];
		struct span kind, flags;

		if (s->listener_count == SERVICE_LISTENERS_MAX)
			log_fatal("more than %d listeners", SERVICE_LISTENERS_MAX);
		if (!span_next(&line, ' ', &kind) || !span_next(&line, ' ', &flags))
			log_fatal("CULVER_LISTENERS is malformed");
		l->fd = LISTENER_FD + (int)s->listener_count;
		l->is_unix = span_eq(kind, SPAN("unix"));
		l->ssl = span_chr(flags, 's') < flags.n;
		/* The line's own LF becomes the end of the name. */
		listener_names[line.p + line.n - listener_names] = '\0';
		l->name = line.p;
		fd_cloexec(l->fd, true);
		s->listener_count++;
	}
}

static void
maybe_end(struct service *s)
{
	if (s->stopping && s->clients == 0)
		ev_break(s->loop, EVBREAK_ALL);
}

static void
send_status(struct service *s)
{
	struct ipc_out o;

	ev_timer_stop(s->loop, &s->status_timer);
	s->told_clients = s->clients;
	ipc_begin(&o, MSG_STATUS);
	ipc_put_u32(&o, F_COUNT, s->clients);
	ipc_put_u32(&o, F_LIMIT, s->client_limit);
	peer_send(s->master, &o);
}

static void
on_status_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	send_status(w->data);
}

void
service_busy(struct service *s, uint32_t clients)
{
	bool was_full = s->told_clients >= s->client_limit, is_full = clients >= s->client_limit;

	s->clients = clients;
	if (was_full != is_full)
		send_status(s);
	else if (clients != s->told_clients && !ev_is_active(&s->status_timer)) {
		ev_timer_set(&s->status_timer, STATUS_DELAY, 0.);
		ev_timer_start(s->loop, &s->status_timer);
	}
	maybe_end(s);
}

static void
stop(struct service *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	/* The service's watchers on the listeners go first: nobody may watch a closed descriptor. */
	if (s->on_stop != NULL)
		s->on_stop(s);
	for (size_t i = 0; i < s->listener_count; i++)
		close(s->listeners[i].fd);
	s->listener_count = 0;
	maybe_end(s);
}

static int
on_stop(struct peer *p, struct ipc_msg *m, struct err *e)
{
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed stop");
	stop(peer_data(p));
	return 0;
}

void
service_retire(struct service *s)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_STATUS);
	ipc_put_u32(&o, F_COUNT, s->client_limit);
	ipc_put_u32(&o, F_LIMIT, s->client_limit);
	peer_send(s->master, &o);
	stop(s);
}

static int
on_channel(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct service *s = peer_data(p);
	struct span name = ipc_bytes(m, F_NAME, 64);
	int fd = ipc_fd(m);

	if (!ipc_end(m)) {
		close(fd);
		return err_set(e, ERR_SYNTAX, "malformed channel");
	}
	if (s->on_channel != NULL)
		s->on_channel(s, name, &fd);
	if (fd != -1)
		close(fd);
	return 0;
}

static int
on_peer(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct service *s = peer_data(p);
	unsigned kind = ipc_u32(m, F_KIND);
	int fd = ipc_fd(m);

	if (!ipc_end(m)) {
		close(fd);
		return err_set(e, ERR_SYNTAX, "malformed peer");
	}
	if (s->on_peer != NULL)
		s->on_peer(s, kind, &fd);
	if (fd != -1)
		close(fd);
	return 0;
}

/* New log files after a rotation take the places of the old ones: nobody has to learn new numbers. */
static int
on_log(struct peer *p, struct ipc_msg *m, struct err *e)
{
	const int places[] = { log_to.fd, log_to.info_fd, log_to.debug_fd };
	struct service *s = peer_data(p);

	for (size_t i = 0; i < 3; i++) {
		int fd;

		if (places[i] == -1)
			continue;
		fd = ipc_fd(m);
		if (fd == -1)
			break;
		dup3(fd, places[i], places[i] == STDERR_FILENO ? 0 : O_CLOEXEC);
		close(fd);
	}
	if (s->on_logs != NULL)
		s->on_logs(s);
	return ipc_end(m) ? 0 : err_set(e, ERR_SYNTAX, "malformed log descriptors");
}

static const struct ipc_rule master_rules[] = {
	{ MSG_STOP, PEER_MASTER, on_stop },
	{ MSG_CHANNEL, PEER_MASTER, on_channel },
	{ MSG_PEER, PEER_MASTER, on_peer },
	{ MSG_LOG_FILES, PEER_MASTER, on_log },
	{ 0, 0, NULL },
};

/* No orphans: what the master started ends with it, at once, so that the next start finds everything free. */
static void
on_master_gone(struct peer *p)
{
	(void)p;
	_exit(0);
}

static void
on_term(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct service *s = w->data;

	(void)revents;
	if (s->on_term != NULL)
		s->on_term(s);
	else
		ev_break(loop, EVBREAK_ALL);
}

static void
init_limits(struct service *s)
{
	struct set_block b;
	size_t pos = 0;
	uint64_t clients = 0, processes = 0;

	s->idle_kill_ms = set_ms(s->view, SET_default_idle_kill);
	while (set_block_next(s->view, NULL, "service", &pos, &b)) {
		if (!span_eq(b.name, span_str(s->name)))
			continue;
		s->block = b;	/* without a block of its own it stays empty */
		clients = set_block_num(&s->block, "client_limit");
		processes = set_block_num(&s->block, "process_limit");
		s->process_min_avail = (uint32_t)set_block_num(&s->block, "process_min_avail");
		s->service_count = (uint32_t)set_block_num(&s->block, "service_count");
		s->idle_kill_ms = set_block_ms(&s->block, "idle_kill");
		break;
	}
	if (clients == 0)
		clients = set_num(s->view, SET_default_client_limit);
	if (processes == 0)
		processes = set_num(s->view, SET_default_process_limit);
	s->client_limit = clients > UINT32_MAX ? UINT32_MAX : (uint32_t)clients;
	s->process_limit = processes > UINT32_MAX ? UINT32_MAX : (uint32_t)processes;
}

void
service_init(struct service *s, const char *name, const char *protocol)
{
	struct err e = ERR_INIT;
	struct set_filter filter = { .protocol = protocol };
	struct peer_options po = { .rules = master_rules, .kind = PEER_MASTER, .on_close = on_master_gone, .data = s };
	struct stat st;
	int control = CONTROL_FD;

	s->name = name;
	log_prefix("%s", name);
	if (fstat(CONTROL_FD, &st) == -1 || !S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "%s is started by culver, not by hand.\n", name);
		exit(64);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a limit on the size of files is an error of the write, and no end of the session */
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);	/* of a terminal: the master's business */
	signal(SIGUSR1, SIG_IGN);
	if (settings_open(SETTINGS_FD, &s->settings, &e) == -1)
		log_fatal("settings: %s", e.log);
	close(SETTINGS_FD);
	s->view = set_view_new(s->settings, &filter);
	if (s->view == NULL)
		log_fatal("out of memory");
	init_log(s);
	init_limits(s);
	fd_cloexec(control, true);
	s->loop = ev_default_loop(EVFLAG_NOENV);
	if (s->loop == NULL)
		log_fatal("no event loop");
	ev_timer_init(&s->status_timer, on_status_timer, 0., 0.);
	s->status_timer.data = s;
	ev_signal_init(&s->term, on_term, SIGTERM);
	s->term.data = s;
	ev_signal_start(s->loop, &s->term);
	ev_unref(s->loop);	/* the loop runs for the control socket's sake, not for this */
	init_listeners(s);
	s->master = peer_new(s->loop, &control, &po);
	if (s->master == NULL)
		log_fatal("out of memory");
	hooked = s;
	log_hook(on_log_line);
}

/* The groups of a list of names, separated by commas or spaces. */
static size_t
lookup_groups(struct span names, gid_t *out, size_t max)
{
	size_t count = 0;

	while (names.n > 0) {
		size_t n = 0;
		char name[64];
		struct err e = ERR_INIT;

		while (n < names.n && names.p[n] != ',' && names.p[n] != ' ')
			n++;
		if (n > 0 && n < sizeof(name)) {
			memcpy(name, names.p, n);
			name[n] = '\0';
			if (count == max || priv_lookup_group(name, &out[count], &e) == -1)
				log_fatal("extra_groups: %s: %s", name, e.log);
			count++;
		}
		names = span_from(names, n + 1);
	}
	return count;
}

static struct span
block_str(const struct service *s, const char *setting)
{
	return s->block.view == NULL ? SPAN_NONE : set_block_str(&s->block, setting);
}

void
service_drop(struct service *s, enum service_user user, const char *chroot_dir, int keep_capability)
{
	struct priv_user u = { .uid = geteuid(), .gid = getegid(), .chroot_dir = chroot_dir };
	struct span name = block_str(s, "user"), group = block_str(s, "group");
	struct span below = block_str(s, "chroot");
	gid_t groups[GROUPS_MAX];
	struct err e = ERR_INIT;
	char text[128], dir[4096];

	if (below.n > 0) {
		snprintf(dir, sizeof(dir), "%.*s/%.*s", SPAN_ARG(set_str(s->view, SET_base_dir)), SPAN_ARG(below));
		u.chroot_dir = dir;
	}
	if (geteuid() != 0) {
		/* A server of a plain user: it has one user, and no chroot(2). */
		u.chroot_dir = NULL;
		if (priv_drop(&u, &e) == -1)
			log_fatal("%s", e.log);
		return;
	}
	if (user == SERVICE_USER_ROOT && (name.n == 0 || span_eq(name, SPAN("root"))))
		return;
	if (user == SERVICE_USER_LOGIN && (name.n == 0 || span_eq(name, SPAN("root"))))
		name = set_str(s->view, SET_default_login_user);
	if (user == SERVICE_USER_INTERNAL && (name.n == 0 || span_eq(name, SPAN("root"))))
		name = set_str(s->view, SET_default_internal_user);
	if (group.n == 0 && span_eq(name, set_str(s->view, SET_default_internal_user)))
		group = set_str(s->view, SET_default_internal_group);
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(name));
	if (priv_lookup_user(text, &u.uid, &u.gid, &e) == -1)
		log_fatal("%s", e.log);
	if (group.n > 0) {
		snprintf(text, sizeof(text), "%.*s", SPAN_ARG(group));
		if (priv_lookup_group(text, &u.gid, &e) == -1)
			log_fatal("%s", e.log);
	}
	u.group_count = lookup_groups(block_str(s, "extra_groups"), groups, GROUPS_MAX);
	u.groups = groups;
	if (priv_drop_keep(&u, keep_capability, &e) == -1)
		log_fatal("giving up root: %s", e.log);
}

void
service_ready(struct service *s)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_READY);
	peer_send(s->master, &o);
}

void
service_want(struct service *s, const char *name)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_WANT);
	ipc_put_str(&o, F_NAME, name);
	peer_send(s->master, &o);
}

int
service_run(struct service *s)
{
	ev_run(s->loop, 0);
	hooked = NULL;
	log_hook(NULL);
	free(listener_names);
	listener_names = NULL;
	return 0;
}

void
service_child(struct service *s, const int *keep, size_t count)
{
	int low = STDERR_FILENO;

	hooked = NULL;
	log_hook(NULL);
	signal(SIGCHLD, SIG_DFL);	/* the loop's */
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	if (log_to.fd == -1)
		closelog();
	/* Closes the gaps between what is kept, in ascending order. */
	for (;;) {
		int next = -1;

		for (size_t i = 0; i < count; i++)
			if (keep[i] > low && (next == -1 || keep[i] < next))
				next = keep[i];
		if (log_to.info_fd > low && (next == -1 || log_to.info_fd < next))
			next = log_to.info_fd;
		if (log_to.debug_fd > low && (next == -1 || log_to.debug_fd < next))
			next = log_to.debug_fd;
		if (log_to.fd > low && (next == -1 || log_to.fd < next))
			next = log_to.fd;
		if (next == -1)
			break;
		if (next > low + 1)
			close_range((unsigned)low + 1, (unsigned)next - 1, 0);
		low = next;
	}
	close_range((unsigned)low + 1, ~0U, 0);
	if (log_to.fd == -1)
		log_init(&log_to);
	s->master = NULL;
	s->loop = NULL;
	s->listener_count = 0;
}

bool
service_death(int status, char *out, size_t room)
{
	if (WIFSIGNALED(status))
		snprintf(out, room, "killed by signal %d%s", WTERMSIG(status), WCOREDUMP(status) ? " (core dumped)" : "");
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		snprintf(out, room, "ended with status %d", WEXITSTATUS(status));
	else
		return false;
	return true;
}
