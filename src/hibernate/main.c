/* SPDX-License-Identifier: MIT */
/*
 * Idle IMAP sessions: of each its client's socket, what its worker has left of itself, and whom it belongs to, sealed.
 * When the client says something or its mailbox changes, the parent of the workers gets it all back.  What the client
 * said is not read here: it stays in the socket.
 *
 * Its powers: the sockets it is handed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib-protocol/service.h"

#define STATE_MAX 49152
#define IDENTITY_MAX 12288
#define TAG_MAX 1024
#define SLEEPERS_MAX (1 << 20)

enum wake_reason { WAKE_CLIENT = 1, WAKE_CHANGED = 2 };

/* In order of a time that is the same span for all: who came first is due first. */
struct queue {
	struct sleeper *first, *last;
	double span;		/* seconds; 0: never */
};

struct place {
	struct sleeper *prev, *next;
	ev_tstamp since;
};

enum { QUEUE_SIGN, QUEUE_END, QUEUES };

struct sleeper {
	uint32_t id;
	int client_fd, hub_fd, dirs[2];	/* -1: none */
	ev_io client, hub;
	struct place places[QUEUES];
	bool waking;			/* waits for a parent; nothing is watched any more */
	struct sleeper *wake_next;
	struct span session, state, identity, key;
	char strings[];
};

struct hibernate {
	struct service service;
	struct peer *hub, *parent;	/* NULL: away */
	struct hash *by_id;
	uint32_t next_id;
	struct queue queues[QUEUES];
	struct sleeper *wake_first, *wake_last;
	ev_timer tick;
};

static struct hibernate hib;

static void
queue_leave(int q, struct sleeper *s)
{
	struct queue *queue = &hib.queues[q];
	struct place *at = &s->places[q];

	if (at->since == 0.)
		return;
	if (at->prev != NULL)
		at->prev->places[q].next = at->next;
	else
		queue->first = at->next;
	if (at->next != NULL)
		at->next->places[q].prev = at->prev;
	else
		queue->last = at->prev;
	at->since = 0.;
}

static void
queue_join(int q, struct sleeper *s)
{
	struct queue *queue = &hib.queues[q];
	struct place *at = &s->places[q];

	if (queue->span <= 0.)
		return;
	at->since = ev_now(hib.service.loop);
	at->next = NULL;
	at->prev = queue->last;
	if (at->prev != NULL)
		at->prev->places[q].next = s;
	else
		queue->first = s;
	queue->last = s;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
unwatch(struct sleeper *s)
{
	struct ipc_out o;

	ev_io_stop(hib.service.loop, &s->client);
	ev_io_stop(hib.service.loop, &s->hub);
	for (int q = 0; q < QUEUES; q++)
		queue_leave(q, s);
	if (hib.hub == NULL || s->key.n == 0)
		return;
	ipc_begin(&o, MSG_UNWATCH);
	ipc_put_u32(&o, F_ID, s->id);
	peer_send(hib.hub, &o);
}

static void
sleeper_free(struct sleeper *s)
{
	unwatch(s);
	hash_remove(hib.by_id, span_of(&s->id, sizeof(s->id)));
	close_fd(&s->client_fd);
	close_fd(&s->hub_fd);
	close_fd(&s->dirs[0]);
	close_fd(&s->dirs[1]);
	free(s);
	service_busy(&hib.service, (uint32_t)hash_count(hib.by_id));
}

/* To a client that may not take it: a few octets, which fit into any socket that is read at all. */
static bool
say(const struct sleeper *s, struct span text)
{
	return send(s->client_fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)text.n ||
		errno == EAGAIN || errno == EWOULDBLOCK;
}

static void
end(struct sleeper *s, const char *why)
{
	log_info("Disconnected: %s, session=<%.*s>", why, SPAN_ARG(s->session));
	sleeper_free(s);
}

static void
send_wake(struct sleeper *s, enum wake_reason why)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_WAKE);
	ipc_put_u32(&o, F_ID, s->id);
	ipc_put_bytes(&o, F_SESSION, s->session);
	ipc_put_bytes(&o, F_STATE, s->state);
	ipc_put_bytes(&o, F_IDENTITY, s->identity);
	ipc_put_u32(&o, F_CODE, why);
	ipc_put_fd(&o, s->client_fd);
	peer_send(hib.parent, &o);
}

/* To the parent, or onto the list of those who wait for it.  hub counts the session until its new worker has told it. */
static void
wake(struct sleeper *s, enum wake_reason why)
{
	if (s->waking)
		return;
	if (hib.parent != NULL) {
		send_wake(s, why);
		sleeper_free(s);
		return;
	}
	unwatch(s);
	s->waking = true;
	s->wake_next = NULL;
	if (hib.wake_last != NULL)
		hib.wake_last->wake_next = s;
	else
		hib.wake_first = s;
	hib.wake_last = s;
}

