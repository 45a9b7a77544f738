/* SPDX-License-Identifier: MIT */
/*
 * Sessions that go to sleep and wake up: the parent's part.  A worker's MSG_HIBERNATE goes on to imap-hibernate with the
 * identity of its user, sealed with a key that only parents have; what comes back with MSG_WAKE is believed only with
 * that seal.
 */
#include "lib-protocol/worker-private.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/log.h"

#define SEAL_OCTETS 32		/* HMAC-SHA-256 */
#define IDENTITY_MAX 12288

static bool
seal(const struct parent *pa, struct span frame, unsigned char out[SEAL_OCTETS])
{
	unsigned n = SEAL_OCTETS;

	return HMAC(EVP_sha256(), pa->seal, sizeof(pa->seal), (const unsigned char *)frame.p, frame.n, out, &n) != NULL &&
		n == SEAL_OCTETS;
}

/* The seal, then a frame with all that a new worker must know and the client can not say. */
static bool
put_identity(const struct parent *pa, const struct running *r, struct buf *out)
{
	unsigned char mac[SEAL_OCTETS];
	struct ipc_out o;
	bool ok;

	ipc_begin(&o, MSG_IDENTITY);
	ipc_put_bytes(&o, F_SESSION, r->ws.session);
	ipc_put_bytes(&o, F_RIP, r->ws.rip);
	ipc_put_bytes(&o, F_LIP, r->ws.lip);
	ipc_put_u32(&o, F_RPORT, r->ws.rport);
	ipc_put_u32(&o, F_LPORT, r->ws.lport);
	ipc_put_u32(&o, F_SECURED, r->ws.secured);
	identity_put(&o, &r->ws.id);
	ok = !o.b.failed && seal(pa, buf_span(&o.b), mac);
	if (ok) {
		buf_add(out, span_of(mac, sizeof(mac)));
		buf_add(out, buf_span(&o.b));
	}
	ipc_out_clear(&o);
	return ok && !out->failed;
}

static void
tell_worker(struct running *r, bool taken)
{
	struct ipc_out o;

	if (r->channel == NULL)
		return;
	ipc_begin(&o, taken ? MSG_HIBERNATED : MSG_DONE);
	ipc_put_u32(&o, F_ID, r->hibernate_asked);
	r->hibernate_id = 0;
	if (taken)
		r->may_rest = false;	/* sessions sleep so that their processes end */
	peer_send(r->channel, &o);
}

/* hub goes on counting the session: its channel is the sleeping session's from now on. */
static int
move_hub_channel(struct parent *pa, const struct running *r)
{
	struct hub_client_session hs = { .service = span_str(pa->o->service), .user = r->ws.id.user, .rip = r->ws.rip,
					 .session = r->ws.session, .limit = 0 };
	struct err e = ERR_INIT;
	int pair[2];

	if (ipc_pair(pair, &e) == -1)
		return -1;
	hs.fd = pair[1];
	if (hub_client_connect(pa->hub, &hs, NULL, NULL) == 0) {
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}

struct wish {
	struct span state, key, tag;
	int fds[3];		/* the client, its directories */
	size_t fd_count;
};

static bool
send_to_sleep(struct parent *pa, struct running *r, const struct wish *w)
{
	struct buf identity = BUF_INIT(IDENTITY_MAX);
	struct ipc_out o;
	int hub_fd;

	if (pa->hibernate == NULL || !pa->has_seal || !put_identity(pa, r, &identity)) {
		buf_wipe(&identity);
		return false;
	}
	do
		r->hibernate_id = ++pa->next_hibernate_id;
	while (r->hibernate_id == 0);
	ipc_begin(&o, MSG_HIBERNATE);
	ipc_put_u32(&o, F_ID, r->hibernate_id);
	ipc_put_bytes(&o, F_SESSION, r->ws.session);
	ipc_put_bytes(&o, F_STATE, w->state);
	ipc_put_bytes(&o, F_IDENTITY, buf_span(&identity));
	ipc_put_bytes(&o, F_KEY, w->key);
	ipc_put_bytes(&o, F_TAG, w->tag);
	ipc_put_u32(&o, F_COUNT, (uint32_t)w->fd_count - 1);
	for (size_t i = 0; i < w->fd_count; i++)
		ipc_put_fd(&o, w->fds[i]);
	hub_fd = move_hub_channel(pa, r);
	if (hub_fd != -1)
		ipc_put_fd(&o, hub_fd);
	peer_send(pa->hibernate, &o);
	if (hub_fd != -1)
		close(hub_fd);
	buf_wipe(&identity);
	return true;
}

int
worker_hibernate(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(p);
	struct wish w = { .fd_count = 0 };
	bool ok;

	r->hibernate_asked = ipc_u32(m, F_ID);
	ipc_bytes(m, F_SESSION, SESSION_ID_MAX);	/* ours is what counts */
	w.state = ipc_bytes(m, F_STATE, WORKER_STATE_MAX);
	w.key = ipc_bytes(m, F_KEY, WATCH_KEY_MAX);
	w.tag = ipc_bytes(m, F_TAG, WORKER_TAG_MAX);
	while (m->fd_taken < m->fd_count && w.fd_count < 3)
		w.fds[w.fd_count++] = ipc_fd(m);
	ok = ipc_end(m) && w.fd_count > 0 && !r->is_behind;
	if (ok && !send_to_sleep(r->parent, r, &w))
		tell_worker(r, false);
	for (size_t i = 0; i < w.fd_count; i++)
		close(w.fds[i]);
	return ok ? 0 : err_set(e, ERR_SYNTAX, "malformed wish for hibernation");
}

static struct running *
find(struct parent *pa, uint32_t id)
{
	struct running *r = pa->running;

	while (r != NULL && (id == 0 || r->hibernate_id != id))
		r = r->next;
	return r;
}

static int
on_hibernated(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = find(peer_data(p), ipc_u32(m, F_ID));

	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer of hibernate");
	if (r != NULL)
		tell_worker(r, true);
	return 0;
}

static int
on_refused(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = find(peer_data(p), ipc_u32(m, F_ID));

	ipc_u32(m, F_CODE);
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "malformed answer of hibernate");
	if (r != NULL)
		tell_worker(r, false);
	return 0;
}

