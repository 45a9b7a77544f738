/* SPDX-License-Identifier: MIT */
#include "lib-protocol/tls-proxy.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/sys.h"

#define CHUNK 65536		/* read at once from the plain side: four TLS records */
#define RECORD 16384
#define TURNS 4			/* chunks of one direction before others are served */
#define LINGER 30.		/* seconds the plain side may go on after the client has ended, without progress */

struct pending {
	char *p;		/* what could not be written yet: allocated for as long as it waits */
	size_t from, n;
};

struct tls_proxy {
	struct ev_loop *loop;
	SSL *ssl;
	int client_fd, plain_fd;
	ev_io client, plain;
	ev_timer linger;
	struct pending up, down;	/* to the plain side; to the client */
	bool up_ended, down_ended;
	bool write_wants_read, more_to_read;
	void (*on_end)(void *ctx);
	void (*on_return)(void *ctx, SSL *ssl, int fd);	/* NULL: the client is never given back */
	bool returns;
	void *ctx;
};

/* One direction works at a time, so one buffer serves all connections of the process. */
static char scratch[CHUNK];

static void
pending_clear(struct pending *q)
{
	if (q->p != NULL)
		explicit_bzero(q->p, q->n);
	free(q->p);
	*q = (struct pending){ NULL, 0, 0 };
}

static bool
pending_keep(struct pending *q, const char *p, size_t n)
{
	q->p = malloc(n);
	if (q->p == NULL)
		return false;
	memcpy(q->p, p, n);
	q->from = 0;
	q->n = n;
	return true;
}

void
tls_proxy_free(struct tls_proxy *p)
{
	if (p == NULL)
		return;
	ev_io_stop(p->loop, &p->client);
	ev_io_stop(p->loop, &p->plain);
	ev_timer_stop(p->loop, &p->linger);
	SSL_free(p->ssl);
	if (p->client_fd != -1)
		close(p->client_fd);
	close(p->plain_fd);
	pending_clear(&p->up);
	pending_clear(&p->down);
	free(p);
}

static void
end(struct tls_proxy *p)
{
	void (*on_end)(void *) = p->on_end;
	void *ctx = p->ctx;

	tls_proxy_free(p);
	if (on_end != NULL)
		on_end(ctx);
}

static void
give_back(struct tls_proxy *p)
{
	void (*on_return)(void *, SSL *, int) = p->on_return;
	void *ctx = p->ctx;
	SSL *ssl = p->ssl;
	int fd = p->client_fd;

	p->ssl = NULL;
	p->client_fd = -1;
	tls_proxy_free(p);
	on_return(ctx, ssl, fd);
}

void
tls_proxy_returns(struct tls_proxy *p, void (*on_return)(void *ctx, SSL *ssl, int fd))
{
	p->on_return = on_return;
}

/* The other end has stopped sending, but is there: a process that ends, in whatever way, closes it. */
static bool
is_half_closed(const struct tls_proxy *p)
{
	struct pollfd pfd = { .fd = p->plain_fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)) == 0;
}

/* How many bytes went out; -1: the connection is broken. */
static ssize_t
tls_write(struct tls_proxy *p, const char *s, size_t n)
{
	size_t done = 0;

	p->write_wants_read = false;
	while (done < n) {
		int want = n - done > RECORD ? RECORD : (int)(n - done), rc;

		ERR_clear_error();
		rc = SSL_write(p->ssl, s + done, want);
		if (rc > 0) {
			done += (size_t)rc;
			continue;
		}
		switch (SSL_get_error(p->ssl, rc)) {
		case SSL_ERROR_WANT_WRITE:
			return (ssize_t)done;
		case SSL_ERROR_WANT_READ:
			p->write_wants_read = true;
			return (ssize_t)done;
		default:
			return -1;
		}
	}
	return (ssize_t)done;
}

static ssize_t
plain_write(struct tls_proxy *p, const char *s, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t rc = send(p->plain_fd, s + done, n - done, MSG_NOSIGNAL);

		if (rc >= 0)
			done += (size_t)rc;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)done;
}

/* Writes what waits.  False: it still waits, or the direction has ended. */
static bool
flush(struct tls_proxy *p, struct pending *q, ssize_t (*write_to)(struct tls_proxy *, const char *, size_t), bool *ended)
{
	ssize_t n;

	if (q->p == NULL)
		return true;
	n = write_to(p, q->p + q->from, q->n - q->from);
	if (n == -1) {
		pending_clear(q);
		*ended = true;
		return false;
	}
	q->from += (size_t)n;
	if (q->from < q->n)
		return false;
	pending_clear(q);
	return true;
}

static void
forward(struct tls_proxy *p, struct pending *q, size_t n,
    ssize_t (*write_to)(struct tls_proxy *, const char *, size_t), bool *ended)
{
	ssize_t done = write_to(p, scratch, n);

	if (done == -1 || ((size_t)done < n && !pending_keep(q, scratch + done, n - (size_t)done)))
		*ended = true;
}

static void
pump_up(struct tls_proxy *p)
{
	p->more_to_read = false;
	if (!flush(p, &p->up, plain_write, &p->up_ended))
		return;
	for (int turn = 0; !p->up_ended && p->up.p == NULL; turn++) {
		int n;

		if (turn == TURNS) {
			p->more_to_read = true;
			return;
		}
		ERR_clear_error();
		n = SSL_read(p->ssl, scratch, CHUNK);
		if (n > 0) {
			forward(p, &p->up, (size_t)n, plain_write, &p->up_ended);
			continue;
		}
		switch (SSL_get_error(p->ssl, n)) {
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE:
			return;
		default:
			p->up_ended = true;
		}
	}
}

