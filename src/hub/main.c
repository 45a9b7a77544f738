/* SPDX-License-Identifier: MIT */
/*
 * Who is connected, and what changed.  Its powers: sockets it is handed, and (as root's server) looking into the
 * directories that it is handed, to watch them.
 *
 * Its memory dies with it, and nothing else does: the parents tell a new hub of their sessions, workers get new
 * channels and subscribe again.
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <unistd.h>
#include "hub/dirs.h"
#include "hub/registry.h"
#include "hub/watch.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib-protocol/service.h"

#define WORKER_QUEUE_MAX (256 << 10)
#define SHARED_WATCHES_MAX (1 << 20)	/* of hibernate, which stands for many sessions */

struct hub {
	struct service service;
	struct registry registry;
	struct watches *watches;
	struct dirs *dirs;
};

static struct hub hub;

/* A peer that subscribes: a session's worker (with its session), hibernate, or a tool. */
struct client {
	struct peer *peer;
	struct session *session;	/* NULL: none */
	struct watcher *watcher;
};

static bool
tell(void *ctx, uint32_t id)
{
	struct client *c = ctx;
	struct ipc_out o;

	/* A session that is busy with its client for long: it is told when it reads again. */
	if (peer_kind(c->peer) == PEER_WORKER && peer_waiting(c->peer) > WORKER_QUEUE_MAX / 2)
		return false;
	ipc_begin(&o, MSG_CHANGED);
	ipc_put_u32(&o, F_ID, id);
	peer_send(c->peer, &o);
	return true;
}

static void
on_client_close(struct peer *p)
{
	struct client *c = peer_data(p);

	watcher_free(c->watcher);
	if (c->session != NULL) {
		registry_remove(&hub.registry, c->session);
		service_busy(&hub.service, (uint32_t)hub.registry.count);
	}
	free(c);
}

static const struct ipc_rule client_rules[];

static struct client *
client_new(int *fd, unsigned kind, size_t watches_max)
{
	struct client *c = calloc(1, sizeof(*c));
	struct peer_options po = { .rules = client_rules, .kind = kind, .on_close = on_client_close, .data = c,
				   .queue_max = kind == PEER_WORKER ? WORKER_QUEUE_MAX : 16 << 20 };

	if (c == NULL)
		return NULL;
	c->watcher = watcher_new(hub.watches, watches_max, tell, c);
	c->peer = c->watcher == NULL ? NULL : peer_new(hub.service.loop, fd, &po);
	if (c->peer == NULL) {
		watcher_free(c->watcher);
		free(c);
		return NULL;
	}
	return c;
}

static int
on_watch(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = peer_data(p);
	uint32_t id = ipc_u32(m, F_ID);
	struct span key = ipc_bytes(m, F_KEY, WATCH_KEY_MAX);
	int fds[WATCH_DIRS];
	size_t count = 0;
	struct link *links;

	while (m->fd_taken < m->fd_count && count < WATCH_DIRS)
		fds[count++] = ipc_fd(m);
	if (ipc_end(m)) {
		links = watcher_subscribe(c->watcher, id, key);
		for (size_t i = 0; i < count && links != NULL; i++)
			dirs_link(hub.dirs, &links[i], fds[i]);
		/*
		 * It asked, looked at the mailbox and went to sleep, perhaps before this frame was read: what has changed
		 * in between was told to nobody.  (hibernate is not told: its sessions would wake up for nothing.)
		 */
		if (links != NULL && peer_kind(p) == PEER_WORKER)
			subscription_changed(links[0].sub);
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return ipc_end(m) ? 0 : err_set(e, ERR_SYNTAX, "malformed watch");
}

static int
on_unwatch(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = peer_data(p);
	uint32_t id = ipc_u32(m, F_ID);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed unwatch");
	watcher_unsubscribe(c->watcher, id);
	return 0;
}

static int
on_changed(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct client *c = peer_data(p);
	struct span key = ipc_bytes(m, F_KEY, WATCH_KEY_MAX);

	if (ipc_has(m, F_MODSEQ))
		ipc_u64(m, F_MODSEQ);
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed change");
	watches_changed(hub.watches, key, c->watcher);
	return 0;
}

static void
done(struct peer *p, uint32_t id, uint32_t count)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_DONE);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_COUNT, count);
	ipc_put_u32(&o, F_CODE, 0);
	peer_send(p, &o);
}

