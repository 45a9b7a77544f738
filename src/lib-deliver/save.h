/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_SAVE_H
#define CULVER_LIB_DELIVER_SAVE_H
/* One copy of a message in a mailbox of the user's. */
#include "lib-deliver/deliver.h"

/*
 * Saves the message (a->message, if that is there) to the mailbox of that name, with a's flags; a may be NULL.  The mailbox is
 * made where a or lda_mailbox_autocreate say so.  0: it would survive a power cut.
 */
int deliver_save(const struct deliver_request *r, struct span name, const struct filter_action *a, struct err *e);
/* The same; where it was the mailbox's name or state that failed, INBOX is taken.  *place_out: where it is. */
int deliver_save_or_inbox(const struct deliver_request *r, struct span name, const struct filter_action *a,
    struct span *place_out, struct err *e);
/* Whether it was the mailbox's name or state that failed, so that another may do. */
bool deliver_is_about_mailbox(enum err_code code);
#endif
