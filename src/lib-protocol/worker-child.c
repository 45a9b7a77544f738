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
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/stream.h"
#include "lib/sys.h"
#include "lib/title.h"
#include "lib-config/vars.h"
#include "lib-protocol/worker-private.h"

#define SAY_IN_MAX 4096		/* of input, of which none is read */
#define SAY_MS 2000
#define PATHS_MEMORY (1 << 20)
#define REST_HEAP_MAX (4 << 20)	/* a worker that has grown beyond this does not stay */

static int ending_fd = -1, log_fd = -1;

bool
worker_is_told_to_end(void)
{
	return end_wanted_ms() != 0;
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
	end_wanted();
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

/* Where the user's mail is, for Landlock and to find out later whether it still is there. */
struct walls {
	struct arena *arena;
	const char *const *paths;
	struct stat *are;	/* what is at each path: only device, inode and kind count */
	size_t count;
};

static void
walls_clear(struct walls *w)
{
	arena_free(w->arena);
	memset(w, 0, sizeof(*w));
}

static int
walls_find(const struct worker_parent_options *o, const struct worker_session *ws, const struct set_view *view,
    const struct session_start *ss, struct walls *out, struct err *e)
{
	struct storage_params p;

	memset(out, 0, sizeof(*out));
	storage_params_of(o, ws, view, &p);
	p.homes = ss->homes;
	p.home_count = ss->home_count;
	out->arena = arena_new(PATHS_MEMORY);
	if (out->arena == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (o->paths(&p, out->arena, &out->paths, e) == -1)
		return -1;
	while (out->paths[out->count] != NULL)
		out->count++;
	out->are = arena_alloc(out->arena, out->count + 1, sizeof(*out->are));
	if (out->are == NULL)
		return err_set(e, ERR_LIMIT, "too many mail locations");
	for (size_t i = 0; i < out->count; i++)
		if (stat(out->paths[i], &out->are[i]) == -1)
			memset(&out->are[i], 0, sizeof(out->are[i]));
	return 0;
}

/* A directory that was made anew is outside: Landlock knows the old one. */
static bool
walls_are_same(const struct walls *a, const struct walls *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->paths[i], b->paths[i]) != 0 || a->are[i].st_dev != b->are[i].st_dev ||
		    a->are[i].st_ino != b->are[i].st_ino || (a->are[i].st_mode & S_IFMT) != (b->are[i].st_mode & S_IFMT))
			return false;
	return true;
}

/* What the C library and iconv look at while running. */
const char *const worker_system_paths[] = {
	"/usr/lib", "/usr/share/zoneinfo", "/etc/localtime", "/proc/sys/kernel/random/boot_id", NULL
};

/* Seccomp is inherited from the parent, as a rule. */
static void
shut_in(const struct worker_parent_options *o, const struct worker_shut *shut, const struct worker_session *ws,
    const struct set_view *view, const struct session_start *ss, struct walls *walls)
{
	struct err e = ERR_INIT;
	enum priv_confined confined = PRIV_CONFINED_NOT;

	if (o->paths != NULL && (walls_find(o, ws, view, ss, walls, &e) == -1 ||
	    (o->makes_links ? priv_landlock_links : priv_landlock)(walls->paths, worker_system_paths, &confined, &e) == -1))
		give_up(o, ws, &e);
	if (priv_no_fork(&e) == -1 ||
	    ((shut->always || confined != PRIV_CONFINED_FILES_AND_SIGNALS) && priv_filter_apply(shut->filter, &e) == -1))
		give_up(o, ws, &e);
}

/* From one session to the next: what stays is what a new process would come to have. */
struct worker {
	struct service *service;
	const struct worker_parent_options *o;
	struct worker_session ws;
	struct set_view *view;
	struct walls walls;
	struct storage *kept;		/* of the session before */
	struct session_start ss;
	struct ipc_msg msg;		/* the strings of a later session are in it */
};

