/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_REJECTION_H
#define CULVER_LIB_DELIVER_REJECTION_H
/* The sender hears by a message of ours that a mail was refused, where who hands it over can not tell. */
#include "lib-deliver/host.h"

/*
 * Sends it to the envelope's sender, who must be somebody, from nobody (RFC 3834 section 4, RFC 5429 section 2.2).  header: of the
 * message; status as in a delivery status notification (RFC 3464), or empty: a user's filter refuses it.  0: it will survive a power cut
 * in the queue.
 */
int deliver_rejection_send(struct deliver_host *host, struct span reason, struct span header, struct span status, struct err *e);
/* Whether a machine wrote the message, to which nobody reads an answer (RFC 3834 section 2). */
bool deliver_is_automatic(struct span message);
#endif
