/* SPDX-License-Identifier: MIT */
#include "lib-protocol/auth-client.h"

#include <stdlib.h>
#include "lib/hash.h"
#include "lib/log.h"

#define QUESTION_MAX 2048	/* octets of a look-up's strings, together */
#define IDENTITY_MEMORY 65536

struct question {
	struct question *prev, *next;	/* in the order of asking: so the oldest is first */
	uint32_t id;
	ev_tstamp deadline;
	auth_client_answer *f;
	void *ctx;
	uint16_t type;
	bool sent;
	struct buf text;		/* F_xxx (u16) length (u16) octets: what the frame is made of */
};

struct auth_client {
	struct service *service;
	struct peer *peer;
	struct question *first, *last;
	size_t count;
	uint32_t next_id;
	struct hash *by_id;
	ev_timer timer;
	struct arena *arena;
};

static struct question *
find(struct auth_client *c, uint32_t id)
{
	return hash_get(c->by_id, span_of(&id, sizeof(id)));
}

static void
question_free(struct auth_client *c, struct question *q)
{
	hash_remove(c->by_id, span_of(&q->id, sizeof(q->id)));
	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		c->first = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		c->last = q->prev;
	c->count--;
	if (c->count == 0)
		ev_timer_stop(c->service->loop, &c->timer);
	buf_wipe(&q->text);
	free(q);
}

static void
answer(struct auth_client *c, struct question *q, const struct auth_answer *a)
{
	auth_client_answer *f = q->f;
	void *ctx = q->ctx;

	question_free(c, q);
	f(ctx, a);
}

static void
fail(struct auth_client *c, struct question *q, enum auth_fail why)
{
	struct auth_answer a = { .fail = why, .text = SPAN_NONE };

	answer(c, q, &a);
}

static void
send_question(struct auth_client *c, struct question *q)
{
	struct span rest = buf_span(&q->text);
	struct ipc_out o;

	ipc_begin(&o, q->type);
	ipc_put_u32(&o, F_ID, q->id);
	while (rest.n >= 4) {
		size_t n = be16_get(rest.p + 2);

		ipc_put_bytes(&o, be16_get(rest.p), span_sub(rest, 4, n));
		rest = span_from(rest, 4 + n);
	}
	q->sent = true;
	peer_send(c->peer, &o);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct auth_client *c = w->data;

	(void)revents;
	while (c->first != NULL && c->first->deadline <= ev_now(loop)) {
		log_error("auth did not answer within %.0f seconds", AUTH_CLIENT_TIMEOUT);
		fail(c, c->first, AUTH_FAIL_TEMP);
	}
}

static int
on_identity(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_client *c = peer_data(p);
	struct question *q = find(c, ipc_u32(m, F_ID));
	struct identity id;
	struct auth_answer a = { .id = &id };

	arena_reset(c->arena);
	if (identity_get(m, c->arena, &id, e) == -1)
		return -1;
	if (q != NULL)
		answer(c, q, &a);
	return 0;
}

static int
on_found(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_client *c = peer_data(p);
	struct question *q = find(c, ipc_u32(m, F_ID));
	struct auth_answer a = { .user = ipc_bytes(m, F_USER, USER_NAME_MAX),
				 .token = ipc_bytes(m, F_TOKEN, AUTH_TOKEN_LEN) };

	ipc_opt_bytes(m, F_DATA, IPC_FRAME_MAX);
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer to a look-up");
	if (q != NULL)
		answer(c, q, &a);
	return 0;
}

static int
on_fail(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_client *c = peer_data(p);
	struct question *q = find(c, ipc_u32(m, F_ID));
	struct auth_answer a = { .fail = (enum auth_fail)ipc_u32(m, F_CODE), .text = ipc_opt_bytes(m, F_TEXT, 1024) };

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed failure");
	if (a.fail == AUTH_FAIL_NONE)
		a.fail = AUTH_FAIL_TEMP;
	if (q != NULL)
		answer(c, q, &a);
	return 0;
}

/* The mechanisms are for login alone. */
static int
on_mechs(struct peer *p, struct ipc_msg *m, struct err *e)
{
	(void)p;
	ipc_bytes(m, F_TEXT, IPC_FRAME_MAX);
	return ipc_end(m) ? 0 : err_set(e, ERR_SYNTAX, "malformed list of mechanisms");
}

