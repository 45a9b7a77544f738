/* SPDX-License-Identifier: MIT */
#include "login/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/sys.h"
#include "lib-config/netaddr.h"

#define IN_START 1024
#define OUT_MAX 65536
#define HANDSHAKES_A_TURN 4	/* at most a few milliseconds of public-key work before others are served */

static struct client *
client_of(struct crowd_member *m)
{
	return (struct client *)m;	/* its first field */
}

/* The queue of handshakes. */

static void
handshake_leave(struct client *c)
{
	struct login_server *s = c->server;

	if (!c->queued)
		return;
	c->queued = false;
	if (c->handshake_prev != NULL)
		c->handshake_prev->handshake_next = c->handshake_next;
	else
		s->handshake_first = c->handshake_next;
	if (c->handshake_next != NULL)
		c->handshake_next->handshake_prev = c->handshake_prev;
	else
		s->handshake_last = c->handshake_prev;
}

static void
handshake_enqueue(struct client *c)
{
	struct login_server *s = c->server;

	if (c->queued)
		return;
	c->queued = true;
	c->handshake_next = NULL;
	c->handshake_prev = s->handshake_last;
	if (c->handshake_prev != NULL)
		c->handshake_prev->handshake_next = c;
	else
		s->handshake_first = c;
	s->handshake_last = c;
	ev_idle_start(s->service.loop, &s->handshake_awake);
}

/* Input. */

static void
in_drop(struct client *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_n - n);
	explicit_bzero(c->in + c->in_n - n, n);
	c->in_n -= n;
}

static bool
in_grow(struct client *c)
{
	size_t cap = c->in_cap == 0 ? IN_START : c->in_cap * 2;
	char *p;

	if (cap > c->conf.line_max)
		cap = c->conf.line_max;
	if (cap <= c->in_cap || (p = malloc(cap)) == NULL)
		return false;
	if (c->in != NULL) {
		memcpy(p, c->in, c->in_n);
		explicit_bzero(c->in, c->in_cap);
		free(c->in);
	}
	c->in = p;
	c->in_cap = cap;
	return true;
}

static void
in_free(struct client *c)
{
	if (c->in != NULL)
		explicit_bzero(c->in, c->in_cap);
	free(c->in);
	c->in = NULL;
	c->in_n = c->in_cap = 0;
}

void
client_free(struct client *c, const char *reason)
{
	struct login_server *s = c->server;

	if (reason != NULL)
		login_log_end(c, reason);
	handshake_leave(c);
	upstream_forget(c);
	crowd_remove(&s->crowd, &c->member);
	ev_io_stop(s->service.loop, &c->io);
	ev_timer_stop(s->service.loop, &c->timer);
	if (c->ssl != NULL) {
		if (!c->handshaking)
			SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
		ERR_clear_error();
	}
	if (c->fd != -1)
		close(c->fd);
	login_clear(&c->engine);
	in_free(c);
	buf_clear(&c->out);
	set_view_free(c->view);
	explicit_bzero(c->token, sizeof(c->token));
	free(c);
	service_busy(&s->service, (uint32_t)s->crowd.count + s->proxies);
}

static void
watch(struct client *c, int events)
{
	struct ev_loop *loop = c->server->service.loop;

	if (ev_is_active(&c->io) && (c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &c->io);
	if (events != 0) {
		ev_io_set(&c->io, c->fd, events);
		ev_io_start(loop, &c->io);
	}
}

enum io_result { IO_DONE, IO_WAIT_READ, IO_WAIT_WRITE, IO_END };

static enum io_result
tls_result(struct client *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return IO_WAIT_READ;
	case SSL_ERROR_WANT_WRITE:
		return IO_WAIT_WRITE;
	default:
		return IO_END;
	}
}

static enum io_result
flush(struct client *c)
{
	while (c->out.n > 0) {
		ssize_t n;

		if (c->ssl != NULL && !c->handshaking) {
			ERR_clear_error();
			n = SSL_write(c->ssl, c->out.p, (int)c->out.n);
			if (n <= 0)
				return tls_result(c, (int)n);
		} else {
			/* Who had the socket before may have made it a blocking one. */
			n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n == -1)
				return errno == EAGAIN || errno == EINTR ? IO_WAIT_WRITE : IO_END;
		}
		buf_drop(&c->out, (size_t)n);
	}
	return IO_DONE;
}

static enum io_result
fill(struct client *c)
{
	ssize_t n;

	if (c->in_n == c->in_cap && !in_grow(c))
		return IO_END;
	if (c->ssl != NULL) {
		ERR_clear_error();
		n = SSL_read(c->ssl, c->in + c->in_n, (int)(c->in_cap - c->in_n));
		if (n <= 0)
			return tls_result(c, (int)n);
	} else {
		n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return IO_WAIT_READ;
		if (n <= 0)
			return IO_END;
	}
	c->in_n += (size_t)n;
	return IO_DONE;
}