/* The settings, at least, allow it. */
static bool
may_stay(const struct worker *w)
{
	return w->ws.parent_fd != -1 && w->service->service_count != 1;
}

static void
begin_session(struct worker *w)
{
	const struct worker_session *ws = &w->ws;

	if (set_bool(w->view, SET_verbose_proctitle))
		title_set("%.*s/%s [%.*s %.*s]", SPAN_ARG(set_str(w->view, SET_instance_name)), w->o->service,
			  SPAN_ARG(ws->id.user), SPAN_ARG(ws->rip));
	w->ss = (struct session_start){ .settings = w->service->settings, .view = w->view, .id = ws->id,
					.client_fd = ws->client_fd, .hub_fd = ws->hub_fd, .parent_fd = ws->parent_fd,
					.session = ws->session, .rip = ws->rip, .lip = ws->lip, .rport = ws->rport,
					.lport = ws->lport, .secured = ws->secured, .tag = ws->tag, .preread = ws->preread,
					.state = ws->state };
	if (may_stay(w))
		w->ss.kept = &w->kept;
}

/* Whether a session may follow: every one must find what the first one found. */
static bool
may_rest(struct worker *w, unsigned served)
{
	struct err e = ERR_INIT;

	if (!may_stay(w) || (w->service->service_count != 0 && served >= w->service->service_count) || worker_is_told_to_end())
		return false;
	/* What others give to the user changes, and would be beyond the walls. */
	return w->ss.home_count == 0 && heap_used() <= REST_HEAP_MAX && (w->msg.data != NULL || ipc_msg_init(&w->msg, &e) == 0);
}

static void __attribute__((noreturn))
end_worker(struct worker *w, int status)
{
	storage_close(w->kept);
	/* Nothing of the parent's is undone here: its atexit work and buffers are not ours. */
	_exit(status);
}

static int
send_answer(const struct worker *w, uint16_t type, uint32_t code)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, type);
	if (type == MSG_SERVING)
		ipc_put_u32(&o, F_CODE, code);
	if (ipc_send(w->ws.parent_fd, &o, &e) == 0)
		return 0;
	ipc_out_clear(&o);
	return -1;
}

/* Lets go of all that was the session's. */
static void
end_session(struct worker *w)
{
	ending_fd = w->ws.parent_fd;	/* SIGTERM ends the wait for another session */
	close(w->ws.client_fd);
	if (w->ws.hub_fd != -1)
		close(w->ws.hub_fd);
	w->ws.client_fd = w->ws.hub_fd = -1;
	if (set_bool(w->view, SET_verbose_proctitle))
		title_set("%.*s/%s [idle %.*s]", SPAN_ARG(set_str(w->view, SET_instance_name)), w->o->service,
			  SPAN_ARG(w->ws.id.user));
}

static bool
take_session(struct worker *w)
{
	struct worker_session *ws = &w->ws;
	struct ipc_msg *m = &w->msg;

	ws->session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX);
	ws->rip = ipc_bytes(m, F_RIP, WORKER_ADDRESS_MAX);
	ws->lip = ipc_bytes(m, F_LIP, WORKER_ADDRESS_MAX);
	ws->rport = ipc_u32(m, F_RPORT);
	ws->lport = ipc_u32(m, F_LPORT);
	ws->secured = ipc_u32(m, F_SECURED) != 0;
	ws->tag = ipc_opt_bytes(m, F_TAG, WORKER_TAG_MAX);
	ws->preread = ipc_opt_bytes(m, F_PREREAD, WORKER_PREREAD_MAX);
	ws->state = ipc_opt_bytes(m, F_STATE, WORKER_STATE_MAX);
	ws->client_fd = ipc_fd(m);
	if (m->fd_taken < m->fd_count)
		ws->hub_fd = ipc_fd(m);
	return ipc_end(m);
}

