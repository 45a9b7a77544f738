/* SPDX-License-Identifier: MIT */
#include "lib-protocol/worker-parent.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-protocol/worker-private.h"

#define SESSION_MEMORY (256 << 10)	/* strings of one session that is about to start */
#define HUB_PATIENCE 2.		/* seconds a session waits for a hub that is away */
#define STRINGS 6			/* of a running session */
#define END_GRACE 5.		/* seconds that sessions have for their end when the server stops */

void
worker_pending_free(struct pending *p)
{
	struct parent *pa = p->parent;

	if (p->auth_question != 0)
		auth_client_forget(pa->auth, p->auth_question);
	if (p->hub_question != 0)
		hub_client_forget(pa->hub, p->hub_question);
	if (p->given_to != NULL)
		p->given_to->taking = NULL;
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		pa->pending = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	pa->pending_count--;
	if (p->ws.client_fd != -1)
		close(p->ws.client_fd);
	for (int i = 0; i < 2; i++)
		if (p->hub_pair[i] != -1)
			close(p->hub_pair[i]);
	arena_free(p->arena);
	free(p);
}

static void
refuse(struct pending *p, enum auth_fail why, struct span text)
{
	struct ipc_out o;

	if (p->login != NULL) {
		ipc_begin(&o, MSG_SESSION_FAIL);
		ipc_put_u32(&o, F_ID, p->login_id);
		ipc_put_u32(&o, F_CODE, why);
		ipc_put_bytes(&o, F_TEXT, text);
		peer_send(p->login, &o);
	}
	worker_pending_free(p);
}

void
worker_running_name(struct running *r, struct span session)
{
	r->ws.session = span_of(r->session, session.n < sizeof(r->session) ? session.n : sizeof(r->session));
	if (r->ws.session.n > 0)
		memcpy(r->session, session.p, r->ws.session.n);
}

/* What is kept of a session while it runs, to tell a new hub of it and to act in its user's name. */
struct running *
worker_running_new(struct parent *pa, const struct worker_session *ws)
{
	const struct span *parts[] = { &ws->id.user, &ws->id.home, &ws->id.fields, &ws->id.chroot_dir, &ws->rip,
				       &ws->lip };
	struct span *copies[STRINGS];
	struct running *r;
	size_t n = 0;
	char *at;

	for (size_t i = 0; i < STRINGS; i++)
		n += parts[i]->n;
	r = calloc(1, sizeof(*r) + n);
	if (r == NULL)
		return NULL;
	r->parent = pa;
	r->ws.id = ws->id;
	r->ws.rport = ws->rport;
	r->ws.lport = ws->lport;
	r->ws.secured = ws->secured;
	worker_running_name(r, ws->session);
	r->ws.client_fd = r->ws.hub_fd = r->ws.parent_fd = -1;
	copies[0] = &r->ws.id.user;
	copies[1] = &r->ws.id.home;
	copies[2] = &r->ws.id.fields;
	copies[3] = &r->ws.id.chroot_dir;
	copies[4] = &r->ws.rip;
	copies[5] = &r->ws.lip;
	at = r->strings;
	for (size_t i = 0; i < STRINGS; i++) {
		if (parts[i]->n > 0)
			memcpy(at, parts[i]->p, parts[i]->n);
		*copies[i] = span_of(at, parts[i]->n);
		at += parts[i]->n;
	}
	r->next = pa->running;
	if (r->next != NULL)
		r->next->prev = r;
	pa->running = r;
	return r;
}

void
worker_running_free(struct running *r)
{
	worker_home_forget(r);
	worker_behind_forget(r);
	peer_free(r->channel);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->parent->running = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	free(r);
}

/* A worker's warning, on its way to `culveradm log errors'. */
static int
on_worker_log(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(p);
	uint32_t level = ipc_u32(m, F_LEVEL);
	struct span text = ipc_bytes(m, F_TEXT, 2048);
	struct ipc_out o;

	if (!ipc_end(m) || level > LOG_LVL_FATAL)
		return err_set(e, ERR_SYNTAX, "malformed log line");
	ipc_begin(&o, MSG_LOG_LINE);
	ipc_put_u32(&o, F_LEVEL, level);
	ipc_put_bytes(&o, F_TEXT, text);
	peer_send(r->parent->service.master, &o);
	return 0;
}

