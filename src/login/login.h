/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LOGIN_LOGIN_H
#define CULVER_LOGIN_LOGIN_H
/*
 * What happens on a connection before login, as a machine without descriptors: bytes in, bytes out, and now and then
 * something for the shell around it (client.c) to do: start TLS, carry an authentication to auth, close.  A protocol
 * (imap.c, pop3.c, managesieve.c) is a table of five functions.
 *
 * Passwords are in `data` from the command to the shell's taking it, and nowhere else in here.
 */
#include "lib/buf.h"
#include "lib/ipc-types.h"

#define LOGIN_LINE_LIMIT 32768	/* whatever login_max_line_length says: what is behind the login must fit in a frame */
#define LOGIN_MECHS_MAX 16

enum login_state {
	LOGIN_COMMAND,		/* the next line is a command */
	LOGIN_RESPONSE,		/* the next line answers a challenge */
	LOGIN_WAIT,		/* auth, or the parent of the sessions, has the word: no input is taken */
	LOGIN_TLS,		/* STARTTLS was answered: the handshake is next, login_tls_started() at its end */
	LOGIN_CLOSED,		/* the connection ends when the output is sent */
};

/* What the shell must do after a step; it resets it to LOGIN_NOTHING. */
enum login_action {
	LOGIN_NOTHING,
	LOGIN_AUTH_START,	/* with mech, and data if has_data */
	LOGIN_AUTH_CONT,	/* with data */
	LOGIN_AUTH_ABORT,
	LOGIN_AUTH_DONE,	/* the client has taken the last server data: it is logged in */
};

struct login_mechs {
	struct {
		char name[24];
		bool plaintext;
	} mech[LOGIN_MECHS_MAX];
	size_t count;
};

/* What settings say about this client; strings live longer than the client. */
struct login_conf {
	struct span greeting, id_send;
	struct span capabilities;	/* ManageSieve: lines that are the same for all clients */
	bool disable_plaintext, literal_minus, tls_available;
	size_t line_max;
	unsigned bad_max, fail_max;
};

struct login;
struct set_view;

struct login_protocol {
	const char *name;		/* "imap": of the settings' protocol blocks, and what auth is told */
	const char *process;		/* "imap-login" */
	bool greets_again;		/* after STARTTLS (RFC 5804 section 2.2) */
	const char *parent;		/* the service of its sessions; NULL: name */
	/* Lines for conf->capabilities, made once; NULL: none. */
	bool (*capabilities)(const struct set_view *view, struct buf *out);
	void (*greet)(struct login *l, struct buf *out);
	/* One command or line at most off the front of in; how many bytes were taken, 0 when it is not whole yet. */
	size_t (*step)(struct login *l, struct span in, struct buf *out);
	void (*challenge)(struct login *l, struct span data, struct buf *out);
	void (*fail)(struct login *l, enum auth_fail why, struct span text, struct buf *out);
	void (*bye)(struct login *l, const char *text, struct buf *out);
	/* What a client hears that its session has given back; NULL: none does that. */
	void (*again)(struct login *l, struct buf *out);
};

extern const struct login_protocol login_imap, login_pop3, login_managesieve;

static inline const char *
login_parent_name(const struct login_protocol *p)
{
	return p->parent != NULL ? p->parent : p->name;
}

struct login {
	const struct login_protocol *protocol;
	const struct login_conf *conf;		/* borrowed */
	const struct login_mechs *mechs;	/* borrowed; may change between steps */
	enum login_state state;
	enum login_action action;
	bool tls, secured;		/* secured: TLS, or the same host */
	bool final;			/* in LOGIN_RESPONSE: auth has said yes already */
	char mech[24];
	struct buf data;
	bool has_data;
	struct buf tag;			/* IMAP's of the command under way */
	struct buf user;		/* POP3's USER; then for the log the name that was tried */
	bool has_user;			/* POP3: USER was given */
	size_t scanned, line_start;	/* how far the command that is not whole yet has been looked at */
	unsigned bad_commands, auth_attempts, auth_failures;
	bool plaintext_refused;		/* for the log: a password came over an open line */
	struct buf client_id;		/* IMAP ID, for the log; emptied by the shell */
	const char *close_reason;	/* for the log; NULL: none */
};

/* conf and mechs are borrowed. */
void login_init(struct login *l, const struct login_protocol *p, const struct login_conf *conf,
    const struct login_mechs *mechs, bool tls, bool secured);
void login_clear(struct login *l);
void login_greet(struct login *l, struct buf *out);

/*
 * Takes commands off the front of in until something is to be done, or wait for; returns how many bytes were taken.
 * After LOGIN_TLS what is left of the input must be thrown away (RFC 3501 section 6.2.1: it came before the handshake).
 */
size_t login_step(struct login *l, struct span in, struct buf *out);

/* The shell's answers to an action.  In state LOGIN_WAIT only. */
void login_challenge(struct login *l, struct span data, struct buf *out);
void login_final(struct login *l, struct span data, struct buf *out);	/* auth's yes came with data for the client */
void login_fail(struct login *l, enum auth_fail why, struct span text, struct buf *out);
void login_tls_started(struct login *l);
void login_bye(struct login *l, const char *text, const char *reason, struct buf *out);	/* ends it */

/* For the protocols. */
bool login_may_send_password(const struct login *l);
bool login_has_mech(const struct login *l, struct span name);
const char *login_fail_text(enum auth_fail why);	/* without codes */
bool login_is_http(struct span line);
void login_bad_command(struct login *l, struct buf *out);	/* counts; says bye when it was one too many */
/* Starts an authentication: checks the mechanism; on failure the protocol's fail() has answered.  data is l->data. */
void login_start(struct login *l, struct span mech, struct buf *out);
/* l->data = NUL user NUL password (RFC 4616); false when one of them holds a NUL. */
bool login_plain(struct login *l, struct span user, struct span password);
/* A line of a SASL exchange, base64 or "*": sets the action.  False: not base64, and the exchange is over. */
bool login_response(struct login *l, struct span line);
bool login_set_data(struct login *l, struct span base64);	/* decoded; "=" is empty data; false: it is not base64 */

/* The list from auth ("NAME [plaintext]" a line), or the words of auth_mechanisms. */
void login_mechs_parse(struct login_mechs *m, struct span text);
void login_mechs_default(struct login_mechs *m, struct span words);
/* Those that this client may use now, each after prefix and sep: " AUTH=PLAIN AUTH=LOGIN". */
void login_mechs_put(const struct login *l, const char *before_each, struct buf *out);
#endif
