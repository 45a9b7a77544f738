/* SPDX-License-Identifier: MIT */
/*
 * The process that talks to strangers.  Its powers, in order: it reads the TLS keys as root; gives up root for a user
 * that owns nothing, in an empty directory; asks for nothing but its descriptors from then on.
 */
#include "login/server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/priv.h"
#include "login/main.h"

#define ACCEPTS_A_TURN 16

static void
accept_watch(struct login_server *s, bool on)
{
	if (s->accepting == on)
		return;
	s->accepting = on;
	for (size_t i = 0; i < s->service.listener_count; i++)
		if (on)
			ev_io_start(s->service.loop, &s->accept[i]);
		else
			ev_io_stop(s->service.loop, &s->accept[i]);
}

/* Room for one more: those before login make room for each other, sessions over TLS do not. */
static bool
has_room(const struct login_server *s)
{
	return s->proxies < s->service.client_limit;
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct login_server *s = w->data;
	const struct service_listener *l = &s->service.listeners[w - s->accept];

	(void)loop;
	(void)revents;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd;

		if (!has_room(s)) {
			accept_watch(s, false);
			return;
		}
		s->crowd.max = s->service.client_limit - s->proxies;
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			/* Out of descriptors: the oldest client's is freed for who comes next. */
			if ((errno == EMFILE || errno == ENFILE) && s->crowd.first != NULL)
				client_free((struct client *)s->crowd.first, "Out of file descriptors");
			return;
		}
		client_new(s, &fd, l);
		if (fd != -1)
			close(fd);
		if (s->service.service_count > 0 && ++s->accepted >= s->service.service_count) {
			service_retire(&s->service);
			return;
		}
	}
}

/* When a session over TLS has ended there may be room again. */
static void
on_room(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct login_server *s = w->data;

	(void)loop;
	(void)revents;
	if (!s->accepting && !s->service.stopping && has_room(s))
		accept_watch(s, true);
}

static void
on_channel(struct service *service, struct span name, int *fd)
{
	upstream_channel(service->data, name, fd);
}

static void
on_stop(struct service *service)
{
	accept_watch(service->data, false);
}

/* A certificate for each name of a local_name block; its settings are those that hold for that name. */
static void
load_named(struct login_server *s, struct span name)
{
	struct set_filter f = { .protocol = s->protocol->name };
	struct buf example = BUF_INIT(512);
	struct set_view *view;
	struct err e = ERR_INIT;

	/* Any name that the pattern means. */
	if (span_starts(name, SPAN("*.")))
		buf_addc(&example, 'x');
	buf_add(&example, span_starts(name, SPAN("*.")) ? span_from(name, 1) : name);
	f.local_name = buf_span(&example);
	view = set_view_new(s->service.settings, &f);
	if (view == NULL || tls_server_add_name(s->tls, name, view, &e) == -1)
		log_error("TLS for %.*s: %s", SPAN_ARG(name), view == NULL ? "out of memory" : e.log);
	set_view_free(view);
	buf_clear(&example);
}

static void
load_tls(struct login_server *s)
{
	struct span names, name;
	size_t pos = 0;
	struct err e = ERR_INIT;

	tls_init();
	s->tls = tls_server_new(s->service.view, &e);
	if (s->tls == NULL && e.code != ERR_NOTFOUND)
		log_error("TLS is not available: %s", e.log);
	while (s->tls != NULL && settings_local_names(s->service.settings, &pos, &names))
		while (span_next(&names, ' ', &name))
			if (name.n > 0)
				load_named(s, name);
}

int
login_main(const struct login_protocol *protocol)
{
	static struct login_server s;
	static ev_prepare room;
	struct priv_filter *filter;
	struct err e = ERR_INIT;
	char empty[4096];

	s.protocol = protocol;
	s.service.data = &s;
	s.service.on_channel = on_channel;
	s.service.on_stop = on_stop;
	service_init(&s.service, protocol->process, protocol->name);
	load_tls(&s);
	login_mechs_default(&s.mechs, set_str(s.service.view, SET_auth_mechanisms));
	buf_init(&s.capabilities, 65536);
	if (protocol->capabilities != NULL && !protocol->capabilities(s.service.view, &s.capabilities))
		log_fatal("out of memory");
	if (!crowd_init(&s.crowd, s.service.client_limit, set_num(s.service.view, SET_login_max_connections_per_ip)))
		log_fatal("out of memory");
	upstream_init(&s);
	client_handshake_init(&s);
	for (size_t i = 0; i < s.service.listener_count; i++) {
		ev_io_init(&s.accept[i], on_accept, s.service.listeners[i].fd, EV_READ);
		s.accept[i].data = &s;
	}
	ev_prepare_init(&room, on_room);
	room.data = &s;
	ev_prepare_start(s.service.loop, &room);

	filter = priv_filter_new(PRIV_LOGIN, &e);
	if (filter == NULL)
		log_fatal("%s", e.log);
	snprintf(empty, sizeof(empty), "%.*s/login", SPAN_ARG(set_str(s.service.view, SET_base_dir)));
	service_drop(&s.service, SERVICE_USER_LOGIN, empty, -1);
	if (priv_filter_apply(filter, &e) == -1)
		log_fatal("%s", e.log);
	priv_filter_free(filter);
	accept_watch(&s, true);
	service_ready(&s.service);
	return service_run(&s.service);
}