/* A worker has its client no more.  Which login process is meant is not the worker's to say. */
static int
on_worker_back(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(p);
	struct span preread = ipc_opt_bytes(m, F_PREREAD, WORKER_PREREAD_MAX);
	int fd = ipc_fd(m);
	struct ipc_out o;

	if (!ipc_end(m) || !r->parent->o->gives_back) {
		if (fd != -1)
			close(fd);
		return err_set(e, ERR_SYNTAX, "malformed return of a client");
	}
	if (r->login != NULL) {
		ipc_begin(&o, MSG_SESSION_BACK);
		if (preread.n > 0)
			ipc_put_bytes(&o, F_PREREAD, preread);
		ipc_put_fd(&o, fd);
		peer_send(r->login, &o);
	}
	r->login = NULL;
	close(fd);
	return 0;
}

static const struct ipc_rule worker_rules[] = {
	{ MSG_SESSION_BACK, PEER_WORKER, on_worker_back },
	{ MSG_LOG_LINE, PEER_WORKER, on_worker_log },
	{ MSG_HIBERNATE, PEER_WORKER, worker_hibernate },
	{ MSG_HOME, PEER_WORKER, worker_home },
	{ MSG_BEHIND, PEER_WORKER, worker_behind_wanted },
	{ MSG_REST, PEER_WORKER, worker_rest },
	{ MSG_SERVING, PEER_WORKER, worker_serving },
	{ 0, 0, NULL },
};

/* The worker has gone, or lets go of us; its end is seen by SIGCHLD. */
static void
on_worker_close(struct peer *p)
{
	struct running *r = peer_data(p);

	r->channel = NULL;
	r->hibernate_id = 0;
	worker_home_forget(r);
	worker_rest_closed(r);
}

