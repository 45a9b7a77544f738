/* SPDX-License-Identifier: MIT */
#include "login/server.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define AWAY_MAX 10.		/* seconds a client waits for auth or the parent to come (back) */

static struct client *
find(struct login_server *s, uint32_t id)
{
	return id == 0 ? NULL : hash_get(s->by_id, span_of(&id, sizeof(id)));
}

static bool
wait_for(struct client *c, enum client_waits what)
{
	struct login_server *s = c->server;

	if (c->id == 0) {
		do
			c->id = ++s->next_id;
		while (c->id == 0 || find(s, c->id) != NULL);
		if (!hash_set(s->by_id, span_of(&c->id, sizeof(c->id)), c)) {
			c->id = 0;
			return false;
		}
		ev_timer_again(s->service.loop, &s->tick);
	}
	c->waits = what;
	c->waits_since = ev_now(s->service.loop);
	c->member.is_busy = true;
	return true;
}

void
upstream_forget(struct client *c)
{
	struct login_server *s = c->server;

	if (c->id != 0)
		hash_remove(s->by_id, span_of(&c->id, sizeof(c->id)));
	c->id = 0;
	c->waits = WAITS_NOT;
	c->member.is_busy = false;
	if (c->plain_fd != -1)
		close(c->plain_fd);
	c->plain_fd = -1;
	if (hash_count(s->by_id) == 0)
		ev_timer_stop(s->service.loop, &s->tick);
}

static void
fail(struct client *c, enum auth_fail why, struct span text)
{
	upstream_forget(c);
	login_fail(&c->engine, why, text, &c->out);
	client_pump(c);
}

/* The password goes from the engine into the frame and is wiped behind. */
static void
send_start(struct client *c)
{
	struct login *l = &c->engine;
	struct ipc_out o;

	ipc_begin(&o, MSG_AUTH_START);
	buf_grow(&o.b, l->data.n + 1024);	/* at once: no copy of it stays behind in freed memory */
	ipc_put_u32(&o, F_ID, c->id);
	ipc_put_str(&o, F_SERVICE, l->protocol->name);
	ipc_put_str(&o, F_MECH, l->mech);
	if (l->has_data)
		ipc_put_bytes(&o, F_DATA, buf_span(&l->data));
	ipc_put_u32(&o, F_SECURED, l->secured);
	ipc_put_str(&o, F_RIP, c->rip);
	ipc_put_u32(&o, F_RPORT, c->rport);
	ipc_put_str(&o, F_LIP, c->lip);
	ipc_put_u32(&o, F_LPORT, c->lport);
	ipc_put_str(&o, F_SESSION, c->session);
	if (c->ssl != NULL && tls_local_name(c->ssl).n > 0)
		ipc_put_bytes(&o, F_LOCAL_NAME, tls_local_name(c->ssl));
	peer_send(c->server->auth, &o);
	buf_wipe(&l->data);
	l->has_data = false;
	c->waits = WAITS_AUTH;
}

void
upstream_auth_start(struct client *c)
{
	if (!wait_for(c, WAITS_AUTH_UNSENT))
		fail(c, AUTH_FAIL_TEMP, SPAN_NONE);
	else if (c->server->auth != NULL)
		send_start(c);
}

void
upstream_auth_cont(struct client *c)
{
	struct login *l = &c->engine;
	struct ipc_out o;

	if (c->waits != WAITS_AUTH || c->server->auth == NULL) {
		fail(c, AUTH_FAIL_TEMP, SPAN_NONE);
		return;
	}
	ipc_begin(&o, MSG_AUTH_CONT);
	buf_grow(&o.b, l->data.n + 64);
	ipc_put_u32(&o, F_ID, c->id);
	ipc_put_bytes(&o, F_DATA, buf_span(&l->data));
	peer_send(c->server->auth, &o);
	buf_wipe(&l->data);
	l->has_data = false;
}

/* The client gave up, or sent what is no base64. */
void
upstream_auth_abort(struct client *c)
{
	struct ipc_out o;

	if (c->waits == WAITS_AUTH && c->server->auth != NULL && !c->engine.final) {
		ipc_begin(&o, MSG_AUTH_ABORT);
		ipc_put_u32(&o, F_ID, c->id);
		peer_send(c->server->auth, &o);
	}
	fail(c, AUTH_FAIL_PROTOCOL, SPAN("Authentication aborted."));
}

