/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_AUTH_CLIENT_H
#define CULVER_LIB_PROTOCOL_AUTH_CLIENT_H
/*
 * A service's questions to auth: who is behind a token (MSG_REDEEM), is there such a user (MSG_LOOKUP).  Asynchronous,
 * many at once.  While auth is away questions wait, AUTH_CLIENT_TIMEOUT seconds at most; look-ups that were on their
 * way when it died are asked again.
 */
#include "lib-protocol/identity.h"
#include "lib-protocol/service.h"

#define AUTH_CLIENT_TIMEOUT 30.
#define AUTH_CLIENT_MAX 4096	/* questions at once */

struct auth_client;

struct auth_answer {
	enum auth_fail fail;	/* AUTH_FAIL_NONE: the rest counts */
	struct span text;	/* on failure: for the client; may be empty */
	const struct identity *id;	/* of a redeemed token (and of a tool's look-up); else NULL */
	struct span user, token;	/* of a look-up: the canonical name, and the token for deliver */
};

/* Everything in the answer is valid during the call only.  Called once for each question, never from within asking. */
typedef void auth_client_answer(void *ctx, const struct auth_answer *a);

/* Asks the master for a channel at once.  NULL when memory is out. */
struct auth_client *auth_client_new(struct service *s);
/* From the service's on_channel, when the name is "auth". */
void auth_client_channel(struct auth_client *c, int *fd);

/* Questions.  The id (not 0) is for auth_client_forget; 0: too many questions, nothing will be called. */
uint32_t auth_client_redeem(struct auth_client *c, struct span service, struct span token, auth_client_answer *f, void *ctx);
struct auth_client_lookup_params {
	struct span service, user, rip, lip, session;	/* rip, lip: "" for a local client */
};
uint32_t auth_client_lookup(struct auth_client *c, const struct auth_client_lookup_params *q, auth_client_answer *f,
    void *ctx);
void auth_client_forget(struct auth_client *c, uint32_t id);	/* the answer is not wanted any more */
#endif