void
worker_running_channel(struct running *r, int *fd)
{
	const struct peer_options po = { .rules = worker_rules, .kind = PEER_WORKER, .on_close = on_worker_close, .data = r };

	r->channel = peer_new(r->parent->service.loop, fd, &po);
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
mark_suspect(struct running *dead)
{
	struct parent *pa = dead->parent;
	struct err e = ERR_INIT;
	struct running *r;

	if (pa->o->mark_suspect == NULL || dead->is_marker || (r = worker_running_new(pa, &dead->ws)) == NULL)
		return;
	r->is_marker = true;
	r->pid = children_fork(pa->children, NULL, 0, r, &e);
	if (r->pid == 0)
		worker_child_mark(&pa->service, pa->o, &r->ws);
	if (r->pid == -1) {
		log_error("marking the index of %.*s: %s", SPAN_ARG(r->ws.id.user), e.log);
		worker_running_free(r);
	}
}

static void
on_child_end(void *ctx, pid_t pid, int status, void *data)
{
	struct running *r = data;
	bool rested = r->rest != REST_NOT;	/* it had nothing open */
	char how[64];

	(void)ctx;
	worker_rest_ended(r);
	/* What it said before it ended: a client that it gave back may be among that. */
	peer_drain(r->channel);
	worker_rest_heard(r);
	if (!r->killed && service_death(status, how, sizeof(how))) {
		log_error("user %.*s: session <%.*s>: process %ld was %s", SPAN_ARG(r->ws.id.user),
			  SPAN_ARG(r->ws.session), (long)pid, how);
		if (WIFSIGNALED(status) && !rested)
			mark_suspect(r);
	}
	worker_running_free(r);
}

void
worker_started(struct pending *p, struct running *r)
{
	struct ipc_out o;

	hub_client_started(p->parent->hub, r->ws.session, (uint32_t)r->pid);
	r->login = p->login;
	if (p->login != NULL) {
		ipc_begin(&o, MSG_SESSION_OK);
		ipc_put_u32(&o, F_ID, p->login_id);
		ipc_put_u32(&o, F_PID, (uint32_t)r->pid);
		peer_send(p->login, &o);
	}
	worker_pending_free(p);
}

void
worker_start(struct pending *p)
{
	struct parent *pa = p->parent;
	struct running *r = NULL;
	struct err e = ERR_INIT;
	int pair[2] = { -1, -1 }, keep[3];

	if (worker_rest_give(p))
		return;
	if (children_count(pa->children) + children_resting(pa->children) >= pa->service.process_limit)
		worker_rest_make_room(pa);
	p->ws.hub_fd = p->hub_pair[0];
	if (ipc_pair(pair, &e) == -1)
		goto fail;
	r = worker_running_new(pa, &p->ws);
	if (r == NULL) {
		err_set(&e, ERR_TEMP, "out of memory");
		goto fail;
	}
	p->ws.parent_fd = pair[1];
	keep[0] = p->ws.client_fd;
	keep[1] = p->ws.hub_fd;
	keep[2] = p->ws.parent_fd;
	r->pid = children_fork(pa->children, keep, 3, r, &e);
	if (r->pid == 0)
		worker_child_run(&pa->service, pa->o, &(struct worker_shut){ pa->filter, pa->filter_always }, &p->ws);
	if (r->pid == -1)
		goto fail;
	close(pair[1]);
	worker_running_channel(r, &pair[0]);
	r->may_rest = true;
	worker_started(p, r);
	return;
fail:
	log_error("user %.*s: %s", SPAN_ARG(p->ws.id.user), e.log);
	for (int i = 0; i < 2; i++)
		if (pair[i] != -1)
			close(pair[i]);
	if (r != NULL)
		worker_running_free(r);
	refuse(p, e.code == ERR_LIMIT ? AUTH_FAIL_LIMIT : AUTH_FAIL_TEMP, SPAN_NONE);
}

static void
on_hub_answer(void *ctx, bool allowed)
{
	struct pending *p = ctx;

	p->hub_question = 0;
	if (allowed)
		worker_start(p);
	else {
		log_info("user %.*s: mail_max_userip_connections reached for %.*s", SPAN_ARG(p->ws.id.user),
			 SPAN_ARG(p->ws.rip));
		refuse(p, AUTH_FAIL_LIMIT, SPAN("Too many sessions of this user from this address."));
	}
}

/* With the user's identity at hand: may there be one more session? */
void
worker_ask_hub(struct pending *p)
{
	struct parent *pa = p->parent;
	struct err e = ERR_INIT;
	struct hub_client_session hs = {
		.service = span_str(pa->o->service), .user = p->ws.id.user, .rip = p->ws.rip, .session = p->ws.session,
		/* Who wakes up was counted when he came. */
		.limit = p->is_waking ? 0 : (uint32_t)set_num(pa->service.view, SET_mail_max_userip_connections),
	};

	if (hub_client_is_there(pa->hub)) {
		if (ipc_pair(p->hub_pair, &e) == 0) {
			hs.fd = p->hub_pair[1];
			p->hub_question = hub_client_connect(pa->hub, &hs, on_hub_answer, p);
			close(p->hub_pair[1]);
			p->hub_pair[1] = -1;
			if (p->hub_question != 0)
				return;
			close(p->hub_pair[0]);
			p->hub_pair[0] = -1;
		}
		/* Descriptors or memory are out: let the start find out, and say so. */
		worker_start(p);
		return;
	}
	/* It comes back in a moment, as a rule; and a limit that holds only while hub is there is none. */
	p->waits_for_hub = true;
	if (!ev_is_active(&pa->hub_patience)) {
		ev_timer_set(&pa->hub_patience, HUB_PATIENCE, 0.);
		ev_timer_start(pa->service.loop, &pa->hub_patience);
	}
}

static struct pending *
next_waiting(struct parent *pa)
{
	struct pending *p = pa->pending;

	while (p != NULL && !p->waits_for_hub)
		p = p->next;
	if (p != NULL)
		p->waits_for_hub = false;
	return p;
}

/* A server without its hub still serves: it will be told of these sessions when it is back. */
static void
on_hub_patience(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *pa = w->data;
	struct pending *p;

	(void)loop;
	(void)revents;
	while ((p = next_waiting(pa)) != NULL)
		worker_start(p);
}

static void
on_redeemed(void *ctx, const struct auth_answer *a)
{
	struct pending *p = ctx;
	struct worker_session *ws = &p->ws;
	struct err e = ERR_INIT;

	p->auth_question = 0;
	if (p->login == NULL) {
		worker_pending_free(p);
		return;
	}
	if (a->fail != AUTH_FAIL_NONE || a->id == NULL) {
		refuse(p, a->fail == AUTH_FAIL_NONE ? AUTH_FAIL_TEMP : a->fail, a->text);
		return;
	}
	ws->id = *a->id;
	ws->id.user = arena_dup(p->arena, a->id->user);
	ws->id.home = arena_dup(p->arena, a->id->home);
	ws->id.fields = arena_dup(p->arena, a->id->fields);
	ws->id.chroot_dir = arena_dup(p->arena, a->id->chroot_dir);
	if (identity_check(&ws->id, p->parent->service.view, &e) == -1) {
		log_error("user %.*s: %s", SPAN_ARG(ws->id.user), e.log);
		refuse(p, AUTH_FAIL_TEMP, SPAN_NONE);
		return;
	}
	worker_ask_hub(p);
}

static struct span
copy(struct pending *p, struct span s)
{
	return arena_dup(p->arena, s);
}

struct pending *
worker_pending_new(struct parent *pa, struct peer *login, int *client_fd)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->arena = arena_new(SESSION_MEMORY)) == NULL) {
		free(p);
		close(*client_fd);
		return NULL;
	}
	p->parent = pa;
	p->login = login;
	p->hub_pair[0] = p->hub_pair[1] = -1;
	p->ws.client_fd = *client_fd;
	p->ws.hub_fd = p->ws.parent_fd = -1;
	p->next = pa->pending;
	if (p->next != NULL)
		p->next->prev = p;
	pa->pending = p;
	pa->pending_count++;
	return p;
}