static void
on_client(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sleeper *s = w->data;
	char one;
	ssize_t n = recv(s->client_fd, &one, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	if (n > 0)
		wake(s, WAKE_CLIENT);
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		end(s, "Connection closed");
}

/* hub says kick, or has gone; in that case who is asleep is not counted until he wakes up. */
static void
on_session_hub(struct ev_loop *loop, ev_io *w, int revents)
{
	static struct ipc_msg m;
	struct sleeper *s = w->data;
	struct err e = ERR_INIT;
	int rc;

	(void)revents;
	if (m.data == NULL && ipc_msg_init(&m, &e) == -1)
		return;
	rc = ipc_recv(s->hub_fd, &m, &e);
	if (rc == 1 && m.type == MSG_KICK) {
		say(s, SPAN("* BYE Disconnected by the administrator.\r\n"));
		end(s, "Kicked");
	} else if (rc == 0 || (rc == -1 && e.code != ERR_INUSE)) {
		ev_io_stop(loop, w);
		close_fd(&s->hub_fd);
	}
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct queue *sign = &hib.queues[QUEUE_SIGN], *last = &hib.queues[QUEUE_END];
	struct sleeper *s;

	(void)w;
	(void)revents;
	while ((s = last->first) != NULL && s->places[QUEUE_END].since + last->span <= ev_now(loop)) {
		say(s, SPAN("* BYE Disconnected for inactivity.\r\n"));
		end(s, "Inactivity");
	}
	while ((s = sign->first) != NULL && s->places[QUEUE_SIGN].since + sign->span <= ev_now(loop)) {
		queue_leave(QUEUE_SIGN, s);
		if (say(s, SPAN("* OK Still here\r\n")))
			queue_join(QUEUE_SIGN, s);
		else
			end(s, "Connection closed");
	}
}

static void
subscribe(const struct sleeper *s)
{
	struct ipc_out o;

	if (hib.hub == NULL || s->key.n == 0 || s->waking)
		return;
	ipc_begin(&o, MSG_WATCH);
	ipc_put_u32(&o, F_ID, s->id);
	ipc_put_bytes(&o, F_KEY, s->key);
	for (int i = 0; i < 2; i++)
		if (s->dirs[i] != -1)
			ipc_put_fd(&o, s->dirs[i]);
	peer_send(hib.hub, &o);
}

static struct span
place_string(char **at, struct span s)
{
	struct span copy = span_of(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

static struct sleeper *
sleeper_new(struct span session, struct span state, struct span identity, struct span key)
{
	struct sleeper *s;
	char *at;

	if (hash_count(hib.by_id) >= hib.service.client_limit)
		return NULL;
	s = calloc(1, sizeof(*s) + session.n + state.n + identity.n + key.n);
	if (s == NULL)
		return NULL;
	do
		s->id = ++hib.next_id;
	while (s->id == 0 || hash_get(hib.by_id, span_of(&s->id, sizeof(s->id))) != NULL);
	if (!hash_set(hib.by_id, span_of(&s->id, sizeof(s->id)), s)) {
		free(s);
		return NULL;
	}
	at = s->strings;
	s->session = place_string(&at, session);
	s->state = place_string(&at, state);
	s->identity = place_string(&at, identity);
	s->key = place_string(&at, key);
	s->client_fd = s->hub_fd = s->dirs[0] = s->dirs[1] = -1;
	return s;
}

static void
answer(struct peer *p, uint32_t id, bool taken)
{
	struct ipc_out o;

	ipc_begin(&o, taken ? MSG_HIBERNATED : MSG_DONE);
	ipc_put_u32(&o, F_ID, id);
	if (!taken)
		ipc_put_u32(&o, F_CODE, 1);
	peer_send(p, &o);
}

static void
fall_asleep(struct sleeper *s, int *fds, size_t count, uint32_t dirs)
{
	size_t i = 0;

	s->client_fd = fds[i++];
	for (uint32_t d = 0; d < dirs && d < 2 && i < count; d++)
		s->dirs[d] = fds[i++];
	if (i < count)
		s->hub_fd = fds[i++];
	while (i < count)
		close(fds[i++]);
	ev_io_init(&s->client, on_client, s->client_fd, EV_READ);
	s->client.data = s;
	ev_io_start(hib.service.loop, &s->client);
	ev_init(&s->hub, on_session_hub);
	s->hub.data = s;
	if (s->hub_fd != -1) {
		ev_io_set(&s->hub, s->hub_fd, EV_READ);
		ev_io_start(hib.service.loop, &s->hub);
	}
	for (int q = 0; q < QUEUES; q++)
		queue_join(q, s);
	subscribe(s);
	service_busy(&hib.service, (uint32_t)hash_count(hib.by_id));
}

static int
on_hibernate(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID), dirs = ipc_u32(m, F_COUNT);
	struct span session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX), state = ipc_bytes(m, F_STATE, STATE_MAX);
	struct span identity = ipc_bytes(m, F_IDENTITY, IDENTITY_MAX), key = ipc_bytes(m, F_KEY, WATCH_KEY_MAX);
	struct sleeper *s = NULL;
	int fds[IPC_FDS];
	size_t count = 0;
	bool ok;

	ipc_bytes(m, F_TAG, TAG_MAX);
	while (m->fd_taken < m->fd_count)
		fds[count++] = ipc_fd(m);
	ok = ipc_end(m) && count > 0;
	if (ok)
		s = sleeper_new(session, state, identity, key);
	if (s == NULL)
		while (count > 0)
			close(fds[--count]);
	else
		fall_asleep(s, fds, count, dirs);
	if (!ok)
		return err_set(e, ERR_SYNTAX, "malformed hibernation");
	answer(p, id, s != NULL);
	return 0;
}

static const struct ipc_rule worker_parent_rules[] = {
	{ MSG_HIBERNATE, PEER_IMAP, on_hibernate },
	{ 0, 0, NULL },
};

static const struct ipc_rule wake_rules[] = { { 0, 0, NULL } };

static int
on_changed(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID);
	struct sleeper *s = hash_get(hib.by_id, span_of(&id, sizeof(id)));

	(void)p;
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed change");
	if (s != NULL)
		wake(s, WAKE_CHANGED);
	return 0;
}