static void
send_session(struct client *c)
{
	struct login *l = &c->engine;
	struct ipc_out o;
	int pair[2] = { -1, -1 };

	if (c->ssl != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		log_error("socketpair: %s", strerror(errno));
		fail(c, AUTH_FAIL_TEMP, SPAN_NONE);
		return;
	}
	ipc_begin(&o, MSG_SESSION);
	ipc_put_u32(&o, F_ID, c->id);
	ipc_put_bytes(&o, F_TOKEN, span_of(c->token, sizeof(c->token)));
	ipc_put_str(&o, F_SESSION, c->session);
	ipc_put_u32(&o, F_SECURED, l->secured);
	ipc_put_str(&o, F_RIP, c->rip);
	ipc_put_u32(&o, F_RPORT, c->rport);
	ipc_put_str(&o, F_LIP, c->lip);
	ipc_put_u32(&o, F_LPORT, c->lport);
	if (l->tag.n > 0)
		ipc_put_bytes(&o, F_TAG, buf_span(&l->tag));
	if (c->in_n > 0)
		ipc_put_bytes(&o, F_PREREAD, span_of(c->in, c->in_n));
	ipc_put_fd(&o, c->ssl != NULL ? pair[1] : c->fd);
	peer_send(c->server->parent, &o);
	if (pair[1] != -1)
		close(pair[1]);
	c->plain_fd = pair[0];
	c->waits = WAITS_PARENT;
}

void
upstream_session(struct client *c)
{
	if (!wait_for(c, WAITS_PARENT_UNSENT))
		fail(c, AUTH_FAIL_TEMP, SPAN_NONE);
	else if (c->server->parent != NULL)
		send_session(c);
}

static int
on_mechs(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct login_server *s = peer_data(p);
	struct span text = ipc_bytes(m, F_TEXT, 4096);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed list of mechanisms");
	login_mechs_parse(&s->mechs, text);
	return 0;
}

static int
on_challenge(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = find(peer_data(p), ipc_u32(m, F_ID));
	struct span data = ipc_bytes(m, F_DATA, IPC_FRAME_MAX);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed challenge");
	if (c == NULL || c->waits != WAITS_AUTH)
		return 0;
	login_challenge(&c->engine, data, &c->out);
	client_pump(c);
	return 0;
}

static int
on_ok(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = find(peer_data(p), ipc_u32(m, F_ID));
	struct span user = ipc_bytes(m, F_USER, USER_NAME_MAX), token = ipc_bytes(m, F_TOKEN, AUTH_TOKEN_LEN);
	bool has_data = ipc_has(m, F_DATA);
	struct span data = ipc_opt_bytes(m, F_DATA, IPC_FRAME_MAX);

	if (!ipc_end(m) || token.n != AUTH_TOKEN_LEN)
		return err_set(e, ERR_SYNTAX, "malformed success");
	if (c == NULL || c->waits != WAITS_AUTH)
		return 0;
	memcpy(c->token, token.p, sizeof(c->token));
	buf_reset(&c->engine.user);
	buf_add(&c->engine.user, user);
	if (has_data) {
		login_final(&c->engine, data, &c->out);
		client_pump(c);
	} else
		upstream_session(c);
	return 0;
}

static int
on_fail(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = find(peer_data(p), ipc_u32(m, F_ID));
	uint32_t code = ipc_u32(m, F_CODE);
	struct span text = ipc_opt_bytes(m, F_TEXT, 512);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed failure");
	if (c != NULL && c->waits == WAITS_AUTH)
		fail(c, (enum auth_fail)code, text);
	return 0;
}

static const struct ipc_rule auth_rules[] = {
	{ MSG_AUTH_MECHS, PEER_AUTH, on_mechs },
	{ MSG_AUTH_CHALLENGE, PEER_AUTH, on_challenge },
	{ MSG_AUTH_OK, PEER_AUTH, on_ok },
	{ MSG_AUTH_FAIL, PEER_AUTH, on_fail },
	{ 0, 0, NULL },
};

static int
on_session_ok(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = find(peer_data(p), ipc_u32(m, F_ID));
	uint32_t pid = ipc_u32(m, F_PID);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer to a session");
	if (c == NULL || c->waits != WAITS_PARENT)
		return 0;
	c->pid = pid;
	client_handover(c);
	return 0;
}