static int
on_session(struct peer *login, struct ipc_msg *m, struct err *e)
{
	struct parent *pa = peer_data(login);
	uint32_t id = ipc_u32(m, F_ID);
	struct span token = ipc_bytes(m, F_TOKEN, AUTH_TOKEN_LEN), session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX);
	struct span rip = ipc_bytes(m, F_RIP, WORKER_ADDRESS_MAX), lip = ipc_bytes(m, F_LIP, WORKER_ADDRESS_MAX);
	struct span tag = ipc_opt_bytes(m, F_TAG, WORKER_TAG_MAX), preread = ipc_opt_bytes(m, F_PREREAD, WORKER_PREREAD_MAX);
	uint32_t secured = ipc_u32(m, F_SECURED), rport = ipc_u32(m, F_RPORT), lport = ipc_u32(m, F_LPORT);
	int fd = ipc_fd(m);
	struct pending *p;

	if (!ipc_end(m)) {
		if (fd != -1)
			close(fd);
		return err_set(e, ERR_SYNTAX, "malformed session");
	}
	fd_nonblock(fd, false);
	p = worker_pending_new(pa, login, &fd);
	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	p->login_id = id;
	p->ws.session = copy(p, session);
	p->ws.rip = copy(p, rip);
	p->ws.lip = copy(p, lip);
	p->ws.tag = copy(p, tag);
	p->ws.preread = copy(p, preread);
	p->ws.secured = secured != 0;
	p->ws.rport = rport;
	p->ws.lport = lport;
	if (children_count(pa->children) + pa->pending_count > pa->service.process_limit) {
		log_warning("process_limit (%u) reached, a client is refused", pa->service.process_limit);
		refuse(p, AUTH_FAIL_LIMIT, SPAN_NONE);
		return 0;
	}
	p->auth_question = auth_client_redeem(pa->auth, span_str(worker_protocol(pa->o)), token, on_redeemed, p);
	if (p->auth_question == 0)
		refuse(p, AUTH_FAIL_TEMP, SPAN_NONE);
	return 0;
}

static const struct ipc_rule login_rules[] = {
	{ MSG_SESSION, PEER_LOGIN, on_session },
	{ 0, 0, NULL },
};

/* Its clients have gone with it. */
static void
on_login_close(struct peer *login)
{
	struct parent *pa = peer_data(login);
	struct pending *p, *next;

	for (p = pa->pending; p != NULL; p = next) {
		next = p->next;
		if (p->login == login)
			worker_pending_free(p);
	}
	for (struct running *r = pa->running; r != NULL; r = r->next)
		if (r->login == login)
			r->login = NULL;
}

static void
on_peer(struct service *s, unsigned kind, int *fd)
{
	struct peer_options po = { .rules = login_rules, .kind = kind, .on_close = on_login_close, .data = s->data,
				   .queue_max = 16 << 20 };

	if (kind == PEER_HIBERNATE)
		worker_hibernate_peer(s->data, fd);
	else if (kind == PEER_LOGIN && peer_new(s->loop, fd, &po) == NULL)
		log_error("out of memory");
}

static void
on_channel(struct service *s, struct span name, int *fd)
{
	struct parent *pa = s->data;

	if (span_eq(name, SPAN("auth")))
		auth_client_channel(pa->auth, fd);
	else if (span_eq(name, SPAN("hub")))
		hub_client_channel(pa->hub, fd);
	else if (span_eq(name, SPAN("imap-hibernate")))
		worker_hibernate_channel(pa, fd);
}

static void
on_kick(void *ctx, uint32_t pid)
{
	struct parent *pa = ctx;

	children_signal(pa->children, (pid_t)pid, SIGTERM);
}

