/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_LINK_H
#define CULVER_LMTP_LINK_H
/*
 * A connection's process and those behind it: auth says who the users are, deliver takes the mail.  Blocking, each wait
 * bounded.  Whatever goes wrong there is a 4xx here.
 */
#include "lib/ipc.h"
#include "lmtp/session.h"

struct lmtp_link {
	int auth_fd, deliver_fd;	/* SOCK_SEQPACKET; borrowed */
	int delivery_timeout_ms;
	bool proxy;			/* users of other servers are known, too (lmtp_proxy): r->proxy_fields */
	struct span lip;
	uint32_t last_id;
	bool lost;			/* one of them has gone: nothing will be done over this link any more */
	struct ipc_msg msg;
};

int lmtp_link_init(struct lmtp_link *k, struct err *e);
void lmtp_link_clear(struct lmtp_link *k);
/* For struct lmtp_backend; ctx is the link. */
enum lmtp_lookup lmtp_link_lookup(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r);
/* Whether deliver would take a message of the size that was declared: LMTP_FOUND, or LMTP_REFUSED with code and reply. */
enum lmtp_lookup lmtp_link_fits(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r);
int lmtp_link_tell_owner(void *ctx, struct lmtp_transaction *t, size_t idx, struct span owner, struct span failed, int message_fd);
void lmtp_link_deliver(void *ctx, struct lmtp_transaction *t, int message_fd);
#endif
