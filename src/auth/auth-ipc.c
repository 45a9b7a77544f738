/* SPDX-License-Identifier: MIT */
#include "auth/auth-ipc.h"

#include <stdlib.h>
#include <unistd.h>
#include "auth/mech.h"
#include "auth/request.h"
#include "auth/userdb.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/peer.h"

#define SERVICE_NAME_MAX 64
#define PEER_REQUESTS_MAX 65536
#define PROXY_FIELDS_MAX 16384
#define LIST_QUEUE_MAX ((size_t)64 << 20)

struct auth_peer {
	struct auth_peer *next, **at;
	struct auth_peers *all;
	struct peer *peer;
	struct hash *requests;		/* F_ID, as its four octets -> struct request */
};

struct auth_peers {
	struct auth *auth;
	struct auth_peer *first;
	size_t requests;
	void (*on_idle)(void);
};

struct id_key {
	char octets[4];
};

static struct span
key_of(uint32_t id, struct id_key *k)
{
	be32_put(k->octets, id);
	return span_of(k->octets, sizeof(k->octets));
}

static void
send_fail(struct auth_peer *ap, uint32_t id, enum auth_fail code, struct span text)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_AUTH_FAIL);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_CODE, code);
	if (text.n > 0)
		ipc_put_bytes(&o, F_TEXT, text);
	peer_send(ap->peer, &o);
}

static void
send_ok(struct auth_peer *ap, const struct request *r)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_AUTH_OK);
	ipc_put_u32(&o, F_ID, r->id);
	ipc_put_bytes(&o, F_USER, r->user);
	ipc_put_bytes(&o, F_TOKEN, span_of(r->token, AUTH_TOKEN_LEN));
	peer_send(ap->peer, &o);
}

static void
one_less(struct auth_peers *ps)
{
	if (--ps->requests == 0 && ps->on_idle != NULL)
		ps->on_idle();
}

static void
send_proxy(struct auth_peer *ap, const struct request *r)
{
	struct buf packed = BUF_INIT(PROXY_FIELDS_MAX);
	struct ipc_out o;

	for (const struct field *f = r->pass_fields.first; f != NULL; f = f->next) {
		buf_add(&packed, f->name);
		buf_addc(&packed, '=');
		buf_add(&packed, f->value);
		buf_addc(&packed, '\0');
	}
	if (packed.failed) {
		log_error("the passdb has too many fields for %.*s", SPAN_ARG(r->user));
		send_fail(ap, r->id, AUTH_FAIL_TEMP, SPAN_NONE);
	} else {
		ipc_begin(&o, MSG_AUTH_PROXY);
		ipc_put_u32(&o, F_ID, r->id);
		ipc_put_bytes(&o, F_USER, r->user);
		ipc_put_bytes(&o, F_FIELDS, buf_span(&packed));
		peer_send(ap->peer, &o);
	}
	buf_wipe(&packed);
}

static struct request *new_request(struct auth_peer *ap, uint32_t id, const struct request_params *params, bool *bad);

/*
 * The passdb has been asked whether the user is one of another server.  Who is not, or is not known there, or can not be
 * looked up there, is looked up as ever.
 */
static void
after_proxy_lookup(struct auth_peer *ap, const struct request *r, enum request_event event)
{
	struct request_params params = r->params;
	struct request *local;
	bool bad;

	if (event == REQ_OK && (fields_is_true(&r->pass_fields, SPAN("proxy")) ||
	    fields_is_true(&r->pass_fields, SPAN("proxy_maybe")))) {
		send_proxy(ap, r);
		return;
	}
	if (event == REQ_FAIL && r->fail != AUTH_FAIL_NO_USER && r->fail != AUTH_FAIL_CREDENTIALS && r->worst != DB_NO_LOOKUP) {
		send_fail(ap, r->id, r->fail, r->fail_text);
		return;
	}
	params.want_token = true;
	local = new_request(ap, r->id, &params, &bad);
	if (local != NULL)
		request_start_lookup(local, r->asked);
}

