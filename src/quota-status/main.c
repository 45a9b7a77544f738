/* SPDX-License-Identifier: MIT */
/*
 * service quota-status: Postfix asks, before it takes mail, whether it would fit (check_policy_service).  Connections are
 * held here, by an unprivileged process with events; auth says who the recipient is, and a process of deliver's, as the
 * mail user, looks at the quota.  One question of a connection at a time, as the protocol has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-protocol/auth-client.h"
#include "quota-status/decide.h"

#define IDLE_S 600.		/* a connection that asks nothing */
#define REQUEST_S 30.		/* from a request's first octet to its answer */
#define OUT_MAX 4096
#define SCRATCH_MAX ((size_t)16 << 20)
#define CONNECTIONS_MAX 100000
#define INTERNAL_ERROR "DEFER_IF_PERMIT 4.3.0 Temporary internal error"

struct conn {
	uint32_t id;			/* of its question to deliver */
	int fd;
	ev_io io;
	ev_timer timer;
	struct buf in, out;
	uint32_t question;		/* auth's; 0: none */
	bool busy;			/* a request is being answered */
	struct arena *arena;		/* of the request */
	struct span user;		/* asked for, for the log */
	struct span detail, recipient;
	struct policy_answer next;	/* who is asked for where that is no user, and what is said where nobody is */
	uint64_t size;
};

struct policy {
	struct service service;
	struct auth_client *auth;
	struct peer *deliver;		/* NULL: away */
	struct hash *by_id;		/* struct conn, of all connections */
	struct recipient_tables *tables;	/* NULL: none */
	struct recipient_expand_options recipients;
	struct arena *scratch;		/* while it is decided: a list of recipients may be long */
	uint32_t last_id, limit;
	ev_io accept[SERVICE_LISTENERS_MAX];
	bool accepting;
};

static struct policy policy;

static void conn_free(struct conn *c);
static void conn_go_on(struct conn *c);

static void
accept_watch(bool on)
{
	on = on && !policy.service.stopping;
	if (policy.accepting == on)
		return;
	policy.accepting = on;
	for (size_t i = 0; i < policy.service.listener_count; i++)
		if (on)
			ev_io_start(policy.service.loop, &policy.accept[i]);
		else
			ev_io_stop(policy.service.loop, &policy.accept[i]);
}

static void
set_timer(struct conn *c, double seconds)
{
	ev_timer_stop(policy.service.loop, &c->timer);
	ev_timer_set(&c->timer, seconds, 0.);
	ev_timer_start(policy.service.loop, &c->timer);
}

/* Writing is waited for only when something is left to write; reading not while a request is at work. */
static void
watch(struct conn *c)
{
	int events = c->out.n > 0 ? EV_WRITE : c->busy ? 0 : EV_READ;

	ev_io_stop(policy.service.loop, &c->io);
	if (events == 0)
		return;
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(policy.service.loop, &c->io);
}

/* False: the connection has gone. */
static bool
flush(struct conn *c)
{
	while (c->out.n > 0) {
		ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n == -1) {
			conn_free(c);
			return false;
		}
		buf_drop(&c->out, (size_t)n);
	}
	return true;
}

/* action=...: one line, whatever was configured. */
static void
answer(struct conn *c, struct span action)
{
	buf_adds(&c->out, "action=");
	for (size_t i = 0; i < action.n && i < OUT_MAX / 2; i++)
		buf_addc(&c->out, action.p[i] < ' ' || action.p[i] == 0x7f ? ' ' : action.p[i]);
	buf_adds(&c->out, "\n\n");
	log_debug("recipient %.*s: %.*s", SPAN_ARG(c->recipient), SPAN_ARG(action));
	c->busy = false;
	set_timer(c, IDLE_S);
}

static struct span
words(const char *name, const char *usual)
{
	struct span s = set_plugin(policy.service.view, name);

	return s.n > 0 ? s : span_str(usual);
}

static void
answer_code(struct conn *c, uint32_t code, struct span text)
{
	char reply[600];
	int n;

	if (code == 250)
		answer(c, words("quota_status_success", "DUNNO"));
	else if (code == 552 && span_starts(text, SPAN("5.2.3")) && set_plugin(policy.service.view, "quota_status_toolarge").n > 0)
		answer(c, set_plugin(policy.service.view, "quota_status_toolarge"));
	else if (code == 552 || code == 452) {
		n = snprintf(reply, sizeof(reply), "%u %.*s", code == 552 ? 554u : 452u, SPAN_ARG(span_sub(text, 0, 500)));
		answer(c, words("quota_status_overquota", n > 0 ? reply : "554 5.2.2 Quota exceeded"));
	} else
		answer(c, SPAN(INTERNAL_ERROR));
}

