/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_SESSION_H
#define CULVER_LMTP_SESSION_H
/*
 * An LMTP session (RFC 2033) over a stream.  Who the users are and how mail gets to them is behind struct lmtp_backend: a
 * test has one of its own, and the whole engine runs in memory.
 */
#include "lib/arena.h"
#include "lib/ipc-types.h"
#include "lib/stream.h"
#include "lib-deliver/recipient/expand.h"
#include "lib-deliver/smtp-path.h"
#include "lmtp/message.h"

#define LMTP_REPLY_MAX 300
#define LMTP_HELO_MAX 255
#define LMTP_ID_MAX 24		/* octets of a session's name; a transaction's has ":" and its number too */
#define LMTP_PROXY_TTL 5	/* how often mail may be passed on between servers that trust each other */

struct lmtp_proxy_conn;
struct spam_scan;

struct lmtp_options {
	struct span hostname;
	struct span delimiters;		/* recipient_delimiter */
	uint64_t max_size;
	size_t max_recipients, max_line;
	unsigned max_bad;		/* bad commands in a row; 0: no limit */
	unsigned path_flags;		/* SMTP_PATH_BARE */
	bool space_before_path;		/* lmtp_client_workarounds */
	bool add_received;
	bool check_quota;		/* lmtp_rcpt_check_quota */
	bool needs_tls;			/* MAIL is refused before STARTTLS */
	bool trusts_client;		/* login_trusted_networks: XCLIENT tells whom it speaks for */
	enum { LMTP_ADDRESS_FINAL, LMTP_ADDRESS_NONE, LMTP_ADDRESS_ORIGINAL } delivery_address;
	const struct spam_scan *scan;		/* NULL: nothing to ask, nothing to take out */
	const struct recipient_expand_options *recipients;	/* NULL: there are no tables of recipients */
};

enum lmtp_lookup { LMTP_FOUND, LMTP_UNKNOWN, LMTP_DISABLED, LMTP_TEMP, LMTP_REFUSED };

/* What becomes of a message for one of the ends that an address of RCPT leads to.  Without tables there is one: the user. */
enum lmtp_leg {
	LMTP_LEG_USER,
	LMTP_LEG_OUT,		/* passed on, a program, a file */
	LMTP_LEG_DISCARD,
	LMTP_LEG_FAIL,		/* nobody gets it, as failed says */
	LMTP_LEG_SAME,		/* another recipient of the transaction leads there too */
};

struct lmtp_rcpt {
	enum lmtp_leg leg;
	unsigned number;		/* of the RCPT: those with one number have one answer */
	struct span asked_for;		/* the address of RCPT */
	struct span sender;		/* of the envelope from here on */
	const struct recipient_leg *out;	/* OUT */
	struct recipient_reply failed;	/* FAIL */
	bool told;			/* its failure: an owner knows */
	bool changed;			/* a table led here */
	bool quarantined;		/* it is not for whom it came */
	struct span reason;		/* of that */
	size_t same;			/* SAME: which */
	bool once;			/* the number has several: what is done is remembered until all are */
	struct smtp_path path;
	struct span orcpt;		/* address of ORCPT; else empty */
	struct span notify;		/* NOTIFY as it came */
	struct span asked;		/* the user that was asked for, without the detail */
	struct span user, detail;	/* the canonical user */
	unsigned char token[AUTH_TOKEN_LEN];
	int64_t token_ms;		/* when it was given */
	struct span proxy_fields;	/* not empty: the user is one of another server, these fields tell which */
	struct lmtp_proxy_conn *conn;	/* the other server has taken the recipient; NULL: it has not been asked */
	struct span header;		/* to be put in front: Return-Path, Delivered-To, Received */
	unsigned code;			/* the answer: 250, 451, ... */
	char reply[LMTP_REPLY_MAX];	/* enhanced code and text */
};

/* Whether another server has its mail. */
static inline bool
lmtp_rcpt_is_remote(const struct lmtp_rcpt *r)
{
	return r->leg == LMTP_LEG_USER && r->proxy_fields.n > 0;
}

/* What access tables want done with what they do not refuse; throwing away counts for more. */
struct lmtp_fate {
	bool discard, quarantine;
	struct span reason;		/* of the first that wants quarantine */
};

struct lmtp_transaction {
	struct arena *arena;
	struct smtp_path sender;
	struct lmtp_rcpt *rcpts;
	size_t rcpt_count, rcpt_room, rcpt_tries;
	unsigned numbers;		/* RCPTs that were taken */
	uint64_t declared_size;
	struct span envid, ret;		/* as they came (RFC 3461) */
	bool utf8;			/* SMTPUTF8 */
	bool eight_bit;			/* BODY=8BITMIME */
	struct span rip;		/* of the client */
	bool open;			/* MAIL was taken */
	bool chunked, chunk_failed;	/* BDAT has begun; one of its chunks was refused */
	bool junk;			/* as the spam scanner says */
	struct lmtp_fate fate;		/* what an access table says of the client or the sender */
	unsigned number;		/* of this session, from 1 on */
	char session[SESSION_ID_MAX + 1];
	struct message message;
};

