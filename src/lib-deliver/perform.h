/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_PERFORM_H
#define CULVER_LIB_DELIVER_PERFORM_H
/*
 * Does what a filter wants.  What saves comes before what leaves, so that a message that has to come again has sent nothing
 * yet; and no message is lost: what can not be done leaves it in INBOX.
 */
#include "lib-deliver/deliver.h"
#include "lib-deliver/host.h"

struct performed {
	bool stored;			/* there is a copy in the user's mail, or a program or a file has it */
	bool must_keep;			/* something failed, for which the message is to be kept */
	bool rejected;
	struct span reason;		/* for the sender, whom nobody has told */
	size_t failed;			/* actions that send */
	struct err first;		/* of those */
};

/*
 * 0: done, in one way or another; what went wrong is in the log and the journal.  -1: nothing was done that counts: the
 * message must come again, or go back.
 * m: the message as the filter saw it.
 */
int deliver_perform(const struct deliver_request *r, const struct filter_action *actions, const struct filter_message *m,
    struct deliver_host *host, struct performed *out, struct err *e);

/* The mailbox that a FILTER_SAVE means; whether it is there is not known. */
struct span deliver_place_of(struct deliver_host *host, const struct filter_action *a);
#endif