/* user[@domain] of the address, without the detail; false: it can be nobody here. */
static bool
name_user(struct conn *c, struct span local, struct span domain)
{
	char *text;

	c->detail = SPAN_NONE;
	smtp_detail_split(local, policy.recipients.delimiters, &local, &c->detail);
	if (span_chr(local, '@') < local.n || local.n + domain.n + 1 > USER_NAME_MAX)
		return false;
	text = arena_printf(c->arena, "%.*s%s%.*s", SPAN_ARG(local), domain.n > 0 ? "@" : "", SPAN_ARG(domain));
	c->user = span_str(text);
	c->detail = c->detail.n == 0 ? SPAN_NONE : arena_dup(c->arena, c->detail);
	return text != NULL;
}

/* Addresses that lead to each other are asked for one after the other.  False: there is none left. */
static bool
next_user(struct conn *c)
{
	while (c->next.user_count > 0) {
		const struct smtp_path *one = c->next.users++;

		c->next.user_count--;
		if (name_user(c, one->local, one->domain))
			return true;
	}
	return false;
}

/* Into the connection's arena: the tables may be others when auth has answered.  False: no memory. */
static bool
keep_users(struct conn *c, const struct policy_answer *a)
{
	struct smtp_path *users = arena_alloc(c->arena, a->user_count, sizeof(*users));

	c->next = *a;
	c->next.users = users;
	c->next.reply.text = arena_dup(c->arena, a->reply.text);
	for (size_t i = 0; users != NULL && i < a->user_count; i++) {
		users[i].local = arena_dup(c->arena, a->users[i].local);
		users[i].domain = arena_dup(c->arena, a->users[i].domain);
		if (users[i].local.p == NULL || users[i].domain.p == NULL)
			return false;
	}
	return users != NULL && c->next.reply.text.p != NULL;
}

static void ask_auth(struct conn *c);
static void refuse(struct conn *c, const struct recipient_reply *r);

static void
on_user(void *ctx, const struct auth_answer *a)
{
	struct conn *c = ctx;
	struct ipc_out o;

	c->question = 0;
	if ((a->fail == AUTH_FAIL_NO_USER || a->fail == AUTH_FAIL_CREDENTIALS) && c->next.users != NULL) {
		if (next_user(c))
			ask_auth(c);
		else
			refuse(c, &c->next.reply);
		if (c->question == 0)
			conn_go_on(c);
		return;
	}
	if (a->fail == AUTH_FAIL_NO_USER || a->fail == AUTH_FAIL_CREDENTIALS || a->fail == AUTH_FAIL_DISABLED ||
	    a->fail == AUTH_FAIL_EXPIRED) {
		answer(c, words("quota_status_nouser", "REJECT Unknown user"));
		conn_go_on(c);
		return;
	}
	if (a->fail != AUTH_FAIL_NONE || policy.deliver == NULL) {
		log_error("recipient %.*s: %s", SPAN_ARG(c->recipient),
		    policy.deliver == NULL ? "service deliver is away" : "the user database does not answer");
		answer(c, SPAN(INTERNAL_ERROR));
		conn_go_on(c);
		return;
	}
	ipc_begin(&o, MSG_FITS);
	ipc_put_u32(&o, F_ID, c->id);
	ipc_put_bytes(&o, F_TOKEN, a->token);
	ipc_put_str(&o, F_SESSION, "quota-status");
	ipc_put_bytes(&o, F_RECIPIENT, c->recipient);
	if (c->detail.n > 0)
		ipc_put_bytes(&o, F_DETAIL, c->detail);
	ipc_put_u64(&o, F_SIZE, c->size);
	peer_send(policy.deliver, &o);
}

static void
refuse(struct conn *c, const struct recipient_reply *r)
{
	char text[RECIPIENT_REPLY_TEXT + 100];

	snprintf(text, sizeof(text), "%u %s %.*s", r->code, r->status, SPAN_ARG(r->text));
	log_info("recipient %.*s is refused: %s", SPAN_ARG(c->recipient), text);
	answer(c, span_str(text));
}

static void
ask_auth(struct conn *c)
{
	struct auth_client_lookup_params q = { .service = SPAN("lmtp"), .rip = SPAN(""), .lip = SPAN(""), .session = SPAN(""),
		.user = c->user };

	c->question = auth_client_lookup(policy.auth, &q, on_user, c);
	if (c->question == 0)
		answer(c, SPAN(INTERNAL_ERROR));
}