static const struct ipc_rule hub_rules[] = {
	{ MSG_CHANGED, PEER_HUB, on_changed },
	{ 0, 0, NULL },
};

static void
on_hub_close(struct peer *p)
{
	(void)p;
	hib.hub = NULL;
	service_want(&hib.service, "hub");
}

static void
on_parent_close(struct peer *p)
{
	(void)p;
	hib.parent = NULL;
	service_want(&hib.service, "imap");
}

static void
take_hub(int *fd)
{
	struct peer_options po = { .rules = hub_rules, .kind = PEER_HUB, .on_close = on_hub_close, .queue_max = 64 << 20 };
	struct span key;
	void *value;
	size_t pos = 0;

	if (hib.hub != NULL || (hib.hub = peer_new(hib.service.loop, fd, &po)) == NULL)
		return;
	while (hash_next(hib.by_id, &pos, &key, &value))
		subscribe(value);
}

static void
take_parent(int *fd)
{
	struct peer_options po = { .rules = wake_rules, .kind = PEER_IMAP, .on_close = on_parent_close,
				   .queue_max = 256 << 20 };

	if (hib.parent != NULL || (hib.parent = peer_new(hib.service.loop, fd, &po)) == NULL)
		return;
	while (hib.wake_first != NULL) {
		struct sleeper *s = hib.wake_first;

		hib.wake_first = s->wake_next;
		if (hib.wake_first == NULL)
			hib.wake_last = NULL;
		send_wake(s, WAKE_CLIENT);
		sleeper_free(s);
	}
}

static void
on_channel(struct service *s, struct span name, int *fd)
{
	(void)s;
	if (span_eq(name, SPAN("hub")))
		take_hub(fd);
	else if (span_eq(name, SPAN("imap")))
		take_parent(fd);
}

static void
on_peer(struct service *s, unsigned kind, int *fd)
{
	struct peer_options po = { .rules = worker_parent_rules, .kind = kind, .queue_max = 16 << 20 };

	if (kind == PEER_IMAP && peer_new(s->loop, fd, &po) == NULL)
		log_error("out of memory");
}

static void
on_term(struct service *s)
{
	struct span key;
	void *value;
	size_t pos = 0;

	while (hash_next(hib.by_id, &pos, &key, &value))
		say(value, SPAN("* BYE Server shutting down.\r\n"));
	ev_break(s->loop, EVBREAK_ALL);
}

int
main(void)
{
	struct priv_filter *filter;
	struct err e = ERR_INIT;

	hib.service.on_peer = on_peer;
	hib.service.on_channel = on_channel;
	hib.service.on_term = on_term;
	service_init(&hib.service, "imap-hibernate", "imap");
	hib.by_id = hash_new(SLEEPERS_MAX);
	if (hib.by_id == NULL)
		log_fatal("out of memory");
	hib.queues[QUEUE_SIGN].span = (double)set_ms(hib.service.view, SET_imap_idle_notify_interval) / 1000.;
	hib.queues[QUEUE_END].span = (double)set_ms(hib.service.view, SET_imap_idle_timeout) / 1000.;
	ev_timer_init(&hib.tick, on_tick, 1., 1.);
	ev_timer_start(hib.service.loop, &hib.tick);
	service_want(&hib.service, "hub");
	service_want(&hib.service, "imap");
	filter = priv_filter_new(PRIV_EVENTS, &e);
	if (filter == NULL)
		log_fatal("%s", e.log);
	service_drop(&hib.service, SERVICE_USER_INTERNAL, NULL, -1);
	if (priv_filter_apply(filter, &e) == -1)
		log_fatal("%s", e.log);
	priv_filter_free(filter);
	service_ready(&hib.service);
	return service_run(&hib.service);
}
