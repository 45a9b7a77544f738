/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_SMTP_CLIENT_H
#define CULVER_LIB_PROTOCOL_SMTP_CLIENT_H
/*
 * The client's side of SMTP and LMTP: one message, blocking, each wait bounded.  What is sent is read from memory; TLS is
 * verified unless the settings say otherwise.
 */
#include <openssl/ssl.h>
#include "lib/buf.h"
#include "lib/err.h"
#include "lib-protocol/smtp-reply.h"

enum smtp_tls { SMTP_TLS_NO, SMTP_TLS_FIRST, SMTP_TLS_STARTTLS };

struct smtp_client {
	int fd;
	SSL *ssl;
	int timeout_ms;			/* of a wait; a reply must be whole by then */
	int64_t deadline_ms;		/* of what is waited for (clock_ms()); 0: each wait has its own */
	struct buf in;			/* not read yet */
	size_t taken;			/* of in, by the last reply */
	bool lmtp;
	/* What the server offers, as of the last greeting. */
	bool has_8bit, has_size, has_utf8, has_starttls, has_xclient, has_dsn, has_deliverby;
};

struct smtp_target {
	const char *host;		/* a path (with a slash in front): a unix socket */
	const char *address;		/* where the host is; NULL: as its name is looked up */
	const char *port;
	int timeout_ms;
	bool lmtp;
	enum smtp_tls tls;
	SSL_CTX *tls_ctx;		/* for tls; borrowed */
	bool verify;			/* that the certificate is the host's */
	const char *hello;		/* our own name */
};

/* How a message went. */
struct smtp_outcome {
	unsigned code;			/* the server's last word; 0: there was none */
	char text[300];			/* of the reply, in one line */
};

/* A context for the client's side, with the certificates of these files (empty: the system's) to trust. */
SSL_CTX *smtp_tls_new(const char *ca_file, const char *ca_dir, bool verify, struct err *e);

/* Connects and greets.  -1: ERR_TEMP, ERR_TIMEOUT: another time. */
int smtp_client_open(const struct smtp_target *t, struct smtp_client *c, struct err *e);
/* What opens may need files and sockets of any kind, what follows does not: a sandbox can be put between the two. */
int smtp_client_connect(const struct smtp_target *t, struct smtp_client *c, struct err *e);
int smtp_client_greet(const struct smtp_target *t, struct smtp_client *c, struct err *e);
void smtp_client_close(struct smtp_client *c);

struct smtp_mail {
	struct span sender, recipient;
	const struct span *parts;	/* the message: LF or CRLF line ends */
	size_t part_count;
	/*
	 * Parameters of RFC 3461 and RFC 2852, fit for the line; empty: none.  A server that knows no DSN gets the message without
	 * them, and one that knows no DELIVERBY without `by', unless it says that the message is to be returned then.
	 */
	struct span notify, ret, orcpt, envid, by;
	/* Called when the message itself is about to go: whoever ends from here on does not know whether it was taken.  Or NULL. */
	void (*on_body)(void);
};
/*
 * Sends one message to one recipient.  0: the server has it.  -1: out->code tells (5xx: for good; else another time), and
 * what happened is in *e.
 */
int smtp_client_send(struct smtp_client *c, const struct smtp_mail *m, struct smtp_outcome *out, struct err *e);
#endif