static void
on_notify(struct request *r, enum request_event event)
{
	struct auth_peer *ap = r->owner;
	struct id_key k;
	struct ipc_out o;

	if (event != REQ_CHALLENGE) {
		hash_remove(ap->requests, key_of(r->id, &k));
		one_less(ap->all);
	}
	if (r->wants_proxy) {
		after_proxy_lookup(ap, r, event);
		return;
	}
	switch (event) {
	case REQ_CHALLENGE:
		ipc_begin(&o, MSG_AUTH_CHALLENGE);
		ipc_put_u32(&o, F_ID, r->id);
		ipc_put_bytes(&o, F_DATA, r->challenge);
		peer_send(ap->peer, &o);
		return;
	case REQ_OK:
		send_ok(ap, r);
		return;
	case REQ_IDENTITY:
		if (r->params.want_token) {
			send_ok(ap, r);
			return;
		}
		ipc_begin(&o, MSG_IDENTITY);
		ipc_put_u32(&o, F_ID, r->id);
		identity_put(&o, &r->identity);
		peer_send(ap->peer, &o);
		return;
	case REQ_FAIL:
		send_fail(ap, r->id, r->fail, r->fail_text);
		return;
	}
}

/* A request of this peer; NULL when it was answered already (too many at once), or *bad when the id is in use. */
static struct request *
new_request(struct auth_peer *ap, uint32_t id, const struct request_params *params, bool *bad)
{
	struct id_key k;
	struct request *r;

	*bad = hash_get(ap->requests, key_of(id, &k)) != NULL;
	if (*bad)
		return NULL;
	r = request_new(ap->all->auth, params);
	if (r != NULL && !hash_set(ap->requests, key_of(id, &k), r)) {
		request_abort(r);
		r = NULL;
	}
	if (r == NULL) {
		log_warning("too many authentications at once (auth_max_requests): one was refused");
		send_fail(ap, id, AUTH_FAIL_TEMP, SPAN_NONE);
		return NULL;
	}
	r->owner = ap;
	r->notify = on_notify;
	r->id = id;
	ap->all->requests++;
	return r;
}

static int
on_start(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_peer *ap = peer_data(p);
	struct request_params params = { .refuse_plaintext = true, .want_token = true };
	uint32_t id = ipc_u32(m, F_ID);
	struct span mech = ipc_bytes(m, F_MECH, 32), data = ipc_opt_bytes(m, F_DATA, MECH_RESPONSE_MAX);
	bool has_data = ipc_has(m, F_DATA), bad;
	struct request *r;

	params.service = ipc_bytes(m, F_SERVICE, SERVICE_NAME_MAX);
	params.secured = ipc_u32(m, F_SECURED) != 0;
	params.rip = ipc_bytes(m, F_RIP, 64);
	params.rport = ipc_u32(m, F_RPORT);
	params.lip = ipc_bytes(m, F_LIP, 64);
	params.lport = ipc_u32(m, F_LPORT);
	params.session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX);
	params.local_name = ipc_opt_bytes(m, F_LOCAL_NAME, 255);
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "auth start: malformed frame");
	r = new_request(ap, id, &params, &bad);
	if (bad)
		return err_set(e, ERR_SYNTAX, "auth start: id %u is in use", id);
	if (r != NULL)
		request_start_sasl(r, mech, has_data, data);
	return 0;
}

static int
on_cont(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_peer *ap = peer_data(p);
	struct id_key k;
	uint32_t id = ipc_u32(m, F_ID);
	struct span data = ipc_bytes(m, F_DATA, MECH_RESPONSE_MAX);
	struct request *r;

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "auth continue: malformed frame");
	r = hash_get(ap->requests, key_of(id, &k));
	if (r != NULL)		/* else it has ended meanwhile: a timeout */
		request_continue(r, data);
	return 0;
}

