/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_REQUEST_H
#define CULVER_AUTH_REQUEST_H
/*
 * One authentication or look-up, as a state machine without sockets.  Its owner (an IPC peer, a client of a socket) makes
 * it, remembers it, starts it, and hears of it through notify(), possibly before the starting function has returned:
 * after a call of request_start_*() or request_continue() the owner touches r only if it was not told that it ended.
 */
#include "auth/auth.h"
#include "auth/fields.h"
#include "auth/mech.h"
#include "lib/ipc-types.h"
#include "lib-protocol/identity.h"

enum db_result { DB_OK, DB_UNKNOWN, DB_MISMATCH, DB_TEMP, DB_DISABLED, DB_EXPIRED, DB_NO_LOOKUP, DB_PENDING };

enum request_event {
	REQ_CHALLENGE,	/* r->challenge: answered by request_continue() */
	REQ_OK,		/* the end: r->user, r->pass_fields; r->token if one was asked for */
	REQ_IDENTITY,	/* the end of a look-up or redemption: r->identity; r->token if one was asked for */
	REQ_FAIL,	/* the end: r->fail, r->fail_text (may be empty) */
};

enum request_state { REQ_NEW, REQ_SASL, REQ_HELD, REQ_PASSDB, REQ_USERDB, REQ_DELAY, REQ_ENDED };

struct request_params {
	struct span service, rip, lip, session, local_name;
	uint32_t rport, lport;
	bool secured;
	bool refuse_plaintext;	/* disable_plaintext_auth counts (MTAs have a rule of their own) */
	bool want_token;
	bool no_penalty;
};

struct passdb;
struct userdb;

struct request {
	struct auth *auth;
	struct arena *arena;
	enum request_state state;
	struct request_params params;		/* spans are in the arena */
	/* the owner's */
	void (*notify)(struct request *r, enum request_event event);
	void *owner;
	uint32_t id;
	bool wants_proxy;			/* fields that lead to another server are kept (LMTP) */
	struct span asked;			/* the name that the look-up is about, as the owner had it */

	struct mech *mech;
	const char *mech_name;
	struct span challenge;
	struct span user, login_user, master_user;	/* login_user: what a master user asks for */
	struct buf password;
	bool lookup_only;			/* passdb: the password is not compared */
	bool is_login;				/* a passdb has said yes: prefetch is possible */
	bool checks_existence;			/* the passdb chain runs for a look-up */

	/* the chain that runs */
	size_t db_idx;
	bool master_phase, db_success, any_temp;
	enum db_result worst;
	const char *failed_db;			/* for the log */
	struct fields raw;			/* the database's own fields, with their %variables */
	struct span db_password;
	struct cache_key key;
	bool has_key, from_cache;
	char reason[160], why[160];		/* for the log: of the current database, of failed_db */

	struct fields pass_fields, prefetch, user_fields;
	struct identity identity;
	unsigned char token[AUTH_TOKEN_LEN];

	enum auth_fail fail;
	struct span fail_text;

	ev_timer timer;
	bool pending, aborted;			/* a driver holds r; the owner has gone */
	struct request *next, **at;		/* in auth->delayed */
};

/* NULL when too many are under way, or memory is out.  The owner fills in notify, owner, id. */
struct request *request_new(struct auth *a, const struct request_params *p);
/* The owner has no interest any more: no notify() after it. */
void request_abort(struct request *r);

void request_start_sasl(struct request *r, struct span mech, bool has_data, struct span data);
void request_continue(struct request *r, struct span data);
void request_start_plain(struct request *r, struct span user, struct span password);	/* saslauthd's clients */
void request_start_lookup(struct request *r, struct span user);
void request_start_redeem(struct request *r, struct span token);
/* A passdb's view of a user, without a password (auth-master's PASS). */
void request_start_passdb_lookup(struct request *r, struct span user);

/* For the chains. */
void request_passdb_done(struct request *r, enum db_result result);
void request_userdb_done(struct request *r, enum db_result result);
/* A driver that held r gives it back: false when the owner has gone meanwhile, and r with it. */
bool request_resumed(struct request *r);
/* %variables of this request. */
int request_expand(struct request *r, struct span in, struct buf *out, struct err *e);
/* "name=value ..." words, expanded, into f; only_new: fields that are there stay. */
int request_add_words(struct request *r, struct span words, struct fields *f, bool only_new, struct err *e);
/* Why the current database has failed, for the log. */
void request_reason(struct request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void request_log(const struct request *r, const char *db, const char *text);
#endif
