/* SPDX-License-Identifier: MIT */
#include "lmtp/dial.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-protocol/smtp-client.h"
#include "lib-protocol/tls-proxy.h"

#define STEPS 4			/* waits that one connecting may have: connect, greeting, TLS, LHLO */
#define WHY_MAX 200

enum { FLAG_VERIFY = 1 << 4, FLAG_SMTP = 1 << 5, FLAG_TLS = 3 };

/* ---- the side that asks ---- */

static int
take_answer(int sock, int timeout_ms, int *fd_out, struct err *e)
{
	int64_t wait = (int64_t)timeout_ms * STEPS;
	struct ipc_msg m;
	struct span why;
	int rc;

	if (ipc_msg_init(&m, e) == -1)
		return -1;
	rc = ipc_recv_wait(sock, &m, wait > INT32_MAX ? INT32_MAX : (int)wait, e);
	if (rc == 0)
		rc = err_set(e, ERR_EOF, "who was to connect has gone");
	else if (rc > 0 && m.type == MSG_CHANNEL) {
		*fd_out = ipc_fd(&m);
		rc = *fd_out == -1 ? err_set(e, ERR_SYNTAX, "a connection without its socket") : 0;
	} else if (rc > 0) {
		why = ipc_opt_bytes(&m, F_TEXT, WHY_MAX);
		rc = err_set(e, ERR_TEMP, "%.*s", SPAN_ARG(why));
	}
	ipc_msg_clear(&m);
	return rc;
}

int
lmtp_dial(int parent_fd, const struct lmtp_target *t, int *fd_out, struct err *e)
{
	unsigned flags = (unsigned)t->tls | (t->verify ? FLAG_VERIFY : 0) | (t->smtp ? FLAG_SMTP : 0);
	struct ipc_out o;
	int pair[2], rc;

	if (ipc_pair(pair, e) == -1)
		return -1;
	ipc_begin(&o, MSG_CHANNEL);
	ipc_put_str(&o, F_NAME, "proxy");
	ipc_put_bytes(&o, F_TEXT, t->host);
	ipc_put_bytes(&o, F_LIP, t->ip);
	ipc_put_u32(&o, F_LPORT, t->port);
	ipc_put_u32(&o, F_FLAGS, flags);
	ipc_put_u32(&o, F_LIMIT, (uint32_t)t->timeout_ms);
	ipc_put_fd(&o, pair[1]);
	rc = ipc_send(parent_fd, &o, e);
	close(pair[1]);
	if (rc == 0)
		rc = take_answer(pair[0], t->timeout_ms, fd_out, e);
	close(pair[0]);
	return rc;
}

/* ---- the side that connects ---- */

/* A path is that of a socket of this host. */
static bool
is_name(struct span s)
{
	return s.n == 0 || (s.p[0] != '/' && memchr(s.p, '\0', s.n) == NULL);
}

bool
lmtp_dial_read(struct ipc_msg *m, struct lmtp_dial_order *out)
{
	struct span host = ipc_bytes(m, F_TEXT, sizeof(out->host) - 1), ip = ipc_bytes(m, F_LIP, sizeof(out->ip) - 1);
	uint32_t port = ipc_u32(m, F_LPORT), flags = ipc_u32(m, F_FLAGS), timeout = ipc_u32(m, F_LIMIT);

	if (host.n == 0 || !is_name(host) || !is_name(ip) || port == 0 || port > 65535 ||
	    (flags & FLAG_TLS) > LMTP_TLS_STARTTLS || timeout == 0 || timeout > INT32_MAX / STEPS)
		return false;
	*out = (struct lmtp_dial_order){ .timeout_ms = (int)timeout, .tls = (enum lmtp_target_tls)(flags & FLAG_TLS),
					 .verify = (flags & FLAG_VERIFY) != 0, .smtp = (flags & FLAG_SMTP) != 0 };
	snprintf(out->host, sizeof(out->host), "%.*s", SPAN_ARG(host));
	snprintf(out->ip, sizeof(out->ip), "%.*s", SPAN_ARG(ip));
	snprintf(out->port, sizeof(out->port), "%u", port);
	return true;
}

