/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUOTA_STATUS_POLICY_H
#define CULVER_QUOTA_STATUS_POLICY_H
/*
 * Requests of Postfix's policy delegation: lines "name=value", ended by LF (CR LF does as well), up to an empty one.  The
 * answer is "action=..." and an empty line.  Names that are none of ours are passed over, as its documentation asks.
 */
#include "lib/span.h"

#define POLICY_REQUEST_MAX 32768	/* octets of a request */
#define POLICY_ATTRIBUTES_MAX 200

struct policy_request {
	struct span recipient;		/* empty: there is none, or there are many */
	struct span sender;		/* of the envelope, where has_sender; empty: the null sender */
	bool has_sender;
	struct span client_name, client_address;	/* empty: not told, not known */
	uint64_t size;			/* 0: not told */
};

enum policy_parse { POLICY_MORE, POLICY_DONE, POLICY_BAD };

/* POLICY_DONE: the first *used_out octets of in were a request; spans in *out point into them. */
enum policy_parse policy_request_parse(struct span in, struct policy_request *out, size_t *used_out);
#endif
