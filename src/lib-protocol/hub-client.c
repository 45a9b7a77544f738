/* SPDX-License-Identifier: MIT */
#include "lib-protocol/hub-client.h"

#include <stdlib.h>
#include "lib/hash.h"

#define QUESTIONS_MAX 65536

struct waiting {
	hub_client_answer *f;
	void *ctx;
	uint32_t id;
};

struct hub_client {
	struct service *service;
	struct hub_client_options o;
	struct peer *peer;
	uint32_t next_id;
	struct hash *waiting;	/* by id */
};

static void
settle(struct hub_client *h, uint32_t id, bool allowed)
{
	struct waiting *w = hash_remove(h->waiting, span_of(&id, sizeof(id)));
	struct waiting copy;

	if (w == NULL)
		return;
	copy = *w;
	free(w);
	if (copy.f != NULL)
		copy.f(copy.ctx, allowed);
}

static int
on_connect_ok(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer of hub");
	settle(peer_data(p), id, true);
	return 0;
}

static int
on_connect_limit(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer of hub");
	settle(peer_data(p), id, false);
	return 0;
}

static int
on_kick(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct hub_client *h = peer_data(p);
	uint32_t pid = ipc_u32(m, F_PID);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed kick");
	if (h->o.on_kick != NULL)
		h->o.on_kick(h->o.ctx, pid);
	return 0;
}

static const struct ipc_rule hub_rules[] = {
	{ MSG_CONNECT_OK, PEER_HUB, on_connect_ok },
	{ MSG_CONNECT_LIMIT, PEER_HUB, on_connect_limit },
	{ MSG_KICK, PEER_HUB, on_kick },
	{ 0, 0, NULL },
};

/* Who waited for an answer goes on without: the new hub will be told with the others. */
static void
on_close(struct peer *p)
{
	struct hub_client *h = peer_data(p);
	struct span key;
	void *value;
	size_t pos = 0;

	h->peer = NULL;
	service_want(h->service, "hub");
	while (hash_next(h->waiting, &pos, &key, &value)) {
		settle(h, ((struct waiting *)value)->id, true);
		pos = 0;
	}
}

struct hub_client *
hub_client_new(struct service *s, const struct hub_client_options *o)
{
	struct hub_client *h = calloc(1, sizeof(*h));

	if (h == NULL || (h->waiting = hash_new(QUESTIONS_MAX)) == NULL) {
		free(h);
		return NULL;
	}
	h->service = s;
	h->o = *o;
	service_want(s, "hub");
	return h;
}

bool
hub_client_is_there(const struct hub_client *h)
{
	return h->peer != NULL;
}

void
hub_client_channel(struct hub_client *h, int *fd)
{
	struct peer_options po = { .rules = hub_rules, .kind = PEER_HUB, .on_close = on_close, .data = h,
				   .queue_max = 64 << 20 };

	if (h->peer != NULL || (h->peer = peer_new(h->service->loop, fd, &po)) == NULL)
		return;
	if (h->o.on_start != NULL)
		h->o.on_start(h->o.ctx);
}

uint32_t
hub_client_connect(struct hub_client *h, const struct hub_client_session *hs, hub_client_answer *f, void *ctx)
{
	struct waiting *w;
	struct ipc_out o;

	if (h->peer == NULL || (w = calloc(1, sizeof(*w))) == NULL)
		return 0;
	do
		w->id = ++h->next_id;
	while (w->id == 0 || hash_get(h->waiting, span_of(&w->id, sizeof(w->id))) != NULL);
	w->f = f;
	w->ctx = ctx;
	if (!hash_set(h->waiting, span_of(&w->id, sizeof(w->id)), w)) {
		free(w);
		return 0;
	}
	ipc_begin(&o, MSG_CONNECT);
	ipc_put_u32(&o, F_ID, w->id);
	ipc_put_bytes(&o, F_SERVICE, hs->service);
	ipc_put_bytes(&o, F_USER, hs->user);
	ipc_put_bytes(&o, F_RIP, hs->rip);
	ipc_put_bytes(&o, F_SESSION, hs->session);
	ipc_put_u32(&o, F_LIMIT, hs->limit);
	ipc_put_fd(&o, hs->fd);
	peer_send(h->peer, &o);
	return w->id;
}

void
hub_client_forget(struct hub_client *h, uint32_t id)
{
	free(hash_remove(h->waiting, span_of(&id, sizeof(id))));
}

void
hub_client_started(struct hub_client *h, struct span session, uint32_t pid)
{
	struct ipc_out o;

	if (h->peer == NULL)
		return;
	ipc_begin(&o, MSG_STARTED);
	ipc_put_bytes(&o, F_SESSION, session);
	ipc_put_u32(&o, F_PID, pid);
	peer_send(h->peer, &o);
}
