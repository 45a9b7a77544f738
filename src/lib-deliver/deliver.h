/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_DELIVER_H
#define CULVER_LIB_DELIVER_DELIVER_H
/*
 * One message to one user: a filter decides what becomes of it (or, without one, the recipient's address does), and that is
 * done (perform.h).  What decides does nothing; what acts decides nothing, but that no message is lost.
 */
#include "lib-deliver/outgoing.h"
#include "lib-deliver/program.h"
#include "lib-filter/filter.h"
#include "lib-storage/mailbox.h"

#define DELIVER_REPLY_MAX 300
#define DELIVER_HOPS_FIELDS 10000	/* header fields looked at for loops */

struct deliver_filter;
struct deliver_recipes;
struct deliver_forward;
struct deliver_request;

/* What a delivery can do besides saving.  A NULL function: it can not; the message is kept where the filter allows that. */
struct deliver_means {
	void *ctx;
	/* Hands a message to the queue: 0 means that it will survive a power cut there. */
	int (*submit)(void *ctx, const struct outgoing *o, struct err *e);
	/* Runs the programs of a FILTER_PIPE, and those that a script asks (filter-program.h). */
	const struct program_helper *programs;
	/* Called a few times a second while such a program runs; NULL: nobody wants that. */
	void (*waiting)(void *ctx);
	void *waiting_ctx;
	/* Does a FILTER_FILE. */
	int (*file)(void *ctx, const struct filter_action *a, struct span message, struct err *e);
};

struct deliver_request {
	struct storage *storage;
	const struct set_view *view;
	struct span user, home, session;
	struct span sender, recipient;	/* of the envelope, without angle brackets; the sender may be empty */
	struct span orig_recipient;	/* as the MTA was given it; empty: recipient */
	struct span notify, envid, ret;	/* DSN parameters (RFC 3461), for the filter; may be empty */
	struct span detail;		/* behind recipient_delimiter; empty: none */
	struct span mailbox;		/* asked for by name (culver-lda -m); empty: INBOX, or as detail says */
	struct span header;		/* to be put in front of the message: whole lines with CR LF */
	struct span message;
	struct span came;		/* it, as it was before recipes changed it: loops are looked for there; p is NULL: message */
	struct span junk;		/* the mailbox for spam, where a scanner takes the message for that; empty: INBOX will do */
	bool stays;			/* it is in a mailbox already: what fails leaves it there, and nothing is put in INBOX instead */
	int64_t internal_date;		/* with `stays': its date, for copies */
	struct span origin;		/* an address that leads to several: this one gets the message once; empty: as often as it comes */
	int64_t began_ms;		/* as of clock_ms(), for the log; 0: not known */
	uint64_t max_hops;		/* Received fields; 0: no limit */
	struct deliver_forward *forward;	/* ~/.forward, which comes first of all; NULL: none */
	struct deliver_recipes *recipes;	/* procmail's, which come first; NULL: none */
	struct deliver_filter *filter;	/* NULL: none */
	const struct deliver_means *means;	/* NULL: none of it */
	bool says_why;			/* a refusal's reason reaches the sender by who hands the message over (LMTP; culver-lda -e) */
};

struct deliver_result {
	enum err_code code;		/* ERR_NONE: done, and it would survive a power cut */
	bool permanent;			/* trying again would be no use */
	bool rejected;			/* by the filter */
	unsigned reply;			/* RFC 5321: 250, 451, 452, 550, 552, 554 */
	int exit_code;			/* what recipes want culver-lda to end with (sysexits.h); 0: nothing of the kind */
	char text[DELIVER_REPLY_MAX];	/* enhanced code and text, for the reply */
};

/* Decides and acts; writes the lines of deliver_log_format, or that of the failure. */
void deliver_message(const struct deliver_request *r, struct deliver_result *out);

/*
 * Under which mark it is remembered, DELIVER_ONCE_S seconds, that a message that came for origin has reached target; in a.  The
 * message is known by its octets: who hands it over again, since another target had to wait, does so unchanged.
 */
struct span deliver_once_mark(struct span origin, struct span target, struct span message, struct arena *a);
#define DELIVER_ONCE_S (7 * 86400)	/* longer than others try: five days as a rule */

/* The mailbox for spam, as the settings name it; empty: there is none.  In a, or the view's. */
struct span deliver_junk_place(struct storage *st, const struct set_view *view, struct arena *a);

/* Whether a message of size octets (0: any) would be taken, as far as that can be known: reply 250, or why not. */
void deliver_fits(const struct deliver_request *r, uint64_t size, struct deliver_result *out);

/* Where a message goes that is kept: what was asked for, the detail's mailbox, INBOX. */
struct span deliver_place(const struct deliver_request *r);
/* The domain of addresses that a user writes without one: the recipient's, else the server's own name. */
struct span deliver_own_domain(const struct deliver_request *r);
/* The detail of the address, asked for first: bob+lists@host: lists.  Empty: it has none. */
struct span deliver_detail(const struct deliver_request *r);

/* log_prefix() of mail_log_prefix for one delivery: "lmtp(bob)<123><session>". */
void deliver_log_prefix(const struct set_view *view, const char *service, struct span user, struct span session);
/* The line of deliver_log_format about what was done; by: what did it ("sieve: "), or "". */
void deliver_log(const struct deliver_request *r, const char *by, const char *what);
#endif
