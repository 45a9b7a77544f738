/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_DIAL_H
#define CULVER_LMTP_DIAL_H
/*
 * Connections to other servers, for lmtp_proxy.  The process of a connection may open none: it asks its parent, which forks
 * one that looks the name up, connects, greets, and hands the socket over; with TLS it stays in between and moves bytes.
 */
#include "lib/ipc-types.h"
#include "lib/ipc.h"
#include "lib/priv.h"
#include "lib-config/settings.h"
#include "lmtp/target.h"

/* For struct lmtp_proxy: asks over parent_fd, and waits. */
int lmtp_dial(int parent_fd, const struct lmtp_target *t, int *fd_out, struct err *e);

/* What the parent is asked: read from a MSG_CHANNEL whose F_NAME was "proxy".  Spans are the message's. */
struct lmtp_dial_order {
	char host[256], ip[256], port[8];	/* ip: where it is; empty: as its name is looked up */
	int timeout_ms;
	enum lmtp_target_tls tls;
	bool verify, smtp;
};
bool lmtp_dial_read(struct ipc_msg *m, struct lmtp_dial_order *out);
/* In the forked process: does it, and answers. */
void lmtp_dial_run(const struct lmtp_dial_order *o, int answer_fd, const struct set_view *view, const struct priv_filter *filter)
    __attribute__((noreturn));
#endif
