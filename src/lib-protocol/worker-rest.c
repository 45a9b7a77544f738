/* SPDX-License-Identifier: MIT */
/*
 * Workers between two sessions, where the settings allow more than one (service_count): the parent's part.  A worker whose
 * session is over stays for a while (idle_kill), and the next session of its user is served by it, without a fork.
 *
 * It is given only sessions for which a new process would be made just as it was: all that auth says of the user (name,
 * uid, gid, groups, home, each field) and both addresses are the same, and so are its rights, its settings and what it may
 * touch.  What it can look at only itself, the directories, it compares before it answers, and may still say no: until
 * then the parent has the client too.  Each session has been let in by auth and counted by hub as any other.
 */
#include "lib-protocol/worker-private.h"

#include <stdlib.h>
#include "lib/hash.h"

static void
set_timer(struct parent *pa)
{
	double left;

	ev_timer_stop(pa->service.loop, &pa->rest_timer);
	if (pa->rest_oldest == NULL)
		return;
	left = pa->rest_oldest->rest_since + (double)pa->service.idle_kill_ms / 1000. - ev_now(pa->service.loop);
	ev_timer_set(&pa->rest_timer, left < 0. ? 0. : left, 0.);
	ev_timer_start(pa->service.loop, &pa->rest_timer);
}

static bool
list_add(struct parent *pa, struct running *r)
{
	r->rest_next = hash_get(pa->rest_by_user, r->ws.id.user);
	if (!hash_set(pa->rest_by_user, r->ws.id.user, r)) {
		r->rest_next = NULL;
		return false;
	}
	r->newer = NULL;
	r->older = pa->rest_newest;
	if (r->older != NULL)
		r->older->newer = r;
	else
		pa->rest_oldest = r;
	pa->rest_newest = r;
	return true;
}

static void
list_remove(struct parent *pa, struct running *r)
{
	struct running *first = hash_get(pa->rest_by_user, r->ws.id.user), *before = first;

	if (r->older != NULL)
		r->older->newer = r->newer;
	else
		pa->rest_oldest = r->newer;
	if (r->newer != NULL)
		r->newer->older = r->older;
	else
		pa->rest_newest = r->older;
	while (before != r && before->rest_next != r)
		before = before->rest_next;
	if (before != r)
		before->rest_next = r->rest_next;
	else if (r->rest_next != NULL)
		hash_set(pa->rest_by_user, r->ws.id.user, r->rest_next);	/* replaces: it can not fail */
	else
		hash_remove(pa->rest_by_user, r->ws.id.user);
	r->rest_next = r->older = r->newer = NULL;
}

static void
set_rest(struct running *r, enum rest rest)
{
	bool was_resting = r->rest != REST_NOT;

	if (r->rest == REST_READY)
		list_remove(r->parent, r);
	r->rest = rest;
	if (!r->ended && was_resting != (rest != REST_NOT))
		children_rest(r->parent->children, was_resting ? -1 : 1);
}

/* It sees the end of its channel. */
static void
end(struct running *r)
{
	set_rest(r, REST_OVER);
	peer_free(r->channel);
	r->channel = NULL;
}

void
worker_rest_make_room(struct parent *pa)
{
	if (pa->rest_oldest != NULL)
		end(pa->rest_oldest);
}

void
worker_rest_end_all(struct parent *pa)
{
	while (pa->rest_oldest != NULL)
		end(pa->rest_oldest);
}

static void
on_rest_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *pa = w->data;
	double since = ev_now(loop) - (double)pa->service.idle_kill_ms / 1000.;

	(void)revents;
	while (pa->rest_oldest != NULL && pa->rest_oldest->rest_since <= since)
		end(pa->rest_oldest);
	set_timer(pa);
}

int
worker_rest_init(struct parent *pa)
{
	pa->rest_by_user = hash_new(pa->service.process_limit);
	ev_timer_init(&pa->rest_timer, on_rest_timer, 0., 0.);
	pa->rest_timer.data = pa;
	return pa->rest_by_user == NULL ? -1 : 0;
}