static void
log_client_id(struct client *c)
{
	struct span wanted = set_str(c->view, SET_imap_id_log);

	if (c->engine.client_id.n > 0 && span_eq(wanted, SPAN("*")))
		log_info("ID sent: %.*s: user=<%.*s>, rip=%s, session=<%s>", SPAN_ARG(buf_span(&c->engine.client_id)),
			 SPAN_ARG(buf_span(&c->engine.user)), c->rip, c->session);
	buf_reset(&c->engine.client_id);
}

static double
login_time_left(const struct client *c)
{
	double left = c->since + (double)set_ms(c->view, SET_login_max_time) / 1000. - ev_now(c->server->service.loop);

	return left < 1. ? 1. : left;
}

static void
start_handshake(struct client *c)
{
	double time = (double)set_ms(c->view, SET_login_tls_handshake_timeout) / 1000.;

	if (c->in_n > 0)
		in_drop(c, c->in_n);
	c->ssl = tls_server_accept(c->server->tls, c->fd);
	if (c->ssl == NULL) {
		client_free(c, "Out of memory");
		return;
	}
	c->handshaking = true;
	c->timer.repeat = time < login_time_left(c) ? time : login_time_left(c);
	ev_timer_again(c->server->service.loop, &c->timer);
	watch(c, EV_READ);
}

/* Action of a step.  The client may be gone afterwards. */
static void
act(struct client *c)
{
	enum login_action action = c->engine.action;

	c->engine.action = LOGIN_NOTHING;
	switch (action) {
	case LOGIN_NOTHING:
		break;
	case LOGIN_AUTH_START:
		upstream_auth_start(c);
		break;
	case LOGIN_AUTH_CONT:
		upstream_auth_cont(c);
		break;
	case LOGIN_AUTH_ABORT:
		upstream_auth_abort(c);
		break;
	case LOGIN_AUTH_DONE:
		upstream_session(c);
		break;
	}
}

/*
 * Output first, then input, until there is something to wait for.  Each action goes on by itself (an answer of auth
 * pumps again), so this returns right after it and does not look at the client any more.
 */
void
client_pump(struct client *c)
{
	for (;;) {
		enum io_result rc = flush(c);
		size_t used;

		if (rc == IO_END || c->out.failed) {
			client_free(c, "");
			return;
		}
		if (rc != IO_DONE) {
			watch(c, rc == IO_WAIT_READ ? EV_READ : EV_WRITE);
			return;
		}
		switch (c->engine.state) {
		case LOGIN_CLOSED:
			client_free(c, c->engine.close_reason == NULL ? "" : c->engine.close_reason);
			return;
		case LOGIN_TLS:
			start_handshake(c);
			return;
		case LOGIN_WAIT:
			watch(c, 0);
			return;
		case LOGIN_COMMAND:
		case LOGIN_RESPONSE:
			break;
		}
		used = login_step(&c->engine, span_of(c->in, c->in_n), &c->out);
		if (used > 0)
			in_drop(c, used);
		if (c->engine.client_id.n > 0)
			log_client_id(c);
		if (c->engine.action != LOGIN_NOTHING) {
			/* What was said before the action ("+ OK") is on its way before auth answers. */
			if (flush(c) == IO_END) {
				client_free(c, "");
				return;
			}
			watch(c, 0);
			act(c);
			return;
		}
		if (used > 0 || c->out.n > 0)
			continue;
		rc = fill(c);
		if (rc == IO_END) {
			client_free(c, "");
			return;
		}
		if (rc != IO_DONE) {
			watch(c, rc == IO_WAIT_READ ? EV_READ : EV_WRITE);
			return;
		}
	}
}

static void
set_login_timer(struct client *c)
{
	c->timer.repeat = login_time_left(c);
	ev_timer_again(c->server->service.loop, &c->timer);
}

static void
handshake_step(struct client *c)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_accept(c->ssl);
	if (rc != 1) {
		enum io_result result = tls_result(c, rc);

		if (result == IO_END) {
			tls_error(c->tls_failure, sizeof(c->tls_failure));
			client_free(c, "");
		} else
			watch(c, result == IO_WAIT_READ ? EV_READ : EV_WRITE);
		return;
	}
	c->handshaking = false;
	tls_describe(c->ssl, c->tls_text, sizeof(c->tls_text));
	if (log_is_debug())
		log_debug("TLS established: %s, rip=%s", c->tls_text, c->rip);
	set_login_timer(c);
	login_tls_started(&c->engine);
	if (!c->greeted || c->server->protocol->greets_again) {
		c->greeted = true;
		login_greet(&c->engine, &c->out);
	}
	client_pump(c);
}