static const struct ipc_rule auth_rules[] = {
	{ MSG_IDENTITY, PEER_AUTH, on_identity },
	{ MSG_AUTH_OK, PEER_AUTH, on_found },
	{ MSG_AUTH_FAIL, PEER_AUTH, on_fail },
	{ MSG_AUTH_MECHS, PEER_AUTH, on_mechs },
	{ 0, 0, NULL },
};

/* Tokens died with auth; look-ups have no memory there and are asked anew. */
static void
on_close(struct peer *p)
{
	struct auth_client *c = peer_data(p);
	struct question *q;

	c->peer = NULL;
	service_want(c->service, "auth");
	for (q = c->first; q != NULL; q = q->next)
		if (q->type == MSG_LOOKUP)
			q->sent = false;
	/* From the start after each one: the answer's receiver may ask and forget. */
	for (;;) {
		for (q = c->first; q != NULL && !q->sent; q = q->next)
			;
		if (q == NULL)
			break;
		fail(c, q, AUTH_FAIL_TEMP);
	}
}

struct auth_client *
auth_client_new(struct service *s)
{
	struct auth_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->service = s;
	c->by_id = hash_new(AUTH_CLIENT_MAX);
	c->arena = arena_new(IDENTITY_MEMORY);
	if (c->by_id == NULL || c->arena == NULL) {
		hash_free(c->by_id);
		arena_free(c->arena);
		free(c);
		return NULL;
	}
	ev_timer_init(&c->timer, on_timer, 0., 1.);
	c->timer.data = c;
	service_want(s, "auth");
	return c;
}

void
auth_client_channel(struct auth_client *c, int *fd)
{
	struct peer_options po = { .rules = auth_rules, .kind = PEER_AUTH, .on_close = on_close, .data = c };

	if (c->peer != NULL)
		return;
	c->peer = peer_new(c->service->loop, fd, &po);
	if (c->peer == NULL)
		return;
	for (struct question *q = c->first; q != NULL; q = q->next)
		if (!q->sent)
			send_question(c, q);
}

static void
put(struct question *q, uint16_t tag, struct span s)
{
	buf_add_be16(&q->text, tag);
	buf_add_be16(&q->text, (uint16_t)s.n);
	buf_add(&q->text, s);
}

static struct question *
question_new(struct auth_client *c, uint16_t type, auth_client_answer *f, void *ctx)
{
	struct question *q;

	if (c->count >= AUTH_CLIENT_MAX || (q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	do
		q->id = ++c->next_id;
	while (q->id == 0 || find(c, q->id) != NULL);
	if (!hash_set(c->by_id, span_of(&q->id, sizeof(q->id)), q)) {
		free(q);
		return NULL;
	}
	q->type = type;
	q->f = f;
	q->ctx = ctx;
	q->deadline = ev_now(c->service->loop) + AUTH_CLIENT_TIMEOUT;
	buf_init(&q->text, QUESTION_MAX);
	q->prev = c->last;
	if (c->last != NULL)
		c->last->next = q;
	else
		c->first = q;
	c->last = q;
	if (c->count++ == 0)
		ev_timer_again(c->service->loop, &c->timer);
	return q;
}

static uint32_t
ask(struct auth_client *c, struct question *q)
{
	if (q->text.failed) {
		question_free(c, q);
		return 0;
	}
	if (c->peer != NULL)
		send_question(c, q);
	return q->id;
}

uint32_t
auth_client_redeem(struct auth_client *c, struct span service, struct span token, auth_client_answer *f, void *ctx)
{
	struct question *q = question_new(c, MSG_REDEEM, f, ctx);

	if (q == NULL)
		return 0;
	put(q, F_SERVICE, service);
	put(q, F_TOKEN, token);
	return ask(c, q);
}

uint32_t
auth_client_lookup(struct auth_client *c, const struct auth_client_lookup_params *l, auth_client_answer *f, void *ctx)
{
	struct question *q = question_new(c, MSG_LOOKUP, f, ctx);

	if (q == NULL)
		return 0;
	put(q, F_SERVICE, l->service);
	put(q, F_USER, l->user);
	if (l->rip.p != NULL)
		put(q, F_RIP, l->rip);
	if (l->lip.p != NULL)
		put(q, F_LIP, l->lip);
	if (l->session.p != NULL)
		put(q, F_SESSION, l->session);
	return ask(c, q);
}

void
auth_client_forget(struct auth_client *c, uint32_t id)
{
	struct question *q = find(c, id);

	if (q != NULL)
		question_free(c, q);
}
