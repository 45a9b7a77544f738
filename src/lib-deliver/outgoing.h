/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_OUTGOING_H
#define CULVER_LIB_DELIVER_OUTGOING_H
/* A message that leaves the server: passed on by a user's filter, or written for the user. */
#include "lib/err.h"
#include "lib/span.h"
#include "lib/buf.h"

enum outgoing_kind {
	OUTGOING_REDIRECT,	/* the user's mail, passed on: when it can not be, the user gets it */
	OUTGOING_SEND,		/* an answer or a notice: when it can not be sent, nobody is told but the log */
};

#define OUTGOING_PARTS 4

/* What of the envelope of mail that is passed on says how it is to be reported and when (RFC 3461, RFC 2852).  Empty: nothing. */
struct outgoing_dsn {
	struct span notify, ret;	/* as in NOTIFY= and RET= */
	struct span orcpt, envid;	/* xtext; orcpt with its type */
	struct span by;			/* seconds from when it was handed over, ";", R or N, perhaps T */
};
#define OUTGOING_BY_MAX 999999999
/* False: it is none that may go into a line of SMTP. */
bool outgoing_dsn_is_valid(const struct outgoing_dsn *d);
/* Takes by apart; false: it is none. */
bool outgoing_by_parse(struct span by, int64_t *seconds_out, char *mode_out, bool *trace_out);

struct outgoing {
	enum outgoing_kind kind;
	struct span user;		/* whose filter sends it */
	struct span sender, recipient;	/* of the envelope, without angle brackets; the sender may be empty */
	struct outgoing_dsn dsn;
	struct span keep_for;		/* REDIRECT: the address by which the user gets back what can not be passed on */
	struct span parts[OUTGOING_PARTS];	/* the message: one part behind the other */
	size_t part_count;
};

uint64_t outgoing_size(const struct outgoing *o);

/*
 * What is put in front of a message that is passed on: header (as deliver_request has it) without Return-Path, which is
 * written by whom the message reaches in the end, and a field that names who passed it on, by which a loop is known.
 */
void outgoing_redirect_header(struct buf *out, struct span header, struct span recipient);
/* Whether the message has been passed on by, or been delivered to, that address before. */
bool outgoing_is_loop(struct span message, struct span address);

/*
 * The answer to a message that a filter refuses (RFC 5429 section 2.2): a disposition notification with reason, and the
 * original's header; or, with a status, a delivery status notification.  date: as in a Date field.
 */
struct outgoing_rejection {
	struct span from;		/* postmaster_address */
	struct span to;			/* the sender */
	struct span recipient;
	struct span subject, text;	/* rejection_subject and rejection_reason, expanded */
	struct span hostname, date;
	struct span unique;		/* for Message-ID and the boundary: letters and digits */
	struct span header;		/* of the original */
	struct span message_id;		/* of the original; empty: none */
	struct span status;		/* "5.2.2"; empty: a filter refuses it */
};
void outgoing_rejection_write(struct buf *out, const struct outgoing_rejection *r);
#endif