static void __attribute__((noreturn))
fail(int answer_fd, const struct err *e)
{
	struct err ignored = ERR_INIT;
	char why[WHY_MAX];
	struct ipc_out o;

	snprintf(why, sizeof(why), "%s", e->log);
	ipc_begin(&o, MSG_DONE);
	ipc_put_str(&o, F_TEXT, why);
	if (ipc_send(answer_fd, &o, &ignored) == -1)
		ipc_out_clear(&o);
	_exit(0);
}

static void
hand_over(int answer_fd, int fd)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_CHANNEL);
	ipc_put_str(&o, F_NAME, "proxy");
	ipc_put_fd(&o, fd);
	if (ipc_send(answer_fd, &o, &e) == -1)
		_exit(0);	/* nobody waits for it any more */
}

static void
on_end(void *ctx)
{
	(void)ctx;
	_exit(0);
}

/* In between, for as long as the connection lasts. */
static void __attribute__((noreturn))
stay(struct smtp_client *c, int answer_fd, const struct priv_filter *filter)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	struct err e = ERR_INIT;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		err_errno(&e, "socketpair");
		fail(answer_fd, &e);
	}
	if (loop == NULL)
		log_fatal("out of memory");
	if (priv_filter_apply(filter, &e) == -1)
		fail(answer_fd, &e);
	hand_over(answer_fd, pair[1]);
	close(pair[1]);
	close(answer_fd);
	if (tls_proxy_new(loop, c->ssl, &c->fd, &pair[0], on_end, NULL) == NULL)
		log_fatal("out of memory");
	ev_run(loop, 0);
	_exit(0);
}

static const char *
text_of(struct span s, char *room, size_t size)
{
	snprintf(room, size, "%.*s", SPAN_ARG(s));
	return room;
}

void
lmtp_dial_run(const struct lmtp_dial_order *o, int answer_fd, const struct set_view *view, const struct priv_filter *filter)
{
	char hello[256], file[1024], dir[1024];
	struct smtp_target t = { .host = o->host, .address = o->ip[0] != '\0' ? o->ip : NULL, .port = o->port, .timeout_ms = o->timeout_ms, .lmtp = !o->smtp, .hello = hello,
				 .verify = o->verify && set_bool(view, SET_ssl_client_require_valid_cert),
				 .tls = o->tls == LMTP_TLS_NO ? SMTP_TLS_NO : o->tls == LMTP_TLS_FIRST ? SMTP_TLS_FIRST : SMTP_TLS_STARTTLS };
	struct smtp_client c;
	struct err e = ERR_INIT;

	log_prefix("lmtp-proxy(%ld)", (long)getpid());
	text_of(set_str(view, SET_hostname), hello, sizeof(hello));
	if (hello[0] == '\0')
		snprintf(hello, sizeof(hello), "%s", host_name());
	if (t.tls != SMTP_TLS_NO) {
		t.tls_ctx = smtp_tls_new(text_of(set_str(view, SET_ssl_client_ca_file), file, sizeof(file)),
		    text_of(set_str(view, SET_ssl_client_ca_dir), dir, sizeof(dir)), t.verify, &e);
		if (t.tls_ctx == NULL)
			fail(answer_fd, &e);
	}
	if (smtp_client_connect(&t, &c, &e) == -1)
		fail(answer_fd, &e);
	/* With TLS later: certificates are looked for in files while they are checked. */
	if (t.tls == SMTP_TLS_NO && priv_filter_apply(filter, &e) == -1)
		fail(answer_fd, &e);
	if (smtp_client_greet(&t, &c, &e) == -1)
		fail(answer_fd, &e);
	if (c.in.n > c.taken) {
		err_set(&e, ERR_SYNTAX, "%s speaks without being asked", o->host);
		fail(answer_fd, &e);
	}
	if (c.ssl != NULL)
		stay(&c, answer_fd, filter);
	hand_over(answer_fd, c.fd);
	_exit(0);
}
