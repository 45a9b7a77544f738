/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_DELIVER_H
#define CULVER_LIB_DELIVER_DELIVER_H
/*
 * One message to one user: decide where it goes, save it there, say how it went.  What decides (deliver_decide) gives a
 * list of actions and does nothing; what acts (deliver_perform) decides nothing.
 */
#include "lib-storage/mailbox.h"

#define DELIVER_REPLY_MAX 300
#define DELIVER_HOPS_FIELDS 10000	/* header fields looked at for loops */

struct deliver_request {
	struct storage *storage;
	const struct set_view *view;
	struct span user, home, session;
	struct span sender, recipient;	/* of the envelope, without angle brackets; the sender may be empty */
	struct span detail;		/* behind recipient_delimiter; empty: none */
	struct span mailbox;		/* asked for by name (culver-lda -m); empty: INBOX, or as detail says */
	struct span header;		/* to be put in front of the message: whole lines with CR LF */
	struct span message;
	bool junk;			/* a spam scanner says so: what is kept goes to the mailbox for that */
	uint64_t max_hops;		/* Received fields; 0: no limit */
};

struct deliver_action {
	enum { DELIVER_SAVE } kind;
	struct span mailbox;
	bool may_fall_back;		/* to INBOX, when that mailbox can not be had */
};

struct deliver_result {
	enum err_code code;		/* ERR_NONE: saved, and it would survive a power cut */
	bool permanent;			/* trying again would be no use */
	unsigned reply;			/* RFC 5321: 250, 451, 452, 552, 554 */
	char text[DELIVER_REPLY_MAX];	/* enhanced code and text, for the reply */
};

/* Both steps; writes the line of deliver_log_format, or that of the failure. */
void deliver_message(const struct deliver_request *r, struct deliver_result *out);

/* Whether a message of size octets (0: any) would be taken, as far as that can be known: reply 250, or why not. */
void deliver_fits(const struct deliver_request *r, uint64_t size, struct deliver_result *out);

/* The first step alone: *count_out actions, at most DELIVER_ACTIONS. */
#define DELIVER_ACTIONS 1
void deliver_decide(const struct deliver_request *r, struct deliver_action out[DELIVER_ACTIONS], size_t *count_out);

/* log_prefix() of mail_log_prefix for one delivery: "lmtp(bob)<123><session>". */
void deliver_log_prefix(const struct set_view *view, const char *service, struct span user, struct span session);
#endif
