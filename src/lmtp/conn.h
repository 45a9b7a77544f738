/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_CONN_H
#define CULVER_LMTP_CONN_H
/* The life of one connection's process, behind the fork. */
#include <sys/socket.h>
#include "lib/priv.h"
#include "lib-protocol/service.h"
#include "lib-deliver/spam-scan.h"
#include "lmtp/session.h"

#define LMTP_STALL_MS 10000	/* a client that is silent so long inside a transaction may be sent away when it is full */

struct lmtp_conn_params {
	int client_fd, auth_fd, deliver_fd;
	int parent_fd;			/* MSG_CHANNEL "tls" and "proxy", MSG_TABLES; -1: none of it */
	int rawlog_fds[2];		/* lmtp_rawlog_dir; -1: nothing is recorded */
	bool offers_tls;		/* the parent forks who speaks it */
	bool tls_first;			/* the listener is for TLS alone */
	const struct priv_filter *filter;
	const struct spam_scan *scan;	/* what the parent looked up */
	struct recipient_tables *tables;	/* of recipients, as the parent has them now; NULL: none */
	struct lmtp_status *status;
	struct sockaddr_storage local, remote;
};

void lmtp_conn_run(struct service *s, const struct lmtp_conn_params *p) __attribute__((noreturn));
#endif
