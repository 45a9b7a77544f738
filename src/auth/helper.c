/* SPDX-License-Identifier: MIT */
/* Our end of the channel to the root helper. */
#include "auth/helper.h"

#include <stdlib.h>
#include <sys/socket.h>
#include "lib/log.h"
#include "lib/peer.h"

#define BUCKETS 256

struct call {
	struct call *next;
	struct helper *h;
	uint32_t id;
	helper_done *done;
	void *ctx;
	ev_timer timer;
};

struct helper {
	struct ev_loop *loop;
	struct peer *peer;
	struct call *calls[BUCKETS];
	size_t count, max;
	uint32_t last_id;
	double timeout;
	void (*on_death)(void);
};

static void
answer(struct call *c, const struct helper_answer *a)
{
	struct helper *h = c->h;
	struct call **at = &h->calls[c->id % BUCKETS];

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	h->count--;
	ev_timer_stop(h->loop, &c->timer);
	c->done(c->ctx, a);
	free(c);
}

static void
on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct call *c = w->data;
	struct helper_answer a = { .code = AUTH_FAIL_TEMP, .text = SPAN("no answer in time") };

	(void)loop;
	(void)revents;
	answer(c, &a);
}

static int
on_answer(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct helper *h = peer_data(p);
	uint32_t id = ipc_u32(m, F_ID), code = ipc_u32(m, F_CODE);
	struct helper_answer a = { .code = (enum auth_fail)code };
	struct call *c;

	a.user = ipc_opt_bytes(m, F_USER, USER_NAME_MAX);
	a.text = ipc_opt_bytes(m, F_TEXT, 1024);
	a.message = ipc_opt_bytes(m, F_DETAIL, 1024);
	a.password = ipc_opt_bytes(m, F_PASSWORD, 4096);
	if (!ipc_end(m) || code > AUTH_FAIL_PROTOCOL)
		return err_set(e, ERR_SYNTAX, "malformed answer");
	for (c = h->calls[id % BUCKETS]; c != NULL; c = c->next)
		if (c->id == id) {
			answer(c, &a);
			break;
		}
	return 0;	/* else it came after its time limit */
}

static const struct ipc_rule rules[] = {
	/* message	who may send it		handler */
	{ MSG_DONE,	PEER_HELPER,		on_answer },
	{ 0, 0, NULL },
};

static void
fail_all(struct helper *h)
{
	struct helper_answer a = { .code = AUTH_FAIL_TEMP, .text = SPAN("the helper process has gone") };

	for (size_t i = 0; i < BUCKETS; i++)
		while (h->calls[i] != NULL)
			answer(h->calls[i], &a);
}

static void
on_close(struct peer *p)
{
	struct helper *h = peer_data(p);

	h->peer = NULL;
	fail_all(h);
	if (h->on_death != NULL)
		h->on_death();
}

struct helper *
helper_new(struct ev_loop *loop, int *fd, size_t max_calls, uint64_t timeout_ms, void (*on_death)(void))
{
	struct helper *h = calloc(1, sizeof(*h));
	struct peer_options o = { .rules = rules, .kind = PEER_HELPER, .on_close = on_close, .data = h };

	if (h == NULL)
		return NULL;
	h->loop = loop;
	h->max = max_calls;
	h->timeout = (double)timeout_ms / 1000;
	h->on_death = on_death;
	h->peer = peer_new(loop, fd, &o);
	if (h->peer == NULL) {
		free(h);
		return NULL;
	}
	return h;
}

void
helper_free(struct helper *h)
{
	if (h == NULL)
		return;
	peer_free(h->peer);
	h->peer = NULL;
	fail_all(h);
	free(h);
}

static struct call *
call_new(struct helper *h, helper_done *done, void *ctx)
{
	struct call *c;

	if (h->peer == NULL || h->count >= h->max || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->h = h;
	c->id = ++h->last_id;
	c->done = done;
	c->ctx = ctx;
	c->next = h->calls[c->id % BUCKETS];
	h->calls[c->id % BUCKETS] = c;
	h->count++;
	ev_timer_init(&c->timer, on_timeout, h->timeout, 0.);
	c->timer.data = c;
	ev_timer_start(h->loop, &c->timer);
	return c;
}

bool
helper_pam(struct helper *h, struct span service, struct span user, struct span password, struct span rip,
    unsigned flags, helper_done *done, void *ctx)
{
	struct call *c = call_new(h, done, ctx);
	struct ipc_out o;

	if (c == NULL)
		return false;
	ipc_begin(&o, MSG_PAM);
	ipc_put_u32(&o, F_ID, c->id);
	ipc_put_bytes(&o, F_SERVICE, service);
	ipc_put_bytes(&o, F_USER, user);
	ipc_put_bytes(&o, F_PASSWORD, password);
	ipc_put_u32(&o, F_FLAGS, flags);
	if (rip.n > 0)
		ipc_put_bytes(&o, F_RIP, rip);
	peer_send(h->peer, &o);
	return true;
}

bool
helper_shadow(struct helper *h, struct span user, helper_done *done, void *ctx)
{
	struct call *c = call_new(h, done, ctx);
	struct ipc_out o;

	if (c == NULL)
		return false;
	ipc_begin(&o, MSG_SHADOW);
	ipc_put_u32(&o, F_ID, c->id);
	ipc_put_bytes(&o, F_USER, user);
	peer_send(h->peer, &o);
	return true;
}
