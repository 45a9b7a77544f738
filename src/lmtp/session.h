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
#include "lib-deliver/smtp-path.h"
#include "lmtp/message.h"

#define LMTP_REPLY_MAX 300
#define LMTP_HELO_MAX 255
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
};

enum lmtp_lookup { LMTP_FOUND, LMTP_UNKNOWN, LMTP_DISABLED, LMTP_TEMP, LMTP_REFUSED };

struct lmtp_rcpt {
	struct smtp_path path;
	struct span orcpt;		/* address of ORCPT; else empty */
	struct span notify;		/* NOTIFY as it came */
	struct span asked;		/* the user that was asked for, without the detail */
	struct span user, detail;	/* the canonical user */
	unsigned char token[AUTH_TOKEN_LEN];
	int64_t token_ms;		/* when it was given */
	struct span proxy_fields;	/* not empty: the user is one of another server, these fields tell which */
	struct lmtp_proxy_conn *conn;	/* the other server has taken the recipient; NULL: a local one */
	struct span header;		/* to be put in front: Return-Path, Delivered-To, Received */
	unsigned code;			/* the answer: 250, 451, ... */
	char reply[LMTP_REPLY_MAX];	/* enhanced code and text */
};

struct lmtp_transaction {
	struct arena *arena;
	struct smtp_path sender;
	struct lmtp_rcpt *rcpts;
	size_t rcpt_count, rcpt_room, rcpt_tries;
	uint64_t declared_size;
	struct span envid, ret;		/* as they came (RFC 3461) */
	bool utf8;			/* SMTPUTF8 */
	bool eight_bit;			/* BODY=8BITMIME */
	struct span rip;		/* of the client */
	bool open;			/* MAIL was taken */
	bool chunked, chunk_failed;	/* BDAT has begun; one of its chunks was refused */
	bool junk;			/* as the spam scanner says */
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
	/* Delivers the sealed message to all recipients without conn, and fills in code and reply of each. */
	void (*deliver)(void *ctx, struct lmtp_transaction *t, int message_fd);
	/* NULL: no STARTTLS.  TLS on the stream, from now on; -1: the connection is lost. */
	int (*start_tls)(void *ctx, struct stream *s, struct err *e);
	/* The same to all with conn.  NULL: there never is one. */
	void (*forward)(void *ctx, struct lmtp_transaction *t, int message_fd);
	void (*end)(void *ctx);		/* of each transaction; may be NULL */
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
	char client_ip[64], client_helo[LMTP_HELO_MAX + 1];	/* as XCLIENT has them; empty: it does not */
	uint16_t rport;			/* 0: not known */
	unsigned proxy_ttl;		/* how often the mail may still be passed on */
	struct lmtp_transaction t;
	unsigned bad;
	uint64_t commands;
	bool tls, done;
	const char *state;		/* for the log: "READY", "MAIL FROM", ... */
	bool (*is_told_to_end)(void);	/* asked when the input ends: whether the server ended it.  May be NULL */
};

/* id: 20 characters at most.  -1: ERR_TEMP. */
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