static int
read_filter(struct ipc_msg *m, struct session_filter *f, struct err *e)
{
	struct span net;

	memset(f, 0, sizeof(*f));
	f->user = ipc_opt_bytes(m, F_USER, USER_NAME_MAX);
	net = ipc_opt_bytes(m, F_RIP, 64);
	if (!ipc_end(m) || (net.n > 0 && !netaddr_parse(net, &f->net)))
		return err_set(e, ERR_SYNTAX, "malformed filter of sessions");
	return 0;
}

static int
on_who(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID), count = 0;
	struct session_filter f;

	if (read_filter(m, &f, e) == -1)
		return -1;
	for (struct session *s = hub.registry.first; s != NULL; s = s->next) {
		struct ipc_out o;

		if (!session_matches(s, &f))
			continue;
		count++;
		ipc_begin(&o, MSG_WHO_ENTRY);
		ipc_put_u32(&o, F_ID, id);
		ipc_put_bytes(&o, F_SERVICE, s->service);
		ipc_put_bytes(&o, F_USER, s->user);
		ipc_put_bytes(&o, F_RIP, s->rip);
		ipc_put_u32(&o, F_PID, s->pid);
		ipc_put_bytes(&o, F_SESSION, s->id);
		ipc_put_u64(&o, F_TIME, (uint64_t)s->since);
		peer_send(p, &o);
	}
	done(p, id, count);
	return 0;
}

/* The worker is told, so that it can say goodbye; its parent ends it in any case. */
static void
kick(struct session *s)
{
	struct ipc_out o;

	if (s->worker != NULL) {
		ipc_begin(&o, MSG_KICK);
		peer_send(s->worker, &o);
	}
	if (s->parent != NULL && s->pid != 0) {
		ipc_begin(&o, MSG_KICK);
		ipc_put_u32(&o, F_PID, s->pid);
		peer_send(s->parent, &o);
	}
}

static int
on_kick(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID), count = 0;
	struct session_filter f;

	if (read_filter(m, &f, e) == -1)
		return -1;
	for (struct session *s = hub.registry.first; s != NULL; s = s->next)
		if (session_matches(s, &f)) {
			kick(s);
			count++;
		}
	done(p, id, count);
	return 0;
}

static void
answer(struct peer *p, uint16_t type, uint32_t id)
{
	struct ipc_out o;

	ipc_begin(&o, type);
	ipc_put_u32(&o, F_ID, id);
	peer_send(p, &o);
}

static int
on_connect(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID), limit;
	struct session like = { .service = ipc_bytes(m, F_SERVICE, 32), .user = ipc_bytes(m, F_USER, USER_NAME_MAX),
				.rip = ipc_bytes(m, F_RIP, 64), .id = ipc_bytes(m, F_SESSION, SESSION_ID_MAX),
				.since = time(NULL), .parent = p };
	struct session *s = NULL;
	struct client *c;
	int fd = ipc_fd(m);
	enum registry_rc rc;

	limit = ipc_u32(m, F_LIMIT);
	if (!ipc_end(m)) {
		if (fd != -1)
			close(fd);
		return err_set(e, ERR_SYNTAX, "malformed connect");
	}
	s = registry_find(&hub.registry, like.id);
	if (s != NULL && span_eq(s->user, like.user) && span_eq(s->service, like.service)) {
		/* The session goes to sleep, or wakes up: another process holds it from now on. */
		if (s->worker != NULL)
			((struct client *)peer_data(s->worker))->session = NULL;
		s->worker = NULL;
		s->parent = p;
		s->pid = 0;
		rc = REGISTRY_OK;
	} else
		/* A process that delivers is nobody's session: it is not counted, nor kicked; it only tells of changes. */
	rc = like.user.n == 0 ? REGISTRY_OK : registry_add(&hub.registry, &like, limit, &s);
	if (rc == REGISTRY_LIMIT) {
		close(fd);
		answer(p, MSG_CONNECT_LIMIT, id);
		return 0;
	}
	if (rc == REGISTRY_FULL)
		log_warning("session <%.*s> is not counted: hub_max_sessions, or the id is there twice", SPAN_ARG(like.id));
	/* Uncounted or not, it may watch. */
	c = client_new(&fd, PEER_WORKER, SESSION_WATCHES_MAX);
	if (c == NULL) {
		if (s != NULL)
			registry_remove(&hub.registry, s);
		if (fd != -1)
			close(fd);
	} else {
		c->session = s;
		if (s != NULL)
			s->worker = c->peer;
	}
	service_busy(&hub.service, (uint32_t)hub.registry.count);
	answer(p, MSG_CONNECT_OK, id);
	return 0;
}

