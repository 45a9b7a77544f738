/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_CLIENT_PROTO_H
#define CULVER_AUTH_CLIENT_PROTO_H
/*
 * The protocols that MTAs and tools speak to auth over unix sockets or TCP, as parsers without I/O:
 * - the auth client protocol, version 1.2, of Dovecot 2 (Postfix: smtpd_sasl_type = dovecot; Exim: its dovecot
 *   authenticator): lines of fields with tabs between, \001-escapes in them;
 * - the master protocol beside it (user look-ups: USER, PASS, LIST, CACHE-FLUSH);
 * - saslauthd's: four counted strings.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#define CLIENT_LINE_MAX 8192
#define CLIENT_PARAMS_MAX 64
#define MUX_STRING_MAX 1024

enum parse { PARSE_MORE, PARSE_DONE, PARSE_BAD };

enum client_cmd {
	CMD_VERSION, CMD_CPID, CMD_AUTH, CMD_CONT, CMD_CANCEL,	/* client */
	CMD_USER, CMD_PASS, CMD_LIST, CMD_CACHE_FLUSH,		/* master */
	CMD_UNKNOWN						/* is passed over: a later minor version's */
};

struct client_line {
	enum client_cmd cmd;
	uint32_t id;			/* of a request; CMD_VERSION: the major version; CMD_CPID: the pid */
	struct span name;		/* AUTH: the mechanism; USER, PASS: the user; CONT: base64; LIST, flush: SPAN_NONE */
	struct span params[CLIENT_PARAMS_MAX];	/* "key=value" or "key", unescaped */
	size_t param_count;
	bool has_resp;			/* AUTH: resp= was there; may be empty */
	struct span resp;		/* base64 */
};

/*
 * One line without its LF.  Spans are in the arena or the line.  ERR_SYNTAX: the client must go (a wrong major version,
 * no id, too many fields).
 */
int client_line_parse(struct span line, struct arena *a, struct client_line *out, struct err *e);
struct span client_param(const struct client_line *l, const char *key);	/* p NULL: not there; "" for a bare key */

/* A field with \001-escapes for NUL, \001, tab, CR and LF. */
void client_escape(struct buf *out, struct span s);
bool client_unescape(struct buf *out, struct span s);	/* false: a malformed escape */

struct mux_request {
	struct span user, password, service, realm;
};

/* One request of saslauthd's protocol at the front of in; spans into in.  PARSE_BAD: a string above MUX_STRING_MAX. */
enum parse mux_parse(struct span in, struct mux_request *out, size_t *used_out);
void mux_answer(struct buf *out, struct span text);	/* "OK", "NO" with its count in front */
#endif