struct lmtp_backend {
	void *ctx;
	/* Fills in r->user and r->token from r->asked.  Strings in t's arena. */
	enum lmtp_lookup (*lookup)(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r);
	/* Asked then, unless NULL: LMTP_FOUND, or LMTP_REFUSED with r->code and r->reply: there is no room. */
	enum lmtp_lookup (*fits)(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r);
	/* Delivers the sealed message to all recipients of this server, and fills in code and reply of each. */
	void (*deliver)(void *ctx, struct lmtp_transaction *t, int message_fd);
	/* NULL: no STARTTLS.  TLS on the stream, from now on; -1: the connection is lost. */
	int (*start_tls)(void *ctx, struct stream *s, struct err *e);
	/* A transaction begins: the tables of recipients may have changed.  NULL: they do not. */
	void (*refresh)(void *ctx);
	/* Tells owner what has failed of the message for rcpts[idx].asked_for, a line each.  0: he will learn of it.  May be NULL. */
	int (*tell_owner)(void *ctx, struct lmtp_transaction *t, size_t idx, struct span owner, struct span failed,
	    int message_fd);
	/* Asks the server of a user of another one (r->proxy_fields) for the recipient: LMTP_FOUND, or LMTP_REFUSED with code and reply. */
	enum lmtp_lookup (*ask)(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r);
	/* Sends the message to the servers of all such recipients; those who were not asked for yet are then. */
	void (*forward)(void *ctx, struct lmtp_transaction *t, int message_fd);
	void (*end)(void *ctx);		/* of each transaction; may be NULL */
	/* Whether every further mail of this connection would be put off, while a new connection may do better.  May be NULL. */
	bool (*is_lost)(void *ctx);
};

/* What others may see of a session: in shared memory where the parent looks for idle ones. */
struct lmtp_status {
	volatile int busy;		/* inside a transaction */
	volatile int64_t waiting_ms;	/* since when it has waited for the client (clock_ms); 0: it does not wait */
};

struct lmtp_session {
	struct stream *s;
	const struct lmtp_options *o;
	const struct lmtp_backend *backend;
	struct lmtp_status *status;
	struct span rip;		/* of the client; "" for a local one */
	char id[SESSION_ID_MAX + 1];
	char helo[LMTP_HELO_MAX + 1];
	/* As XCLIENT has them; empty: it does not. */
	char client_ip[64], client_helo[LMTP_HELO_MAX + 1], client_name[LMTP_HELO_MAX + 1];
	uint16_t rport;			/* 0: not known */
	unsigned proxy_ttl;		/* how often the mail may still be passed on */
	struct lmtp_transaction t;
	unsigned bad;
	uint64_t commands;
	bool tls, done;
	const char *state;		/* for the log: "READY", "MAIL FROM", ... */
	bool (*is_told_to_end)(void);	/* asked when the input ends: whether the server ended it.  May be NULL */
};

/* id: LMTP_ID_MAX characters at most.  -1: ERR_TEMP. */
int lmtp_session_init(struct lmtp_session *l, struct stream *s, const struct lmtp_options *o,
    const struct lmtp_backend *backend, struct lmtp_status *status, const char *id, struct err *e);
void lmtp_session_clear(struct lmtp_session *l);
/* Greets, and serves until the end.  0: QUIT; -1 and why in *e otherwise. */
int lmtp_session_run(struct lmtp_session *l, struct err *e);

/* In transaction.c. */
int lmtp_transaction_init(struct lmtp_transaction *t, const struct lmtp_options *o, struct err *e);
void lmtp_transaction_reset(struct lmtp_session *l);
void lmtp_cmd_mail(struct lmtp_session *l, struct span args);
void lmtp_cmd_rcpt(struct lmtp_session *l, struct span args);
/* The place behind the last recipient, all zero but for what is known of each.  NULL: no memory. */
struct lmtp_rcpt *lmtp_rcpt_new(struct lmtp_transaction *t);
/* Asks whether r->path is a user's. */
enum lmtp_lookup lmtp_rcpt_look_up(struct lmtp_session *l, struct lmtp_rcpt *r, bool fits);
/* Whether two are one, as the client names them. */
bool lmtp_rcpt_is_twin(const struct lmtp_rcpt *a, const struct lmtp_rcpt *b);
/* The answer to an address that is not taken. */
void lmtp_rcpt_refuse(struct lmtp_session *l, const struct lmtp_rcpt *r, enum lmtp_lookup found);
/* In recipient.c: what access tables say of the client and the sender; true: it was refused, and answered. */
bool lmtp_recipient_refuses(struct lmtp_session *l, const struct smtp_path *sender);
/* Takes the recipient in the place of lmtp_rcpt_new(), with all that the tables make of it, and answers. */
void lmtp_recipient_take(struct lmtp_session *l, struct lmtp_rcpt *r);
/* Owners of lists are told what has failed for good, where nothing has to come again: it is no failure of the RCPT then. */
void lmtp_recipient_tell_owners(struct lmtp_session *l, int message_fd);
/* The one answer to all of rcpts[from] to rcpts[end - 1]. */
void lmtp_recipient_answer(struct lmtp_session *l, size_t from, size_t end);
/* In xclient.c. */
void lmtp_cmd_xclient(struct lmtp_session *l, struct span args);
/* What may stand in a Received field's name of the client. */
bool lmtp_is_helo(struct span s);
/* In body.c.  -1: the connection can not go on, why is in *e. */
int lmtp_cmd_data(struct lmtp_session *l, struct span args, struct err *e);
int lmtp_cmd_bdat(struct lmtp_session *l, struct span args, struct err *e);
/* In session.c: an answer, "250", "2.0.0", text; a bad one counts. */
void lmtp_reply(struct lmtp_session *l, const char *line);
void lmtp_refuse(struct lmtp_session *l, const char *line);
#endif