static void
on_handshake_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct login_server *s = w->data;

	(void)revents;
	for (int i = 0; i < HANDSHAKES_A_TURN && s->handshake_first != NULL; i++) {
		struct client *c = s->handshake_first;

		handshake_leave(c);
		handshake_step(c);
	}
	if (s->handshake_first == NULL)
		ev_idle_stop(loop, &s->handshake_awake);
}

/* Keeps the loop from sleeping while handshakes are queued. */
static void
on_handshake_awake(struct ev_loop *loop, ev_idle *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

void
client_handshake_init(struct login_server *s)
{
	ev_prepare_init(&s->handshake_turn, on_handshake_turn);
	s->handshake_turn.data = s;
	ev_prepare_start(s->service.loop, &s->handshake_turn);
	ev_idle_init(&s->handshake_awake, on_handshake_awake);
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;

	(void)loop;
	(void)revents;
	if (c->handshaking) {
		watch(c, 0);
		handshake_enqueue(c);
	} else
		client_pump(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct client *c = w->data;

	(void)loop;
	(void)revents;
	if (c->handshaking) {
		snprintf(c->tls_failure, sizeof(c->tls_failure), "timed out");
		client_free(c, "Inactivity");
		return;
	}
	login_bye(&c->engine, "Disconnected for inactivity.", "Inactivity", &c->out);
	flush(c);
	client_free(c, "Inactivity");
}

static void
on_proxy_end(void *ctx)
{
	struct login_server *s = ctx;

	s->proxies--;
	service_busy(&s->service, (uint32_t)s->crowd.count + s->proxies);
}

static void client_again(void *ctx, SSL *ssl, int fd);

/* The worker has the client: a plain one entirely, over TLS we go on in between. */
void
client_handover(struct client *c)
{
	struct login_server *s = c->server;
	struct tls_proxy *proxy;

	login_log(c, "Login");
	if (c->ssl != NULL) {
		int plain_fd = c->plain_fd;

		c->plain_fd = -1;
		ev_io_stop(s->service.loop, &c->io);
		proxy = tls_proxy_new(s->service.loop, c->ssl, &c->fd, &plain_fd, on_proxy_end, s);
		if (proxy != NULL) {
			c->ssl = NULL;
			s->proxies++;
			if (s->protocol->again != NULL)
				tls_proxy_returns(proxy, client_again);
		} else if (plain_fd != -1) {
			log_error("out of memory");
			close(plain_fd);
		}
	}
	client_free(c, NULL);
}

/* The address as the crowd counts it, and as text. */
static struct span
take_addresses(struct client *c, uint8_t octets[16], bool *is_local_out)
{
	struct sockaddr_storage remote, local;
	socklen_t remote_n = sizeof(remote), local_n = sizeof(local);
	struct netaddr net;
	struct set_filter f = { .protocol = c->server->protocol->name, .local_name = SPAN_NONE };

	memset(&remote, 0, sizeof(remote));
	memset(&local, 0, sizeof(local));
	*is_local_out = false;
	if (getpeername(c->fd, (struct sockaddr *)&remote, &remote_n) == 0 &&
	    getsockname(c->fd, (struct sockaddr *)&local, &local_n) == 0 && netaddr_of(&remote, &net)) {
		addr_format(&remote, c->rip, &c->rport);
		addr_format(&local, c->lip, &c->lport);
		f.local = &local;
		f.remote = &remote;
		*is_local_out = strcmp(c->rip, c->lip) == 0;
		memcpy(octets, net.octets, 16);
		c->view = set_view_new(c->server->service.settings, &f);
		if (c->view != NULL && netaddr_in_list(&remote, set_str(c->view, SET_login_trusted_networks)))
			*is_local_out = true;
		return span_of(octets, net.family == 4 ? 4 : 8);
	}
	*is_local_out = true;
	c->view = set_view_new(c->server->service.settings, &f);
	return SPAN_NONE;
}

static void
read_conf(struct client *c)
{
	struct login_conf *conf = &c->conf;
	const struct set_view *v = c->view;

	conf->greeting = set_str(v, SET_login_greeting);
	conf->capabilities = buf_span(&c->server->capabilities);
	conf->id_send = set_str(v, SET_imap_id_send);
	/* ssl = yes:no:required */
	conf->disable_plaintext = set_bool(v, SET_disable_plaintext_auth) || set_enum(v, SET_ssl) == 2;
	conf->literal_minus = set_bool(v, SET_imap_literal_minus);
	conf->tls_available = c->server->tls != NULL && set_enum(v, SET_ssl) != 1;
	conf->line_max = set_num(v, SET_login_max_line_length);
	if (conf->line_max < 512)
		conf->line_max = 512;
	if (conf->line_max > LOGIN_LINE_LIMIT)
		conf->line_max = LOGIN_LINE_LIMIT;
	conf->bad_max = (unsigned)set_num(v, SET_login_max_bad_commands);
	conf->fail_max = (unsigned)set_num(v, SET_login_max_auth_failures);
}

static void
make_session_id(struct client *c)
{
	static unsigned char pool[1024];
	static size_t left;
	struct buf id = BUF_INIT(sizeof(c->session));

	if (left < 12) {
		random_bytes(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= 12;
	base64_encode(&id, span_of(pool + left, 12));
	memcpy(c->session, id.p, id.n < sizeof(c->session) ? id.n : 0);
	buf_clear(&id);
}

static bool
join_crowd(struct client *c, struct span address)
{
	struct crowd_member *victim;
	struct login_server *s = c->server;

	while ((victim = crowd_victim(&s->crowd, address)) != NULL)
		client_free(client_of(victim), "Pushed out by newer connections");
	return crowd_add(&s->crowd, &c->member, address);
}

/* Takes *fd over when it returns a client. */
static struct client *
client_make(struct login_server *s, int *fd, bool tls)
{
	struct client *c = calloc(1, sizeof(*c));
	struct span address;
	uint8_t octets[16];
	bool is_local;
	int one = 1;

	if (c == NULL)
		return NULL;
	c->server = s;
	c->fd = *fd;
	c->plain_fd = -1;
	c->since = ev_now(s->service.loop);
	buf_init(&c->out, OUT_MAX);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	address = take_addresses(c, octets, &is_local);
	if (c->view == NULL || !join_crowd(c, address)) {
		set_view_free(c->view);
		free(c);
		return NULL;
	}
	*fd = -1;
	read_conf(c);
	make_session_id(c);
	login_init(&c->engine, s->protocol, &c->conf, &s->mechs, tls, is_local);
	ev_io_init(&c->io, on_io, c->fd, EV_READ);
	ev_init(&c->timer, on_timer);
	c->io.data = c->timer.data = c;
	service_busy(&s->service, (uint32_t)s->crowd.count + s->proxies);
	return c;
}

void
client_new(struct login_server *s, int *fd, const struct service_listener *l)
{
	struct client *c = client_make(s, fd, l->ssl);

	if (c == NULL)
		return;
	if (l->ssl) {
		start_handshake(c);
		return;
	}
	set_login_timer(c);
	c->greeted = true;
	login_greet(&c->engine, &c->out);
	client_pump(c);
}

/* A session has given its client back (UNAUTHENTICATE): it begins anew, but for the handshake. */
static void
client_again(void *ctx, SSL *ssl, int fd)
{
	struct login_server *s = ctx;
	struct client *c = client_make(s, &fd, true);

	s->proxies--;
	if (c == NULL) {
		log_error("out of memory");
		SSL_free(ssl);
		close(fd);
		service_busy(&s->service, (uint32_t)s->crowd.count + s->proxies);
		return;
	}
	c->ssl = ssl;
	c->greeted = true;
	tls_describe(ssl, c->tls_text, sizeof(c->tls_text));
	login_tls_started(&c->engine);
	set_login_timer(c);
	s->protocol->again(&c->engine, &c->out);
	client_pump(c);
}

/* What a mail user's process hands over is believed to be a client only if it is one of the network. */
static bool
is_client_socket(int fd)
{
	struct sockaddr_storage addr;
	socklen_t n = sizeof(addr), type_n = sizeof(int);
	int type = 0;

	return getpeername(fd, (struct sockaddr *)&addr, &n) == 0 && (addr.ss_family == AF_INET || addr.ss_family == AF_INET6) &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_n) == 0 && type == SOCK_STREAM;
}

void
client_back(struct login_server *s, int *fd, struct span preread)
{
	struct client *c;

	if (!is_client_socket(*fd) || fd_nonblock(*fd, true) == -1)
		return;
	c = client_make(s, fd, false);
	if (c == NULL)
		return;
	/* A handshake waits where MSG_DONTWAIT can not be said, and the session may still have the socket. */
	c->conf.tls_available = false;
	c->greeted = true;
	set_login_timer(c);
	while (c->in_cap < preread.n && in_grow(c))
		;
	if (c->in_cap < preread.n) {
		login_bye(&c->engine, "Command too long.", "Line too long", &c->out);
	} else {
		if (preread.n > 0)
			memcpy(c->in, preread.p, preread.n);
		c->in_n = preread.n;
		s->protocol->again(&c->engine, &c->out);
	}
	client_pump(c);
}