int
worker_rest(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(p);
	struct parent *pa = r->parent;

	if (!ipc_end(m) || r->rest != REST_NOT || r->taking != NULL)
		return err_set(e, ERR_SYNTAX, "malformed end of a session");
	worker_home_forget(r);
	if (!r->may_rest || r->ended || pa->service.stopping || pa->service.idle_kill_ms == 0 || !list_add(pa, r)) {
		end(r);
		return 0;
	}
	/* The list first: nothing may count it that can not find it. */
	r->rest = REST_READY;
	r->rest_since = ev_now(pa->service.loop);
	children_rest(pa->children, 1);
	if (pa->rest_oldest == r)
		set_timer(pa);
	return 0;
}

static bool
is_for(const struct running *r, const struct worker_session *ws)
{
	return identity_is_same(&r->ws.id, &ws->id) && span_eq(r->ws.rip, ws->rip) && span_eq(r->ws.lip, ws->lip);
}

bool
worker_rest_give(struct pending *p)
{
	struct parent *pa = p->parent;
	struct worker_session *ws = &p->ws;
	struct running *r = hash_get(pa->rest_by_user, ws->id.user);
	struct ipc_out o;

	while (r != NULL && !is_for(r, ws))
		r = r->rest_next;
	if (r == NULL)
		return false;
	set_rest(r, REST_NOT);
	r->taking = p;
	p->given_to = r;
	worker_running_name(r, ws->session);
	r->ws.rport = ws->rport;
	r->ws.lport = ws->lport;
	r->ws.secured = ws->secured;
	r->homes = 0;
	ipc_begin(&o, MSG_SERVE);
	ipc_put_bytes(&o, F_SESSION, ws->session);
	ipc_put_bytes(&o, F_RIP, ws->rip);
	ipc_put_u32(&o, F_RPORT, ws->rport);
	ipc_put_bytes(&o, F_LIP, ws->lip);
	ipc_put_u32(&o, F_LPORT, ws->lport);
	ipc_put_u32(&o, F_SECURED, ws->secured);
	if (ws->tag.n > 0)
		ipc_put_bytes(&o, F_TAG, ws->tag);
	if (ws->preread.n > 0)
		ipc_put_bytes(&o, F_PREREAD, ws->preread);
	if (ws->state.n > 0)
		ipc_put_bytes(&o, F_STATE, ws->state);
	ipc_put_fd(&o, ws->client_fd);
	if (p->hub_pair[0] != -1)
		ipc_put_fd(&o, p->hub_pair[0]);
	peer_send(r->channel, &o);	/* a channel that is broken is closed by the loop, and p comes back */
	return true;
}

/* p, if there is one, goes on without r. */
static void
give_back(struct running *r)
{
	struct pending *p = r->taking;

	if (p == NULL)
		return;
	r->taking = NULL;
	p->given_to = NULL;
	worker_start(p);
}

int
worker_serving(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(peer);
	struct pending *p = r->taking;
	uint32_t refused = ipc_u32(m, F_CODE);

	if (!ipc_end(m) || r->rest != REST_NOT)
		return err_set(e, ERR_SYNTAX, "malformed answer to a session");
	if (refused) {
		set_rest(r, REST_OVER);
		give_back(r);
	} else if (p != NULL)
		worker_started(p, r);
	else	/* login has gone; over plain connections its clients have not */
		hub_client_started(r->parent->hub, r->ws.session, (uint32_t)r->pid);
	return 0;
}

void
worker_rest_closed(struct running *r)
{
	if (r->rest == REST_READY)
		set_rest(r, REST_OVER);
	give_back(r);
}

void
worker_rest_ended(struct running *r)
{
	set_rest(r, REST_NOT);
	r->ended = true;
}

void
worker_rest_heard(struct running *r)
{
	set_rest(r, REST_NOT);
	give_back(r);
}