static void
decide(struct conn *c, const struct policy_request *r)
{
	struct policy_answer a = { .local = SPAN("") };
	enum policy_decision d;
	struct err e = ERR_INIT;

	if (policy.tables != NULL)
		recipient_tables_refresh(policy.tables, clock_ms());
	arena_reset(policy.scratch);
	d = policy_decide(&policy.recipients, r, policy.scratch, &a, &e);
	if (d == POLICY_ASK && a.users != NULL && !keep_users(c, &a)) {
		err_set(&e, ERR_TEMP, "out of memory");
		d = POLICY_LATER;
	} else if (d == POLICY_ASK && !(a.users != NULL ? next_user(c) : name_user(c, a.local, a.domain)))
		d = POLICY_NOBODY;
	switch (d) {
	case POLICY_ASK:
		ask_auth(c);
		return;
	case POLICY_PASS:
		answer(c, words("quota_status_success", "DUNNO"));
		return;
	case POLICY_REFUSE:
		refuse(c, &a.reply);
		return;
	case POLICY_NOBODY:
		c->recipient = SPAN("(malformed)");
		answer(c, words("quota_status_nouser", "REJECT Unknown user"));
		return;
	case POLICY_LATER:
		break;
	}
	log_error("recipient %.*s: %s", SPAN_ARG(c->recipient), e.log);
	answer(c, SPAN(INTERNAL_ERROR));
}

static void
begin(struct conn *c, const struct policy_request *r)
{
	arena_reset(c->arena);
	c->busy = true;
	c->detail = SPAN_NONE;
	c->next.users = NULL;
	c->size = r->size;
	c->recipient = r->recipient.n > SMTP_PATH_MAX ? SPAN_NONE : arena_dup(c->arena, r->recipient);
	/* Where there are several recipients, none is named: nothing can be said of all of them. */
	if (r->recipient.n == 0) {
		c->recipient = SPAN("");
		answer(c, words("quota_status_success", "DUNNO"));
	} else {
		decide(c, r);
	}
}

/* Takes one request off the input.  1; 0 it is not whole; -1 the connection has gone. */
static int
next_request(struct conn *c)
{
	struct policy_request r;
	size_t used;

	switch (policy_request_parse(buf_span(&c->in), &r, &used)) {
	case POLICY_MORE:
		return 0;
	case POLICY_BAD:
		log_warning("a policy client sent what is no request: disconnected");
		conn_free(c);
		return -1;
	case POLICY_DONE:
		break;
	}
	set_timer(c, REQUEST_S);
	begin(c, &r);
	/* Its spans are in there. */
	buf_drop(&c->in, used);
	return 1;
}

/* Sends what is to be sent, and answers what has come, as far as that goes without waiting. */
static void
conn_go_on(struct conn *c)
{
	int rc = 1;

	while (rc == 1) {
		if (!flush(c))
			return;
		if (c->out.n > 0 || c->busy)
			break;
		if (policy.service.stopping) {
			conn_free(c);
			return;
		}
		rc = next_request(c);
	}
	if (rc != -1)
		watch(c);
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;
	char room[8192];
	ssize_t n;

	(void)loop;
	if (revents & EV_WRITE) {
		conn_go_on(c);
		return;
	}
	n = recv(c->fd, room, sizeof(room), MSG_DONTWAIT);
	if (n == -1 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	if (c->in.n == 0)
		set_timer(c, REQUEST_S);
	buf_add(&c->in, span_of(room, (size_t)n));
	if (c->in.failed) {
		log_warning("a policy client sends without waiting for answers: disconnected");
		conn_free(c);
		return;
	}
	conn_go_on(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *c = w->data;

	(void)loop;
	(void)revents;
	/* Who waits for us gets an answer; who makes us wait does not. */
	if (c->busy && c->question != 0)
		auth_client_forget(policy.auth, c->question);
	c->question = 0;
	if (c->busy) {
		/* An answer that comes late is for nobody. */
		hash_remove(policy.by_id, span_of(&c->id, sizeof(c->id)));
		c->id = ++policy.last_id;
		if (!hash_set(policy.by_id, span_of(&c->id, sizeof(c->id)), c))
			log_fatal("out of memory");
		answer(c, SPAN(INTERNAL_ERROR));
		conn_go_on(c);
	} else {
		conn_free(c);
	}
}

static void
conn_free(struct conn *c)
{
	ev_io_stop(policy.service.loop, &c->io);
	ev_timer_stop(policy.service.loop, &c->timer);
	if (c->question != 0)
		auth_client_forget(policy.auth, c->question);
	hash_remove(policy.by_id, span_of(&c->id, sizeof(c->id)));
	close(c->fd);
	buf_clear(&c->in);
	buf_clear(&c->out);
	arena_free(c->arena);
	free(c);
	accept_watch(true);
	service_busy(&policy.service, (uint32_t)hash_count(policy.by_id));
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd == -1)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->arena = arena_new(16384)) == NULL) {
		free(c);
		close(fd);
		log_error("out of memory");
		return;
	}
	c->fd = fd;
	c->id = ++policy.last_id;
	buf_init(&c->in, (size_t)2 * POLICY_REQUEST_MAX);
	buf_init(&c->out, OUT_MAX);
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_timer_init(&c->timer, on_timer, 0., 0.);
	c->io.data = c->timer.data = c;
	if (!hash_set(policy.by_id, span_of(&c->id, sizeof(c->id)), c)) {
		conn_free(c);
		return;
	}
	set_timer(c, IDLE_S);
	ev_io_start(loop, &c->io);
	service_busy(&policy.service, (uint32_t)hash_count(policy.by_id));
	if (hash_count(policy.by_id) >= policy.limit) {
		log_warning("%u policy clients are connected: others wait", policy.limit);
		accept_watch(false);
	}
}

