/* SPDX-License-Identifier: MIT */
#include "auth/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "auth/client-proto.h"
#include "auth/ext.h"
#include "lib/log.h"

#define CLIENTS_USUAL 1000
#define INPUT_MAX (CLIENT_LINE_MAX * 2)
#define OUTPUT_HIGH 65536	/* who does not take its answers is not listened to */
#define ACCEPTS_A_TURN 16
#define ACCEPT_PAUSE 0.1

struct listener {
	struct listeners *all;
	ev_io io;
	enum ext_kind kind;
	bool is_open;		/* for everybody on this host (a unix socket of mode 0666): each about itself only */
};

struct client {
	struct client *next, **at;
	struct listeners *all;
	struct ext *ext;
	struct buf in;
	ev_io read, write;
	int fd;
	bool is_ended;		/* the peer sends no more */
};

struct listeners {
	struct auth *auth;
	void (*on_clients)(size_t count);
	struct listener items[SERVICE_LISTENERS_MAX];
	size_t item_count, client_count, max_clients;
	struct client *clients;
	ev_timer pause;		/* out of descriptors: wait a little */
	bool stopped;
};

static void
client_free(struct client *c)
{
	struct listeners *ls = c->all;

	ev_io_stop(ls->auth->loop, &c->read);
	ev_io_stop(ls->auth->loop, &c->write);
	ext_free(c->ext);
	buf_wipe(&c->in);
	close(c->fd);
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	free(c);
	ls->client_count--;
	ls->on_clients(ls->client_count);
}

/* Sends what can be sent.  False: the connection is to be closed. */
static bool
flush(struct client *c)
{
	struct buf *out = ext_output(c->ext);
	size_t sent = 0;

	while (sent < out->n) {
		ssize_t n = send(c->fd, out->p + sent, out->n - sent, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
			return false;
		if (n == -1)
			break;
		sent += (size_t)n;
	}
	if (sent == out->n && ext_is_done(c->ext))
		return false;
	buf_drop(out, sent);
	return true;
}

/* The end of every callback: waits for what is next, or frees c. */
static void
settle(struct client *c)
{
	struct ev_loop *loop = c->all->auth->loop;
	bool has_output, is_idle;

	if (!flush(c)) {
		client_free(c);
		return;
	}
	has_output = ext_output(c->ext)->n > 0;
	is_idle = !has_output && ext_requests(c->ext) == 0;
	if (is_idle && (c->is_ended || c->all->stopped)) {
		client_free(c);
		return;
	}
	if (has_output)
		ev_io_start(loop, &c->write);
	else
		ev_io_stop(loop, &c->write);
	if (c->is_ended || ext_output(c->ext)->n > OUTPUT_HIGH)
		ev_io_stop(loop, &c->read);
	else
		ev_io_start(loop, &c->read);
}

static void
on_write(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	settle(w->data);
}

/* Output that came by itself: sent from the loop, since the request that made it is still being finished. */
static void
on_wake(void *ctx)
{
	struct client *c = ctx;

	ev_feed_event(c->all->auth->loop, &c->write, EV_WRITE);
}

static void
on_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;
	char room[4096];
	ssize_t n = recv(c->fd, room, sizeof(room), 0);
	bool bad = false;

	(void)loop;
	(void)revents;
	if (n == -1 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n == -1) {
		client_free(c);
		return;
	}
	c->is_ended = n == 0;
	buf_add(&c->in, span_of(room, (size_t)n));
	explicit_bzero(room, (size_t)n);
	if (n > 0 && !c->in.failed)
		buf_drop(&c->in, ext_input(c->ext, buf_span(&c->in), &bad));
	if (bad || c->in.failed) {
		flush(c);	/* answers to what came before */
		client_free(c);
		return;
	}
	settle(c);
}

/* Root and the server's own user may ask everything; nobody knows who is behind TCP. */
static void
restrict_client(struct client *c)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == -1)
		peer.uid = (uid_t)-1;
	if (peer.uid != 0 && peer.uid != geteuid())
		ext_restrict(c->ext, peer.uid);
}