static int
on_abort(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_peer *ap = peer_data(p);
	struct id_key k;
	uint32_t id = ipc_u32(m, F_ID);
	struct request *r;

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "auth abort: malformed frame");
	r = hash_remove(ap->requests, key_of(id, &k));
	if (r != NULL) {
		request_abort(r);
		one_less(ap->all);
	}
	return 0;
}

static int
on_lookup(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_peer *ap = peer_data(p);
	struct request_params params = { .no_penalty = true, .want_token = peer_kind(p) != PEER_ADM };
	uint32_t id = ipc_u32(m, F_ID);
	struct span user = ipc_bytes(m, F_USER, 1024);
	struct request *r;
	bool bad, proxy;

	params.service = ipc_bytes(m, F_SERVICE, SERVICE_NAME_MAX);
	params.rip = ipc_opt_bytes(m, F_RIP, 64);
	params.lip = ipc_opt_bytes(m, F_LIP, 64);
	params.session = ipc_opt_bytes(m, F_SESSION, SESSION_ID_MAX);
	proxy = ipc_opt_u32(m, F_PROXY, 0) != 0;
	if (!ipc_end(m) || (proxy && peer_kind(p) != PEER_LMTP))
		return err_set(e, ERR_SYNTAX, "lookup: malformed frame");
	if (proxy)
		params.want_token = false;
	r = new_request(ap, id, &params, &bad);
	if (bad)
		return err_set(e, ERR_SYNTAX, "lookup: id %u is in use", id);
	if (r == NULL)
		return 0;
	if (!proxy) {
		request_start_lookup(r, user);
		return 0;
	}
	r->wants_proxy = true;
	r->asked = arena_dup(r->arena, user);
	request_start_passdb_lookup(r, user);
	return 0;
}

static int
on_redeem(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_peer *ap = peer_data(p);
	struct request_params params = { .no_penalty = true };
	uint32_t id = ipc_u32(m, F_ID);
	struct span token = ipc_bytes(m, F_TOKEN, AUTH_TOKEN_LEN);
	struct request *r;
	bool bad;

	params.service = ipc_bytes(m, F_SERVICE, SERVICE_NAME_MAX);
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "redeem: malformed frame");
	r = new_request(ap, id, &params, &bad);
	if (bad)
		return err_set(e, ERR_SYNTAX, "redeem: id %u is in use", id);
	if (r != NULL)
		request_start_redeem(r, token);
	return 0;
}

struct user_list {
	struct auth_peer *ap;
	uint32_t id, count;
};

static void
on_listed(void *ctx, struct span user)
{
	struct user_list *l = ctx;
	struct ipc_out o;

	if (user.n > USER_NAME_MAX)
		return;
	ipc_begin(&o, MSG_AUTH_USER);
	ipc_put_u32(&o, F_ID, l->id);
	ipc_put_bytes(&o, F_USER, user);
	peer_send(l->ap->peer, &o);
	l->count++;
}

static void
send_done(struct auth_peer *ap, uint32_t id, uint32_t count, bool failed)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_DONE);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_COUNT, count);
	ipc_put_u32(&o, F_CODE, failed ? AUTH_FAIL_TEMP : AUTH_FAIL_NONE);
	peer_send(ap->peer, &o);
}

static int
on_users(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct user_list l = { .ap = peer_data(p), .id = ipc_u32(m, F_ID) };
	struct span mask = ipc_opt_bytes(m, F_TEXT, 1024);
	int rc;

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "users: malformed frame");
	rc = userdb_list(l.ap->all->auth, mask, on_listed, &l);
	send_done(l.ap, l.id, l.count, rc == -1);
	return 0;
}

static int
on_flush(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct auth_peer *ap = peer_data(p);
	uint32_t id = ipc_u32(m, F_ID);
	struct span user = ipc_opt_bytes(m, F_USER, USER_NAME_MAX);

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "flush: malformed frame");
	send_done(ap, id, (uint32_t)auth_flush_cache(ap->all->auth, user), false);
	return 0;
}