static int
on_delivered(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	uint32_t id = ipc_u32(m, F_ID), code = ipc_u32(m, F_CODE);
	struct span text = ipc_bytes(m, F_TEXT, 512);
	struct conn *c;

	(void)peer;
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer of deliver");
	c = hash_get(policy.by_id, span_of(&id, sizeof(id)));
	if (c != NULL && c->busy && c->question == 0) {
		answer_code(c, code, text);
		conn_go_on(c);
	}
	return 0;
}

static const struct ipc_rule deliver_rules[] = {
	{ MSG_DELIVERED, PEER_DELIVER, on_delivered },
	{ 0, 0, NULL },
};

/* Those who wait for it are answered by their timers, or ask again. */
static void
on_deliver_close(struct peer *peer)
{
	(void)peer;
	policy.deliver = NULL;
	service_want(&policy.service, "deliver");
}

static void
on_channel(struct service *s, struct span name, int *fd)
{
	struct peer_options po = { .rules = deliver_rules, .kind = PEER_DELIVER, .on_close = on_deliver_close };

	if (span_eq(name, SPAN("auth"))) {
		auth_client_channel(policy.auth, fd);
	} else if (span_eq(name, SPAN("deliver"))) {
		peer_free(policy.deliver);
		policy.deliver = peer_new(s->loop, fd, &po);
		if (policy.deliver == NULL)
			log_fatal("out of memory");
	}
}

/* Connections that ask nothing end at once, the others with their answer; a client connects anew. */
static void
on_stop(struct service *s)
{
	struct span key;
	void *value;
	size_t pos = 0;

	(void)s;
	accept_watch(false);
	while (hash_next(policy.by_id, &pos, &key, &value)) {
		struct conn *c = value;

		if (c->busy)
			continue;
		conn_free(c);
		pos = 0;
	}
}

/* Read as who reads them again later. */
static void
init_tables(void)
{
	struct err e = ERR_INIT;

	policy.tables = recipient_tables_new(policy.service.view, &e);
	if (policy.tables == NULL && e.code != ERR_NONE)
		log_fatal("%s", e.log);
	if (policy.tables != NULL)
		recipient_tables_refresh(policy.tables, clock_ms());
	recipient_expand_settings(policy.service.view, policy.tables, &policy.recipients);
}

int
main(void)
{
	struct priv_filter *filter;
	struct err e = ERR_INIT;
	uint64_t limit;

	policy.service.on_channel = on_channel;
	policy.service.on_stop = on_stop;
	service_init(&policy.service, "quota-status", "lmtp");
	/* One process holds what would be many with one connection each. */
	limit = (uint64_t)policy.service.client_limit * policy.service.process_limit;
	policy.limit = limit > CONNECTIONS_MAX ? CONNECTIONS_MAX : (uint32_t)limit;
	policy.service.client_limit = UINT32_MAX;
	policy.by_id = hash_new(CONNECTIONS_MAX + 1);
	policy.auth = auth_client_new(&policy.service);
	filter = priv_filter_new(PRIV_EVENTS, &e);
	policy.scratch = arena_new(SCRATCH_MAX);
	if (policy.by_id == NULL || policy.auth == NULL || filter == NULL || policy.scratch == NULL)
		log_fatal("%s", filter == NULL ? e.log : "out of memory");
	service_want(&policy.service, "deliver");
	for (size_t i = 0; i < policy.service.listener_count; i++)
		ev_io_init(&policy.accept[i], on_accept, policy.service.listeners[i].fd, EV_READ);
	service_drop(&policy.service, SERVICE_USER_INTERNAL, NULL, -1);
	init_tables();
	if (priv_filter_apply(filter, &e) == -1)
		log_fatal("%s", e.log);
	priv_filter_free(filter);
	accept_watch(true);
	service_ready(&policy.service);
	return service_run(&policy.service);
}