static void
client_new(struct listener *l, int fd)
{
	struct listeners *ls = l->all;
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->ext = ext_new(ls->auth, l->kind, on_wake, c)) == NULL) {
		free(c);
		close(fd);
		return;
	}
	c->all = ls;
	c->fd = fd;
	buf_init(&c->in, INPUT_MAX);
	ev_io_init(&c->read, on_read, fd, EV_READ);
	ev_io_init(&c->write, on_write, fd, EV_WRITE);
	c->read.data = c->write.data = c;
	if (l->is_open)
		restrict_client(c);
	c->at = &ls->clients;
	c->next = ls->clients;
	if (c->next != NULL)
		c->next->at = &c->next;
	ls->clients = c;
	ls->client_count++;
	ls->on_clients(ls->client_count);
	settle(c);
}

static void
on_pause_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct listeners *ls = w->data;

	(void)revents;
	for (size_t i = 0; i < ls->item_count && !ls->stopped; i++)
		ev_io_start(loop, &ls->items[i].io);
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct listener *l = w->data;
	struct listeners *ls = l->all;

	(void)revents;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1) {
			if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
				return;
			for (size_t k = 0; k < ls->item_count; k++)
				ev_io_stop(loop, &ls->items[k].io);
			ev_timer_set(&ls->pause, ACCEPT_PAUSE, 0.);
			ev_timer_start(loop, &ls->pause);
			return;
		}
		if (ls->client_count >= ls->max_clients) {
			log_warning("too many connections to auth's sockets (client_limit %zu): one was refused",
				    ls->max_clients);
			close(fd);
			continue;
		}
		client_new(l, fd);
	}
}

struct listeners *
listeners_new(struct auth *a, void (*on_clients)(size_t count))
{
	struct listeners *ls = calloc(1, sizeof(*ls));

	if (ls == NULL)
		return NULL;
	ls->auth = a;
	ls->on_clients = on_clients;
	ls->max_clients = CLIENTS_USUAL;
	ev_timer_init(&ls->pause, on_pause_end, 0., 0.);
	ls->pause.data = ls;
	return ls;
}

/*
 * Whether everybody may connect: mode 0666, which is how mail programs of users find out where their own mail is.  An
 * administrator who means that everybody may ask about everybody writes 0777.
 */
static bool
is_open_to_all(int fd)
{
	struct sockaddr_un sun;
	socklen_t n = sizeof(sun);
	struct stat st;

	memset(&sun, 0, sizeof(sun));
	if (getsockname(fd, (struct sockaddr *)&sun, &n) == -1 || sun.sun_family != AF_UNIX)
		return false;
	if (n <= offsetof(struct sockaddr_un, sun_path) || sun.sun_path[0] == '\0' || stat(sun.sun_path, &st) == -1)
		return true;
	return (st.st_mode & 0002) != 0 && (st.st_mode & 0777) != 0777;
}

void
listeners_add(struct listeners *ls, const struct service_listener *l, uint32_t max_clients)
{
	struct listener *item = &ls->items[ls->item_count];

	if (ls->item_count == SERVICE_LISTENERS_MAX)
		return;
	if (max_clients > 0)
		ls->max_clients = max_clients;
	item->all = ls;
	item->kind = ext_kind_of(span_str(l->name));
	item->is_open = item->kind == EXT_USERDB && is_open_to_all(l->fd);
	fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK);
	ev_io_init(&item->io, on_accept, l->fd, EV_READ);
	item->io.data = item;
	ev_io_start(ls->auth->loop, &item->io);
	ls->item_count++;
}

void
listeners_stop(struct listeners *ls)
{
	ls->stopped = true;
	ev_timer_stop(ls->auth->loop, &ls->pause);
	for (size_t i = 0; i < ls->item_count; i++)
		ev_io_stop(ls->auth->loop, &ls->items[i].io);
	for (struct client *c = ls->clients, *next; c != NULL; c = next) {
		next = c->next;
		settle(c);
	}
}

void
listeners_free(struct listeners *ls)
{
	if (ls == NULL)
		return;
	ev_timer_stop(ls->auth->loop, &ls->pause);
	for (size_t i = 0; i < ls->item_count; i++)
		ev_io_stop(ls->auth->loop, &ls->items[i].io);
	while (ls->clients != NULL)
		client_free(ls->clients);
	free(ls);
}

size_t
listeners_clients(const struct listeners *ls)
{
	return ls->client_count;
}