static const struct ipc_rule auth_rules[] = {
	/* message		who may send it					handler */
	{ MSG_AUTH_START,	PEER_LOGIN | PEER_ADM,				on_start },
	{ MSG_AUTH_CONT,	PEER_LOGIN | PEER_ADM,				on_cont },
	{ MSG_AUTH_ABORT,	PEER_LOGIN | PEER_ADM,				on_abort },
	{ MSG_LOOKUP,		PEER_IMAP | PEER_POP3 | PEER_SIEVE | PEER_LMTP | PEER_DELIVER | PEER_ADM | PEER_POLICY,
											on_lookup },
	{ MSG_REDEEM,		PEER_IMAP | PEER_POP3 | PEER_SIEVE | PEER_DELIVER,		on_redeem },
	{ MSG_AUTH_USERS,	PEER_ADM,					on_users },
	{ MSG_AUTH_FLUSH,	PEER_ADM,					on_flush },
	{ 0, 0, NULL },
};

static void
auth_peer_free(struct auth_peer *ap)
{
	struct span key;
	void *value;
	size_t pos = 0;

	while (hash_next(ap->requests, &pos, &key, &value)) {
		request_abort(value);
		one_less(ap->all);
	}
	hash_free(ap->requests);
	*ap->at = ap->next;
	if (ap->next != NULL)
		ap->next->at = ap->at;
	free(ap);
}

static void
on_close(struct peer *p)
{
	auth_peer_free(peer_data(p));
}

/* One mechanism a line, for the login processes' capabilities. */
static void
send_mechs(struct auth_peer *ap)
{
	struct buf text = BUF_INIT(1024);
	struct ipc_out o;
	const char *name;

	for (size_t i = 0; (name = mech_at(i, ap->all->auth->conf->mechanisms)) != NULL; i++)
		buf_addf(&text, "%s plaintext\n", name);
	ipc_begin(&o, MSG_AUTH_MECHS);
	ipc_put_bytes(&o, F_TEXT, buf_span(&text));
	peer_send(ap->peer, &o);
	buf_clear(&text);
}

void
auth_peers_add(struct auth_peers *ps, unsigned kind, int *fd)
{
	struct auth_peer *ap = calloc(1, sizeof(*ap));
	struct peer_options o = { .rules = auth_rules, .kind = kind, .on_close = on_close, .data = ap };

	if (kind == PEER_ADM)
		o.queue_max = LIST_QUEUE_MAX;
	if (ap == NULL || (ap->requests = hash_new(PEER_REQUESTS_MAX)) == NULL ||
	    (ap->peer = peer_new(ps->auth->loop, fd, &o)) == NULL) {
		log_error("no memory for a peer of kind %#x", kind);
		if (ap != NULL)
			hash_free(ap->requests);
		free(ap);
		close(*fd);
		*fd = -1;
		return;
	}
	ap->all = ps;
	ap->at = &ps->first;
	ap->next = ps->first;
	if (ap->next != NULL)
		ap->next->at = &ap->next;
	ps->first = ap;
	if (kind == PEER_LOGIN)
		send_mechs(ap);
}

struct auth_peers *
auth_peers_new(struct auth *a, void (*on_idle)(void))
{
	struct auth_peers *ps = calloc(1, sizeof(*ps));

	if (ps != NULL) {
		ps->auth = a;
		ps->on_idle = on_idle;
	}
	return ps;
}

void
auth_peers_free(struct auth_peers *ps)
{
	if (ps == NULL)
		return;
	while (ps->first != NULL) {
		struct peer *p = ps->first->peer;

		auth_peer_free(ps->first);
		peer_free(p);
	}
	free(ps);
}

size_t
auth_peers_requests(const struct auth_peers *ps)
{
	return ps->requests;
}
