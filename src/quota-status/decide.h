/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUOTA_STATUS_DECIDE_H
#define CULVER_QUOTA_STATUS_DECIDE_H
/* What the tables of recipients say of a policy request, as they would at MAIL and RCPT when the mail comes over LMTP. */
#include "lib-deliver/recipient/expand.h"
#include "quota-status/policy.h"

enum policy_decision {
	POLICY_ASK,		/* it is for one user, whose quota counts */
	POLICY_PASS,		/* for others too, for no mailbox, or thrown away: nothing to be said now */
	POLICY_REFUSE,		/* as the reply says */
	POLICY_NOBODY,		/* no address, or an address that nobody can have */
	POLICY_LATER,		/* it can not be told now; e is set */
};

struct policy_answer {
	struct span local, domain;		/* POLICY_ASK: of the user, with its detail */
	const struct smtp_path *users;		/* POLICY_ASK: NULL, or the first of these that is a user (that one among them) */
	size_t user_count;
	struct recipient_reply reply;		/* POLICY_REFUSE; POLICY_ASK with users: where none of them is */
};

/* o->tables NULL: there are none.  Results in a, and spans of r and of the tables. */
enum policy_decision policy_decide(const struct recipient_expand_options *o, const struct policy_request *r, struct arena *a,
    struct policy_answer *out, struct err *e);
#endif
