/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LOGIN_SERVER_H
#define CULVER_LOGIN_SERVER_H
/* The login process and its clients: main.c wires, client.c moves bytes, upstream.c talks with auth and the parent. */
#include <ev.h>
#include "lib/hash.h"
#include "lib/log.h"
#include "lib-protocol/service.h"
#include "lib-protocol/tls.h"
#include "lib-protocol/tls-proxy.h"
#include "login/crowd.h"
#include "login/login.h"

struct client;

struct login_server {
	struct service service;
	const struct login_protocol *protocol;
	struct tls_server *tls;		/* NULL: not offered */
	struct login_mechs mechs;
	struct buf capabilities;	/* for conf->capabilities */
	struct crowd crowd;
	struct hash *by_id;		/* clients that wait for auth or the parent */
	uint32_t next_id, proxies, accepted;
	struct peer *auth, *parent;	/* NULL: away, asked for */
	ev_io accept[SERVICE_LISTENERS_MAX];
	bool accepting;
	ev_timer tick;			/* while somebody waits for auth or the parent */
	/* Handshakes wait here for their turn: a few a turn of the loop, so that they never hold up the others. */
	struct client *handshake_first, *handshake_last;
	ev_prepare handshake_turn;
	ev_idle handshake_awake;
};

enum client_waits { WAITS_NOT, WAITS_AUTH_UNSENT, WAITS_AUTH, WAITS_PARENT_UNSENT, WAITS_PARENT };

struct client {
	struct crowd_member member;	/* first: the crowd's victim is a client */
	struct login_server *server;
	int fd;
	SSL *ssl;
	struct set_view *view;
	struct login_conf conf;
	struct login engine;
	ev_io io;
	ev_timer timer;			/* of the handshake, or of the login */
	/* Input: a plain array, so that each byte taken is wiped at once. */
	char *in;
	size_t in_n, in_cap;
	struct buf out;
	bool handshaking, queued, greeted;
	struct client *handshake_next, *handshake_prev;
	enum client_waits waits;
	uint32_t id;			/* in by_id; 0: none */
	ev_tstamp since, waits_since;
	char token[AUTH_TOKEN_LEN];
	int plain_fd;			/* TLS: our end of the pair that the parent got the other end of */
	uint32_t pid;			/* the worker's, for the log */
	char rip[64], lip[64], session[20], tls_text[96], tls_failure[160];
	uint16_t rport, lport;
};

/* client.c */
void client_new(struct login_server *s, int *fd, const struct service_listener *l);
/* A session has given back a client without TLS; takes *fd over unless it is none.  preread: what it has said already. */
void client_back(struct login_server *s, int *fd, struct span preread);
void client_free(struct client *c, const char *reason);	/* reason: for the log; NULL: silently */
void client_pump(struct client *c);
void client_handshake_init(struct login_server *s);
void client_handover(struct client *c);		/* the worker has it */

/* upstream.c */
void upstream_init(struct login_server *s);
void upstream_channel(struct login_server *s, struct span name, int *fd);
void upstream_auth_start(struct client *c);
void upstream_auth_cont(struct client *c);
void upstream_auth_abort(struct client *c);
void upstream_session(struct client *c);	/* with c->token */
void upstream_forget(struct client *c);

/* log-line.c: what with the elements of login_log_format_elements, or for the end of a client without login. */
void login_log(struct client *c, const char *what);
void login_log_end(struct client *c, const char *reason);
#endif
