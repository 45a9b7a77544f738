/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_PROXY_H
#define CULVER_LMTP_PROXY_H
/*
 * Recipients whose mail goes on to another server (lmtp_proxy).  Each is asked for there when our client asks for it, so that
 * the other server's answer is what the client gets; the message goes to each server once, and its answers to the recipients
 * that it took.  A server that can not be reached is a 451.
 *
 * Loops end at XCLIENT's TTL, where servers trust each other, and else at lmtp_max_hops, since each adds a Received field.
 */
#include "lmtp/session.h"
#include "lmtp/target.h"

struct lmtp_proxy_conn;

struct lmtp_proxy {
	/* A connection to the server on which LHLO (or EHLO) has been answered already, with TLS where that is wanted. */
	int (*dial)(void *ctx, const struct lmtp_target *t, int *fd_out, struct err *e);
	void *ctx;
	struct span hostname;		/* what we call ourselves */
	uint64_t max_hops;
	struct lmtp_proxy_conn *conns;	/* of the transaction */
};

/* Asks the server for the recipient.  LMTP_FOUND: r->conn is set; LMTP_REFUSED: code and reply are. */
enum lmtp_lookup lmtp_proxy_rcpt(struct lmtp_proxy *p, const struct lmtp_session *l, struct lmtp_rcpt *r,
    const struct lmtp_target *t);
/* Sends the message to the servers of all recipients with r->conn, whose code and reply are filled in. */
void lmtp_proxy_deliver(struct lmtp_proxy *p, struct lmtp_transaction *t, int message_fd);
void lmtp_proxy_end(struct lmtp_proxy *p);	/* of the transaction: says QUIT everywhere */
#endif