static int
on_started(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct session *s = registry_find(&hub.registry, ipc_bytes(m, F_SESSION, SESSION_ID_MAX));
	uint32_t pid = ipc_u32(m, F_PID);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed started");
	if (s != NULL && s->parent == p)
		s->pid = pid;
	return 0;
}

#define PEER_SUBSCRIBERS (PEER_WORKER | PEER_HIBERNATE | PEER_ADM)
#define PEER_PARENTS (PEER_IMAP | PEER_POP3 | PEER_SIEVE | PEER_DELIVER | PEER_LMTP)

/* What may be asked by those who have a watcher of their own... */
static const struct ipc_rule client_rules[] = {
	/* message	who may send it		handler */
	{ MSG_WATCH,	PEER_SUBSCRIBERS,	on_watch },
	{ MSG_UNWATCH,	PEER_SUBSCRIBERS,	on_unwatch },
	{ MSG_CHANGED,	PEER_SUBSCRIBERS,	on_changed },
	{ MSG_WHO,	PEER_ADM,		on_who },
	{ MSG_KICK,	PEER_ADM,		on_kick },
	{ 0, 0, NULL },
};

/* ... and by the parents of sessions. */
static const struct ipc_rule parent_rules[] = {
	{ MSG_CONNECT,	PEER_PARENTS,		on_connect },
	{ MSG_STARTED,	PEER_PARENTS,		on_started },
	{ 0, 0, NULL },
};

/* The sessions of a parent that died end by themselves, each when its worker's channel closes. */
static void
on_parent_close(struct peer *p)
{
	for (struct session *s = hub.registry.first; s != NULL; s = s->next)
		if (s->parent == p)
			s->parent = NULL;
}

static void
on_peer(struct service *s, unsigned kind, int *fd)
{
	struct peer_options po = { .rules = parent_rules, .kind = kind, .on_close = on_parent_close,
				   .queue_max = 16 << 20 };

	if ((kind & PEER_PARENTS) != 0)
		peer_new(s->loop, fd, &po);
	else if ((kind & PEER_SUBSCRIBERS & ~PEER_WORKER) != 0)
		client_new(fd, kind, kind == PEER_HIBERNATE ? SHARED_WATCHES_MAX : SESSION_WATCHES_MAX);
}

int
main(void)
{
	struct priv_filter *filter;
	struct err e = ERR_INIT;

	hub.service.on_peer = on_peer;
	service_init(&hub.service, "hub", NULL);
	hub.watches = watches_new(hub.service.loop, SHARED_WATCHES_MAX);
	if (hub.watches == NULL || !registry_init(&hub.registry, set_num(hub.service.view, SET_hub_max_sessions)))
		log_fatal("out of memory");
	hub.dirs = dirs_new(hub.service.loop, set_num(hub.service.view, SET_hub_max_watches), &e);
	if (hub.dirs == NULL)
		log_fatal("%s", e.log);
	watches_on_unlink(hub.watches, dirs_unlink);
	filter = priv_filter_new(PRIV_EVENTS, &e);
	if (filter == NULL)
		log_fatal("%s", e.log);
	service_drop(&hub.service, SERVICE_USER_INTERNAL, NULL, CAP_DAC_READ_SEARCH);
	if (priv_filter_apply(filter, &e) == -1)
		log_fatal("%s", e.log);
	priv_filter_free(filter);
	service_ready(&hub.service);
	return service_run(&hub.service);
}