static void
pump_down(struct tls_proxy *p)
{
	if (!flush(p, &p->down, tls_write, &p->down_ended))
		return;
	for (int turn = 0; turn < TURNS && !p->down_ended && p->down.p == NULL; turn++) {
		ssize_t n = recv(p->plain_fd, scratch, CHUNK, 0);

		if (n > 0)
			forward(p, &p->down, (size_t)n, tls_write, &p->down_ended);
		else if (n == 0 && p->on_return != NULL && !p->up_ended && is_half_closed(p))
			p->returns = p->down_ended = true;
		else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			p->down_ended = true;
		else
			return;
	}
}

static void
watch(struct ev_loop *loop, ev_io *w, int fd, int events)
{
	if ((w->events & (EV_READ | EV_WRITE)) == events && ev_is_active(w) == (events != 0))
		return;
	ev_io_stop(loop, w);
	ev_io_set(w, fd, events);
	if (events != 0)
		ev_io_start(loop, w);
}

/* Waits for what each direction needs next, or ends. */
static void
arm(struct tls_proxy *p)
{
	int client = 0, plain = 0;

	if (p->up_ended && !ev_is_active(&p->linger)) {
		/* The worker sees the end of its input, and says what it has to say. */
		pending_clear(&p->up);
		shutdown(p->plain_fd, SHUT_WR);
		ev_timer_again(p->loop, &p->linger);
	}
	if (p->down_ended && p->returns) {
		give_back(p);
		return;
	}
	if (p->down_ended) {
		SSL_shutdown(p->ssl);
		end(p);
		return;
	}
	if (!p->up_ended) {
		if (p->up.p == NULL)
			client |= EV_READ;
		else
			plain |= EV_WRITE;
	}
	if (p->down.p == NULL)
		plain |= EV_READ;
	else
		client |= p->write_wants_read ? EV_READ : EV_WRITE;
	watch(p->loop, &p->client, p->client_fd, client);
	watch(p->loop, &p->plain, p->plain_fd, plain);
	/* What OpenSSL holds already makes no socket readable. */
	if (!p->up_ended && p->up.p == NULL && (p->more_to_read || SSL_pending(p->ssl) > 0))
		ev_feed_event(p->loop, &p->client, EV_READ);
}

static void
on_client(struct ev_loop *loop, ev_io *w, int revents)
{
	struct tls_proxy *p = w->data;

	(void)loop;
	(void)revents;
	if (p->down.p != NULL)
		pump_down(p);
	if (!p->up_ended && p->up.p == NULL)
		pump_up(p);
	if (ev_is_active(&p->linger))
		ev_timer_again(p->loop, &p->linger);
	arm(p);
}

static void
on_plain(struct ev_loop *loop, ev_io *w, int revents)
{
	struct tls_proxy *p = w->data;

	(void)loop;
	if (p->up.p != NULL)
		pump_up(p);
	if ((revents & EV_READ) != 0)
		pump_down(p);
	if (ev_is_active(&p->linger))
		ev_timer_again(p->loop, &p->linger);
	arm(p);
}

static void
on_linger(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	end(w->data);
}

struct tls_proxy *
tls_proxy_new(struct ev_loop *loop, SSL *ssl, int *client_fd, int *plain_fd, void (*on_end)(void *ctx), void *ctx)
{
	struct tls_proxy *p = calloc(1, sizeof(*p));
	int room = 256 << 10;

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->ssl = ssl;
	p->client_fd = *client_fd;
	p->plain_fd = *plain_fd;
	*client_fd = *plain_fd = -1;
	p->on_end = on_end;
	p->ctx = ctx;
	fd_nonblock(p->client_fd, true);
	fd_nonblock(p->plain_fd, true);
	setsockopt(p->plain_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	ev_init(&p->client, on_client);
	ev_io_set(&p->client, p->client_fd, 0);
	ev_init(&p->plain, on_plain);
	ev_io_set(&p->plain, p->plain_fd, 0);
	ev_timer_init(&p->linger, on_linger, 0., LINGER);
	p->client.data = p->plain.data = p->linger.data = p;
	p->more_to_read = true;	/* look once: the client may have sent more with its last command */
	watch(loop, &p->client, p->client_fd, EV_READ);
	watch(loop, &p->plain, p->plain_fd, EV_READ);
	ev_feed_event(loop, &p->client, EV_READ);
	return p;
}

static void
on_child_end(void *ctx)
{
	(void)ctx;
	_exit(0);
}

int
tls_proxy_fork(SSL *ssl, int *fd, struct err *e)
{
	pid_t parent = getpid(), pid;
	struct ev_loop *loop;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_errno(e, "socketpair");
	pid = fork();
	if (pid == -1) {
		close(pair[0]);
		close(pair[1]);
		return err_errno(e, "fork");
	}
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		if (getppid() != parent)
			_exit(0);
		close(pair[0]);
		loop = ev_loop_new(EVFLAG_NOENV);
		if (loop == NULL || tls_proxy_new(loop, ssl, fd, &pair[1], on_child_end, NULL) == NULL)
			_exit(1);
		ev_run(loop, 0);
		_exit(0);
	}
	close(pair[1]);
	close(*fd);
	SSL_free(ssl);
	*fd = pair[0];
	return 0;
}
