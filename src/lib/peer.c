/* SPDX-License-Identifier: MIT */
#include "lib/peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/log.h"

#define DRAIN_MOST 1000	/* frames */

struct queued {
	struct queued *next;
	struct ipc_out out;	/* its descriptors are ours */
};

struct peer {
	struct ev_loop *loop;
	struct peer_options o;
	int fd;
	ev_io read, write;
	struct queued *first, **last;
	size_t queued_octets;
	bool busy, dead, broken;	/* in a handler; freed; to be closed by the loop */
};

/* One frame is handled at a time, so one receive buffer serves all peers of the process. */
static struct ipc_msg shared_msg;

/* What a waiting frame takes of queue_max.  Descriptors are scarcer than memory: they weigh as much as 16 KiB. */
static size_t
cost_of(const struct ipc_out *o)
{
	return sizeof(struct queued) + o->b.n + o->fd_count * 16384;
}

static void
queue_clear(struct peer *p)
{
	while (p->first != NULL) {
		struct queued *q = p->first;

		p->first = q->next;
		for (size_t i = 0; i < q->out.fd_count; i++)
			close(q->out.fds[i]);
		ipc_out_clear(&q->out);
		free(q);
	}
	p->last = &p->first;
	p->queued_octets = 0;
}

void
peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	if (p->fd != -1) {
		ev_io_stop(p->loop, &p->read);
		ev_io_stop(p->loop, &p->write);
		close(p->fd);
		p->fd = -1;
		queue_clear(p);
	}
	p->dead = true;
	if (!p->busy)
		free(p);
}

static void
peer_gone(struct peer *p)
{
	p->busy = true;
	if (p->o.on_close != NULL)
		p->o.on_close(p);
	p->busy = false;
	peer_free(p);
}

static const struct ipc_rule *
find_rule(const struct peer *p, uint16_t type)
{
	for (const struct ipc_rule *r = p->o.rules; r->handler != NULL; r++)
		if (r->type == type && (r->who & p->o.kind) != 0)
			return r;
	return NULL;
}

/* Handles one frame; false when the peer is gone or must go. */
static bool
peer_step(struct peer *p)
{
	struct err e = ERR_INIT;
	const struct ipc_rule *rule;
	int rc = ipc_recv(p->fd, &shared_msg, &e);

	if (rc == -1 && e.code == ERR_INUSE)
		return false;
	if (rc != 1) {
		if (rc == -1)
			log_error("peer of kind %#x: %s", p->o.kind, e.log);
		peer_gone(p);
		return false;
	}
	rule = find_rule(p, shared_msg.type);
	p->busy = true;
	if (rule == NULL)
		rc = err_set(&e, ERR_DENIED, "message %u is not its to send", shared_msg.type);
	else
		rc = rule->handler(p, &shared_msg, &e);
	ipc_msg_reset(&shared_msg);	/* passwords and descriptors do not lie about until the next frame comes */
	p->busy = false;
	if (p->dead) {
		free(p);
		return false;
	}
	if (rc == -1) {
		log_error("peer of kind %#x closed: %s", p->o.kind, e.log);
		peer_gone(p);
		return false;
	}
	return !p->broken;
}

static void
on_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	(void)revents;
	/* A few frames a turn: fast, and no peer keeps the others waiting. */
	for (int i = 0; i < 16 && peer_step(p); i++)
		;
}

void
peer_drain(struct peer *p)
{
	for (int i = 0; p != NULL && i < DRAIN_MOST && peer_step(p); i++)
		;
}

static void
on_write(struct ev_loop *loop, ev_io *w, int revents)
{
	struct peer *p = w->data;
	struct err e = ERR_INIT;

	(void)revents;
	if (p->broken) {
		peer_gone(p);
		return;
	}
	while (p->first != NULL) {
		struct queued *q = p->first;
		size_t cost = cost_of(&q->out), fd_count = q->out.fd_count;
		int rc = ipc_send(p->fd, &q->out, &e);

		if (rc == -1 && e.code == ERR_INUSE)
			return;
		for (size_t i = 0; i < fd_count; i++)
			close(q->out.fds[i]);
		p->first = q->next;
		if (p->first == NULL)
			p->last = &p->first;
		p->queued_octets -= cost;
		free(q);
		if (rc == -1) {
			peer_gone(p);
			return;
		}
	}
	ev_io_stop(loop, &p->write);
}

static void
peer_break(struct peer *p)
{
	p->broken = true;
	ev_feed_event(p->loop, &p->write, EV_WRITE);
}

static bool
enqueue(struct peer *p, struct ipc_out *o)
{
	struct queued *q;

	if (cost_of(o) > p->o.queue_max - p->queued_octets || (q = calloc(1, sizeof(*q))) == NULL)
		return false;
	q->out = *o;
	for (size_t i = 0; i < o->fd_count; i++) {
		q->out.fds[i] = fcntl(o->fds[i], F_DUPFD_CLOEXEC, 0);
		if (q->out.fds[i] == -1) {
			while (i > 0)
				close(q->out.fds[--i]);
			free(q);
			return false;
		}
	}
	p->queued_octets += cost_of(o);
	*p->last = q;
	p->last = &q->next;
	buf_init(&o->b, 0);	/* the octets are the queue's now */
	ev_io_start(p->loop, &p->write);
	return true;
}

void
peer_send(struct peer *p, struct ipc_out *o)
{
	struct err e = ERR_INIT;

	if (p->dead || p->broken) {
		ipc_out_clear(o);
		return;
	}
	if (p->first == NULL || o->b.failed) {
		if (ipc_send(p->fd, o, &e) == 0)
			return;
		if (e.code != ERR_INUSE) {
			if (e.code != ERR_EOF)
				log_error("sending to a peer of kind %#x: %s", p->o.kind, e.log);
			peer_break(p);
			return;
		}
	}
	if (!enqueue(p, o)) {
		log_error("a peer of kind %#x does not take its messages", p->o.kind);
		ipc_out_clear(o);
		peer_break(p);
	}
}

struct peer *
peer_new(struct ev_loop *loop, int *fd, const struct peer_options *o)
{
	struct err e = ERR_INIT;
	struct peer *p;

	if (shared_msg.data == NULL && ipc_msg_init(&shared_msg, &e) == -1)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->o = *o;
	if (p->o.queue_max == 0)
		p->o.queue_max = 1 << 20;
	p->fd = *fd;
	*fd = -1;
	p->last = &p->first;
	fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) | O_NONBLOCK);
	ev_io_init(&p->read, on_read, p->fd, EV_READ);
	ev_io_init(&p->write, on_write, p->fd, EV_WRITE);
	p->read.data = p->write.data = p;
	ev_io_start(loop, &p->read);
	return p;
}

void *
peer_data(const struct peer *p)
{
	return p->o.data;
}

void
peer_set_data(struct peer *p, void *data)
{
	p->o.data = data;
}

size_t
peer_waiting(const struct peer *p)
{
	return p->queued_octets;
}

unsigned
peer_kind(const struct peer *p)
{
	return p->o.kind;
}

int
peer_fd(const struct peer *p)
{
	return p->fd;
}

struct ev_loop *
peer_loop(const struct peer *p)
{
	return p->loop;
}
