/* SPDX-License-Identifier: MIT */
#include "lib-protocol/worker-child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/stream.h"
#include "lib/title.h"
#include "lib-config/vars.h"
#include "lib-protocol/worker-private.h"

#define SAY_IN_MAX 4096		/* of input, of which none is read */
#define SAY_MS 2000
#define PATHS_MEMORY (1 << 20)

static volatile sig_atomic_t told_to_end;
static int ending_fd = -1, log_fd = -1;

bool
worker_is_told_to_end(void)
{
	return told_to_end != 0;
}

void
worker_say(int fd, const char *text)
{
	struct stream io;
	struct err ignored = ERR_INIT;

	stream_init_fd(&io, fd, SAY_IN_MAX, SAY_MS);
	stream_puts(&io, text);
	stream_flush(&io, &ignored);
	stream_clear(&io);
}

static void
on_sigterm(int sig)
{
	int saved = errno;

	(void)sig;
	told_to_end = 1;
	if (ending_fd != -1)
		shutdown(ending_fd, SHUT_RD);
	errno = saved;
}

/* For `culveradm log errors'.  A parent that is busy misses a line there; the log file has it. */
static void
on_log_line(enum log_level level, const char *line)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_LOG_LINE);
	ipc_put_u32(&o, F_LEVEL, (uint32_t)level);
	ipc_put_str(&o, F_TEXT, line);
	if (ipc_send(log_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

static bool
address_of(struct span text, uint32_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	char s[64];

	memset(out, 0, sizeof(*out));
	if (text.n == 0 || text.n >= sizeof(s))
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	if (inet_pton(AF_INET, s, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return true;
	}
	if (inet_pton(AF_INET6, s, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return true;
	}
	return false;
}

/* mail_log_prefix, without the ": " at its end, which the log adds itself. */
static void
set_log_prefix(const struct worker_parent_options *o, const struct worker_session *ws, const struct set_view *view)
{
	struct var vars[VARS_USER_COUNT + 6];
	struct buf text = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct span s;
	char pid[16];
	size_t n = VARS_USER_COUNT;

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	vars_for_user(vars, ws->id.user, ws->id.home);
	vars[n++] = (struct var){ 's', "service", span_str(o->service) };
	vars[n++] = (struct var){ 'p', "pid", span_str(pid) };
	vars[n++] = (struct var){ 0, "session", ws->session };
	vars[n++] = (struct var){ 'r', "rip", ws->rip };
	vars[n++] = (struct var){ 'l', "lip", ws->lip };
	vars[n] = (struct var){ 0, NULL, SPAN_NONE };
	if (vars_expand(&text, set_str(view, SET_mail_log_prefix), vars, &e) == 0 && !text.failed) {
		s = span_trim(buf_span(&text));
		if (s.n > 0 && s.p[s.n - 1] == ':')
			s.n--;
		log_prefix("%.*s", SPAN_ARG(s));
	} else
		log_prefix("%s(%.*s)", o->service, SPAN_ARG(ws->id.user));
	buf_clear(&text);
}

/* The login has succeeded and login has let go of the client: only here can he still be told that nothing comes of it. */
static void
give_up(const struct worker_parent_options *o, const struct worker_session *ws, const struct err *e)
{
	if (o->refuse != NULL && ws->client_fd != -1)
		o->refuse(ws->client_fd, ws->tag);
	log_fatal("%s", e->log);
}

static struct set_view *
make_view(struct service *s, const struct worker_parent_options *o, const struct worker_session *ws)
{
	struct sockaddr_storage local, remote;
	struct set_filter f = { .protocol = worker_protocol(o), .local_name = SPAN_NONE };
	struct set_view *view;
	struct err e = ERR_INIT;

	if (address_of(ws->lip, ws->lport, &local))
		f.local = &local;
	if (address_of(ws->rip, ws->rport, &remote))
		f.remote = &remote;
	view = set_view_new(s->settings, &f);
	if (view == NULL)
		log_fatal("out of memory");
	set_log_prefix(o, ws, view);
	if (identity_apply(&ws->id, view, &e) == -1)
		give_up(o, ws, &e);
	return view;
}

static void
storage_params_of(const struct worker_parent_options *o, const struct worker_session *ws, const struct set_view *view,
    struct storage_params *out)
{
	*out = (struct storage_params){ .view = view, .user = ws->id.user, .home = ws->id.home,
					.protocol = span_str(worker_protocol(o)), .rip = ws->rip, .lip = ws->lip,
					.session = ws->session, .notify_fd = ws->hub_fd };
}

/* Homes that only databases know are asked for while there is a way to; the memory stays. */
static void
learn_homes(const struct worker_parent_options *o, const struct worker_session *ws, const struct set_view *view,
    struct session_start *ss)
{
	struct arena *a = o->homes == NULL ? NULL : arena_new(PATHS_MEMORY);
	struct storage_params p;
	struct user_home *homes;
	struct span *users = NULL;
	size_t count = 0;
	struct err e = ERR_INIT;

	storage_params_of(o, ws, view, &p);
	if (a != NULL && o->homes(&p, a, &users, &count, &e) == -1)
		log_error("%s", e.log);
	homes = count == 0 ? NULL : arena_alloc(a, count, sizeof(*homes));
	if (homes == NULL) {
		arena_free(a);
		return;
	}
	ss->home_count = worker_homes_ask(ws->parent_fd, users, count, a, homes);
	ss->homes = homes;
}

/* What the C library and iconv look at while running. */
const char *const worker_system_paths[] = {
	"/usr/lib", "/usr/share/zoneinfo", "/etc/localtime", "/proc/sys/kernel/random/boot_id", NULL
};

/* Seccomp is inherited from the parent, as a rule. */
static void
shut_in(const struct worker_parent_options *o, const struct worker_shut *shut, const struct worker_session *ws,
    const struct set_view *view, const struct session_start *ss)
{
	struct arena *a = arena_new(PATHS_MEMORY);
	const char *const *rw = NULL;
	struct storage_params p;
	struct err e = ERR_INIT;
	enum priv_confined confined = PRIV_CONFINED_NOT;

	storage_params_of(o, ws, view, &p);
	p.homes = ss->homes;
	p.home_count = ss->home_count;
	if (a == NULL)
		log_fatal("out of memory");
	if (o->paths != NULL && (o->paths(&p, a, &rw, &e) == -1 ||
	    (o->makes_links ? priv_landlock_links : priv_landlock)(rw, worker_system_paths, &confined, &e) == -1))
		give_up(o, ws, &e);
	arena_free(a);
	if (priv_no_fork(&e) == -1 ||
	    ((shut->always || confined != PRIV_CONFINED_FILES_AND_SIGNALS) && priv_filter_apply(shut->filter, &e) == -1))
		give_up(o, ws, &e);
}

/* From root to the mail user, with all that serving takes; exits when nothing comes of it. */
static void
begin(struct service *s, const struct worker_parent_options *o, const struct worker_session *ws, struct session_start *ss)
{
	struct sigaction sa = { .sa_handler = on_sigterm };
	struct set_view *view;
	struct err e = ERR_INIT;
	pid_t parent = getppid();

	ending_fd = ws->client_fd;
	sigaction(SIGTERM, &sa, NULL);
	log_fd = ws->parent_fd;
	if (log_fd != -1)
		log_hook(on_log_line);
	view = make_view(s, o, ws);
	if (identity_become(&ws->id, view, &e) == -1)
		give_up(o, ws, &e);
	if (set_bool(view, SET_verbose_proctitle))
		title_set("%.*s/%s [%.*s %.*s]", SPAN_ARG(set_str(view, SET_instance_name)), o->service,
			  SPAN_ARG(ws->id.user), SPAN_ARG(ws->rip));
	if (set_bool(view, SET_shutdown_clients)) {
		/* After the change of user, which resets it. */
		prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		if (getppid() != parent)
			_exit(0);
	}
	*ss = (struct session_start){ .settings = s->settings, .view = view, .id = ws->id, .client_fd = ws->client_fd,
				      .hub_fd = ws->hub_fd, .parent_fd = ws->parent_fd, .session = ws->session,
				      .rip = ws->rip, .lip = ws->lip, .rport = ws->rport, .lport = ws->lport,
				      .secured = ws->secured, .tag = ws->tag, .preread = ws->preread,
				      .state = ws->state };
	learn_homes(o, ws, view, ss);
}

void
worker_child_run(struct service *s, const struct worker_parent_options *o, const struct worker_shut *shut,
    const struct worker_session *ws)
{
	struct session_start ss;

	begin(s, o, ws, &ss);
	shut_in(o, shut, ws, ss.view, &ss);
	/* Nothing of the parent's is undone here: its atexit work and buffers are not ours. */
	_exit(o->serve(&ss));
}

void
worker_child_behind(struct service *s, const struct worker_parent_options *o, const struct worker_behind *behind,
    const struct worker_session *ws)
{
	struct worker_parent_options quiet = *o;
	struct session_start ss;

	/* There is no client to be told anything. */
	quiet.refuse = NULL;
	begin(s, &quiet, ws, &ss);
	if (set_bool(ss.view, SET_verbose_proctitle))
		title_set("%.*s/%s behind [%.*s %.*s]", SPAN_ARG(set_str(ss.view, SET_instance_name)), o->service,
			  SPAN_ARG(ws->id.user), SPAN_ARG(ws->rip));
	ss.behind = behind;
	_exit(o->behind(&ss));
}

void
worker_child_mark(struct service *s, const struct worker_parent_options *o, const struct worker_session *ws)
{
	struct set_view *view = make_view(s, o, ws);
	struct storage_params p;
	struct err e = ERR_INIT;

	if (identity_become(&ws->id, view, &e) == -1)
		log_fatal("%s", e.log);
	storage_params_of(o, ws, view, &p);
	p.notify_fd = -1;
	o->mark_suspect(&p);
	_exit(0);
}