static int
on_session_fail(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = find(peer_data(p), ipc_u32(m, F_ID));
	uint32_t code = ipc_u32(m, F_CODE);
	struct span text = ipc_bytes(m, F_TEXT, 512);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer to a session");
	if (c != NULL && c->waits == WAITS_PARENT)
		fail(c, (enum auth_fail)code, text);
	return 0;
}

static int
on_session_back(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct login_server *s = peer_data(p);
	struct span preread = ipc_opt_bytes(m, F_PREREAD, LOGIN_LINE_LIMIT);
	int fd = ipc_fd(m);

	if (!ipc_end(m) || s->protocol->again == NULL) {
		if (fd != -1)
			close(fd);
		return err_set(e, ERR_SYNTAX, "malformed return of a client");
	}
	client_back(s, &fd, preread);
	if (fd != -1)
		close(fd);
	return 0;
}

static const struct ipc_rule parent_rules[] = {
	{ MSG_SESSION_BACK, PEER_IMAP, on_session_back },
	{ MSG_SESSION_OK, PEER_IMAP, on_session_ok },
	{ MSG_SESSION_FAIL, PEER_IMAP, on_session_fail },
	{ 0, 0, NULL },
};

/* Those who waited for an answer that will not come.  One at a time from the start: each may change the table. */
static void
fail_waiting(struct login_server *s, enum client_waits what)
{
	struct span key;
	void *value;
	size_t pos = 0;

	while (hash_next(s->by_id, &pos, &key, &value)) {
		struct client *c = value;

		if (c->waits != what)
			continue;
		fail(c, AUTH_FAIL_TEMP, SPAN_NONE);
		pos = 0;
	}
}

static void
on_auth_close(struct peer *p)
{
	struct login_server *s = peer_data(p);

	s->auth = NULL;
	service_want(&s->service, "auth");
	fail_waiting(s, WAITS_AUTH);
}

static void
on_parent_close(struct peer *p)
{
	struct login_server *s = peer_data(p);

	s->parent = NULL;
	service_want(&s->service, login_parent_name(s->protocol));
	fail_waiting(s, WAITS_PARENT);
}

static void
send_waiting(struct login_server *s, enum client_waits what, void (*send_it)(struct client *))
{
	struct span key;
	void *value;
	size_t pos = 0;

	while (hash_next(s->by_id, &pos, &key, &value)) {
		struct client *c = value;

		if (c->waits != what)
			continue;
		send_it(c);
		pos = 0;	/* sending may fail and end a client */
	}
}

void
upstream_channel(struct login_server *s, struct span name, int *fd)
{
	struct peer_options ao = { .rules = auth_rules, .kind = PEER_AUTH, .on_close = on_auth_close, .data = s };
	struct peer_options po = { .rules = parent_rules, .kind = PEER_IMAP, .on_close = on_parent_close, .data = s };

	if (span_eq(name, SPAN("auth")) && s->auth == NULL) {
		s->auth = peer_new(s->service.loop, fd, &ao);
		if (s->auth != NULL)
			send_waiting(s, WAITS_AUTH_UNSENT, send_start);
	} else if (span_eq(name, span_str(login_parent_name(s->protocol))) && s->parent == NULL) {
		s->parent = peer_new(s->service.loop, fd, &po);
		if (s->parent != NULL)
			send_waiting(s, WAITS_PARENT_UNSENT, send_session);
	}
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct login_server *s = w->data;
	struct span key;
	void *value;
	size_t pos = 0;

	(void)revents;
	while (hash_next(s->by_id, &pos, &key, &value)) {
		struct client *c = value;

		if ((c->waits != WAITS_AUTH_UNSENT && c->waits != WAITS_PARENT_UNSENT) ||
		    ev_now(loop) - c->waits_since < AWAY_MAX)
			continue;
		log_error("%s is away, a client is sent off", c->waits == WAITS_AUTH_UNSENT ? "auth" : login_parent_name(s->protocol));
		fail(c, AUTH_FAIL_TEMP, SPAN_NONE);
		pos = 0;
	}
}

void
upstream_init(struct login_server *s)
{
	s->by_id = hash_new(1 << 20);
	if (s->by_id == NULL)
		log_fatal("out of memory");
	ev_timer_init(&s->tick, on_tick, 0., 1.);
	s->tick.data = s;
	service_want(&s->service, "auth");
	service_want(&s->service, login_parent_name(s->protocol));
}