/* A hub without memory: each session is told to it, and gets a new channel to it; then those who waited. */
static void
on_hub_start(void *ctx)
{
	struct parent *pa = ctx;
	struct pending *p;
	struct err e = ERR_INIT;

	for (struct running *r = pa->running; r != NULL; r = r->next) {
		struct hub_client_session hs = { .service = span_str(pa->o->service), .user = r->ws.id.user,
						 .rip = r->ws.rip, .session = r->ws.session, .limit = 0 };
		struct ipc_out o;
		int pair[2];

		if (r->is_marker || r->is_behind || r->channel == NULL || r->rest != REST_NOT)
			continue;
		if (ipc_pair(pair, &e) == -1) {
			log_error("telling hub of the sessions: %s", e.log);
			break;
		}
		hs.fd = pair[1];
		hub_client_connect(pa->hub, &hs, NULL, NULL);
		hub_client_started(pa->hub, r->ws.session, (uint32_t)r->pid);
		ipc_begin(&o, MSG_CHANNEL);
		ipc_put_str(&o, F_NAME, "hub");
		ipc_put_fd(&o, pair[0]);
		peer_send(r->channel, &o);
		close(pair[0]);
		close(pair[1]);
	}
	ev_timer_stop(pa->service.loop, &pa->hub_patience);
	while ((p = next_waiting(pa)) != NULL)
		worker_ask_hub(p);
}

static void
on_term(struct service *s)
{
	struct parent *pa = s->data;

	if (!set_bool(s->view, SET_shutdown_clients)) {
		ev_break(s->loop, EVBREAK_ALL);
		return;
	}
	for (struct running *r = pa->running; r != NULL; r = r->next)
		r->killed = true;
	children_finish(pa->children, END_GRACE);
}

/*
 * The workers inherit the parent's filter, so that a login pays little for it.  What is put on can not be taken off: where a
 * process behind a session opens connections, workers have a small filter of their own against that; where it starts programs,
 * which nobody can foresee, the parent has none, and each worker the whole.
 */
static int
shut_in(struct parent *pa, struct err *e)
{
	enum priv_profile profile = pa->behind.connects ? PRIV_PARENT_INET : pa->o->makes_links ? PRIV_PARENT_LINKS : PRIV_PARENT;
	struct priv_filter *shut;
	int rc;

	pa->filter_always = pa->behind.connects || pa->behind.runs_programs;
	pa->behind.filter_always = pa->behind.runs_programs;
	pa->filter = priv_filter_new(pa->behind.runs_programs ? PRIV_MAIL : pa->behind.connects ? PRIV_ONLY_UNIX : PRIV_NO_SIGNALS, e);
	pa->behind.filter = priv_filter_new(!pa->behind.runs_programs ? PRIV_NO_SIGNALS : pa->behind.connects ? PRIV_MAIL_INET :
	    PRIV_MAIL, e);
	if (pa->filter == NULL || pa->behind.filter == NULL)
		return -1;
	if (pa->behind.runs_programs)
		return 0;
	shut = priv_filter_new(profile, e);
	rc = shut == NULL ? -1 : priv_filter_apply(shut, e);
	priv_filter_free(shut);
	return rc;
}

static void
on_stop(struct service *s)
{
	worker_rest_end_all(s->data);
}

/* Sessions that run finish with the files they have; later ones are not to write to them. */
static void
on_logs(struct service *s)
{
	struct parent *pa = s->data;

	for (struct running *r = pa->running; r != NULL; r = r->next)
		r->may_rest = false;
	worker_rest_end_all(pa);
}

int
worker_parent_main(const struct worker_parent_options *o)
{
	static struct parent pa;
	struct hub_client_options ho = { .on_kick = on_kick, .on_start = on_hub_start, .ctx = &pa };
	struct err e = ERR_INIT;

	pa.o = o;
	pa.service.data = &pa;
	pa.service.on_peer = on_peer;
	pa.service.on_channel = on_channel;
	pa.service.on_term = on_term;
	pa.service.on_stop = on_stop;
	pa.service.on_logs = on_logs;
	service_init(&pa.service, o->service, worker_protocol(o));
	service_drop(&pa.service, SERVICE_USER_ROOT, NULL, -1);
	/* A session is a process here. */
	pa.service.client_limit = pa.service.process_limit;
	if (o->prepare != NULL && o->prepare(pa.service.view, &pa.behind, &e) == -1)
		log_fatal("%s", e.log);
	pa.children = children_new(&pa.service, pa.service.process_limit, on_child_end, &pa);
	ev_timer_init(&pa.hub_patience, on_hub_patience, 0., 0.);
	pa.hub_patience.data = &pa;
	pa.auth = auth_client_new(&pa.service);
	pa.hub = hub_client_new(&pa.service, &ho);
	if (pa.children == NULL || pa.auth == NULL || pa.hub == NULL || worker_rest_init(&pa) == -1)
		log_fatal("out of memory");
	if (o->hibernates)
		worker_hibernate_init(&pa);
	if (shut_in(&pa, &e) == -1)
		log_fatal("%s", e.log);
	service_ready(&pa.service);
	return service_run(&pa.service);
}
