/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_DELIVER_WORKER_H
#define CULVER_LMTP_DELIVER_WORKER_H
/*
 * A process that delivers for the users of one (uid, gid, groups), one message after the other, with the storages of the
 * last users kept open.
 */
#include "lib/priv.h"
#include "lib-protocol/identity.h"
#include "lib-protocol/service.h"

#define DELIVER_STORAGES 32	/* kept open by one worker */

struct deliver_worker_params {
	const struct identity *id;	/* of the first message */
	int channel_fd;			/* MSG_DELIVER and MSG_CHANNEL in, MSG_DELIVERED and MSG_LOG_LINE out */
	int hub_fd;			/* -1: hub is not there */
	const struct priv_filter *filter;
	bool only_user;			/* Landlock: it works for id->user alone */
};

void deliver_worker_run(struct service *s, const struct deliver_worker_params *p) __attribute__((noreturn));
#endif