/* Whether a new process would be let into the same places. */
static bool
is_where_it_was(struct worker *w)
{
	struct walls now;
	struct arena *a = arena_new(PATHS_MEMORY);
	struct storage_params p;
	struct span *users;
	size_t count = 0;
	struct err e = ERR_INIT;
	bool ok = a != NULL;

	storage_params_of(w->o, &w->ws, w->view, &p);
	if (ok && w->o->homes != NULL)
		ok = w->o->homes(&p, a, &users, &count, &e) == 0 && count == 0;
	arena_free(a);
	if (!ok || w->o->paths == NULL)
		return ok;
	ok = walls_find(w->o, &w->ws, w->view, &w->ss, &now, &e) == 0 && walls_are_same(&now, &w->walls);
	walls_clear(&now);
	return ok;
}

/* Waits for another session; ends the process when none comes. */
static void
rest(struct worker *w)
{
	struct err e = ERR_INIT;

	end_session(w);
	if (send_answer(w, MSG_REST, 0) == -1)
		end_worker(w, 0);
	do {
		/* Before the look at that a signal may have come; after it the wait ends at once. */
		if (worker_is_told_to_end() || ipc_recv_wait(w->ws.parent_fd, &w->msg, -1, &e) != 1)
			end_worker(w, 0);
		/* Others were for the session that is over. */
	} while (w->msg.type != MSG_SERVE);
	if (!take_session(w))
		log_fatal("malformed session");
	if (!is_where_it_was(w)) {
		send_answer(w, MSG_SERVING, 1);
		end_worker(w, 0);
	}
	ending_fd = w->ws.client_fd;
	if (worker_is_told_to_end())
		shutdown(ending_fd, SHUT_RD);
	set_log_prefix(w->o, &w->ws, w->view);
	if (send_answer(w, MSG_SERVING, 0) == -1)
		end_worker(w, 0);
}

/* From root to the mail user, with all that serving takes; exits when nothing comes of it. */
static void
begin(struct worker *w, struct service *s, const struct worker_parent_options *o, const struct worker_session *ws)
{
	struct sigaction sa = { .sa_handler = on_sigterm };
	struct err e = ERR_INIT;
	pid_t parent = getppid();

	w->service = s;
	w->o = o;
	w->ws = *ws;
	ending_fd = ws->client_fd;
	sigaction(SIGTERM, &sa, NULL);
	log_fd = ws->parent_fd;
	if (log_fd != -1)
		log_hook(on_log_line);
	w->view = make_view(s, o, ws);
	if (identity_become(&ws->id, w->view, &e) == -1)
		give_up(o, ws, &e);
	if (set_bool(w->view, SET_shutdown_clients)) {
		/* After the change of user, which resets it. */
		prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		if (getppid() != parent)
			_exit(0);
	}
	begin_session(w);
	learn_homes(o, ws, w->view, &w->ss);
}

void
worker_child_run(struct service *s, const struct worker_parent_options *o, const struct worker_shut *shut,
    const struct worker_session *ws)
{
	static struct worker w;

	begin(&w, s, o, ws);
	shut_in(o, shut, ws, w.view, &w.ss, &w.walls);
	if (!may_stay(&w))
		walls_clear(&w.walls);
	for (unsigned served = 1;; served++) {
		int status = o->serve(&w.ss);

		if (status != 0 || !may_rest(&w, served))
			end_worker(&w, status);
		rest(&w);
		begin_session(&w);
	}
}

void
worker_child_behind(struct service *s, const struct worker_parent_options *o, const struct worker_behind *behind,
    const struct worker_session *ws)
{
	static struct worker w;
	struct worker_parent_options quiet = *o;

	/* There is no client to be told anything. */
	quiet.refuse = NULL;
	begin(&w, s, &quiet, ws);
	if (set_bool(w.view, SET_verbose_proctitle))
		title_set("%.*s/%s behind [%.*s %.*s]", SPAN_ARG(set_str(w.view, SET_instance_name)), o->service,
			  SPAN_ARG(ws->id.user), SPAN_ARG(ws->rip));
	w.ss.behind = behind;
	_exit(o->behind(&w.ss));
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