static const struct ipc_rule hibernate_rules[] = {
	{ MSG_HIBERNATED, PEER_HIBERNATE, on_hibernated },
	{ MSG_DONE, PEER_HIBERNATE, on_refused },
	{ 0, 0, NULL },
};

static void
on_hibernate_close(struct peer *p)
{
	struct parent *pa = peer_data(p);

	pa->hibernate = NULL;
	service_want(&pa->service, "imap-hibernate");
	for (struct running *r = pa->running; r != NULL; r = r->next)
		if (r->hibernate_id != 0)
			tell_worker(r, false);
}

void
worker_hibernate_channel(struct parent *pa, int *fd)
{
	struct peer_options po = { .rules = hibernate_rules, .kind = PEER_HIBERNATE, .on_close = on_hibernate_close,
				   .data = pa, .queue_max = 64 << 20 };

	if (pa->hibernate == NULL)
		pa->hibernate = peer_new(pa->service.loop, fd, &po);
}

/* What a sealed identity says, copied to the session's arena. */
static int
open_identity(struct parent *pa, struct span sealed, struct pending *p, struct err *e)
{
	static struct ipc_msg msg;	/* one at a time; its memory stays */
	unsigned char mac[SEAL_OCTETS];
	struct worker_session *ws = &p->ws;

	if (sealed.n < SEAL_OCTETS || !pa->has_seal || !seal(pa, span_from(sealed, SEAL_OCTETS), mac) ||
	    CRYPTO_memcmp(mac, sealed.p, SEAL_OCTETS) != 0)
		return err_set(e, ERR_DENIED, "an identity without its seal");
	if (msg.data == NULL && ipc_msg_init(&msg, e) == -1)
		return -1;
	if (ipc_parse(&msg, span_from(sealed, SEAL_OCTETS), e) != 1)
		return -1;
	ws->session = arena_dup(p->arena, ipc_bytes(&msg, F_SESSION, SESSION_ID_MAX));
	ws->rip = arena_dup(p->arena, ipc_bytes(&msg, F_RIP, WORKER_ADDRESS_MAX));
	ws->lip = arena_dup(p->arena, ipc_bytes(&msg, F_LIP, WORKER_ADDRESS_MAX));
	ws->rport = ipc_u32(&msg, F_RPORT);
	ws->lport = ipc_u32(&msg, F_LPORT);
	ws->secured = ipc_u32(&msg, F_SECURED) != 0;
	return identity_get(&msg, p->arena, &ws->id, e);
}

static int
on_wake(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct parent *pa = peer_data(peer);
	struct span state, sealed;
	struct pending *p;
	int fd;

	ipc_u32(m, F_ID);
	ipc_u32(m, F_CODE);
	ipc_bytes(m, F_SESSION, SESSION_ID_MAX);
	state = ipc_bytes(m, F_STATE, WORKER_STATE_MAX);
	sealed = ipc_bytes(m, F_IDENTITY, IDENTITY_MAX);
	fd = ipc_fd(m);
	if (!ipc_end(m)) {
		if (fd != -1)
			close(fd);
		return err_set(e, ERR_SYNTAX, "malformed waking");
	}
	p = worker_pending_new(pa, NULL, &fd);
	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	p->is_waking = true;
	p->ws.state = arena_dup(p->arena, state);
	if (p->ws.state.p == NULL || open_identity(pa, sealed, p, e) == -1) {
		worker_pending_free(p);
		return -1;
	}
	worker_ask_hub(p);
	return 0;
}

static const struct ipc_rule wake_rules[] = {
	{ MSG_WAKE, PEER_HIBERNATE, on_wake },
	{ 0, 0, NULL },
};

void
worker_hibernate_peer(struct parent *pa, int *fd)
{
	struct peer_options po = { .rules = wake_rules, .kind = PEER_HIBERNATE, .data = pa };

	if (pa->has_seal && peer_new(pa->service.loop, fd, &po) == NULL)
		log_error("out of memory");
}

/* The key comes by the environment, which only root can look at, and does not stay there. */
void
worker_hibernate_init(struct parent *pa)
{
	char *hex = getenv("CULVER_SEAL");
	struct buf key = BUF_INIT(sizeof(pa->seal));

	if (hex != NULL && hex_decode(&key, span_str(hex)) && key.n == sizeof(pa->seal)) {
		memcpy(pa->seal, key.p, sizeof(pa->seal));
		pa->has_seal = true;
	}
	if (hex != NULL)
		explicit_bzero(hex, strlen(hex));
	unsetenv("CULVER_SEAL");
	buf_wipe(&key);
	if (set_ms(pa->service.view, SET_imap_hibernate_timeout) > 0)
		service_want(&pa->service, "imap-hibernate");
}
