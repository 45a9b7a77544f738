/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_IPC_TYPES_H
#define CULVER_LIB_IPC_TYPES_H
/*
 * The vocabulary between Culver's processes (frames: lib/ipc.h).  Each receiving process has one table (struct ipc_rule)
 * that says who may send what.  F_ID is chosen by who asks, and comes back in the answer.
 *
 * Channels: the master is the broker.  A service asks for one (MSG_WANT); the master makes a socket pair, gives one end
 * to the wanted service (MSG_PEER, with the kind of the other side, which so can not be forged) and the other to who
 * asked (MSG_CHANNEL).  A closed channel is asked for again.
 */

/* Kinds of peers: one bit each. */
enum peer_kind {
	PEER_MASTER = 1 << 0,
	PEER_AUTH = 1 << 1,
	PEER_HUB = 1 << 2,
	PEER_LOGIN = 1 << 3,		/* imap-login, pop3-login */
	PEER_IMAP = 1 << 4,		/* service parents */
	PEER_POP3 = 1 << 5,
	PEER_LMTP = 1 << 6,
	PEER_DELIVER = 1 << 7,
	PEER_HIBERNATE = 1 << 8,
	PEER_ADM = 1 << 9,		/* culveradm, run by root or the server's owner */
	PEER_WORKER = 1 << 10,		/* a session's process; it runs as the mail user */
	PEER_HELPER = 1 << 11,		/* auth's root helper */
	PEER_POLICY = 1 << 12,		/* quota-status */
	PEER_SCRIPT = 1 << 13,
	PEER_QUEUE = 1 << 14,
	PEER_SIEVE = 1 << 15,		/* managesieve: the service parent */
};

enum ipc_type {
	/* master and a service, over its control socket */
	MSG_READY = 1,		/* service: it serves now */
	MSG_WANT,		/* service: F_NAME of a service.  Answer: MSG_CHANNEL, when that service runs */
	MSG_CHANNEL,		/* master: F_NAME, fd */
	MSG_PEER,		/* master: F_KIND, fd: somebody wants to talk to you */
	MSG_STOP,		/* master: take no more work, end when what is going on is done */
	MSG_STATUS,		/* service: F_COUNT clients now, F_LIMIT; the master starts another process when it is full */
	MSG_LOG_LINE,		/* service: F_LEVEL, F_TEXT: a warning or worse, for `culveradm log errors' */
	MSG_LOG_FILES,		/* master: fds of the log files opened anew (errors, info, debug; those that are files) */

	/* login -> auth */
	MSG_AUTH_START = 20,	/* F_ID F_SERVICE F_MECH [F_DATA] F_SECURED F_RIP F_RPORT F_LIP F_LPORT F_SESSION [F_LOCAL_NAME] */
	MSG_AUTH_CONT,		/* F_ID F_DATA: the decoded response */
	MSG_AUTH_ABORT,		/* F_ID */
	/* auth -> login */
	MSG_AUTH_MECHS,		/* F_TEXT: one mechanism a line, "NAME [plaintext]"; sent first on each channel */
	MSG_AUTH_CHALLENGE,	/* F_ID F_DATA: not yet base64 */
	MSG_AUTH_OK,		/* F_ID F_USER F_TOKEN [F_DATA: the last server data] */
	MSG_AUTH_FAIL,		/* F_ID F_CODE (enum auth_fail) [F_TEXT for the client]; the delay has been served already */
	/* lmtp, lda, adm -> auth; answered by MSG_AUTH_OK (a token for deliver; adm: MSG_IDENTITY) or MSG_AUTH_FAIL */
	MSG_LOOKUP,		/* F_ID F_SERVICE F_USER [F_RIP F_LIP F_SESSION] [F_PROXY: a user of another server is one, too] */
	/* imap, pop3, deliver (parents) -> auth: a token is good once, for a minute */
	MSG_REDEEM,		/* F_ID F_SERVICE F_TOKEN */
	MSG_IDENTITY,		/* auth: F_ID, then the fields of struct identity (lib-protocol/identity.h) */
	/* adm -> auth */
	MSG_AUTH_USERS,		/* F_ID [F_TEXT mask]: all users: MSG_AUTH_USER each, then MSG_DONE */
	MSG_AUTH_USER,		/* F_ID F_USER */
	MSG_AUTH_FLUSH,		/* F_ID [F_USER]: empties the cache; MSG_DONE F_COUNT */
	MSG_DONE,		/* F_ID [F_COUNT] [F_CODE] [F_TEXT]: the end of a list, or of an order */
	/* auth -> lmtp: MSG_LOOKUP's answer for a user whose mail goes to another server */
	MSG_AUTH_PROXY,		/* F_ID F_USER F_FIELDS (of the passdb) */

	/* login -> imap, pop3 (parents) */
	MSG_SESSION = 50,	/* F_ID F_TOKEN F_SESSION F_SECURED F_RIP F_RPORT F_LIP F_LPORT [F_TAG F_PREREAD], fd: the client */
	MSG_SESSION_OK,		/* F_ID F_PID: a worker has it; close your descriptor (or go on proxying TLS) */
	MSG_SESSION_FAIL,	/* F_ID F_CODE (enum auth_fail) F_TEXT for the client */
	/* a worker -> its parent -> the login process that its client came from: nobody is logged in any more */
	MSG_SESSION_BACK,	/* [F_PREREAD: what has been read already], fd: the client */

	/* parents -> hub */
	MSG_CONNECT = 60,	/* F_ID F_SERVICE F_USER F_RIP F_SESSION F_LIMIT (user+address, 0 none), fd: the worker's channel */
	MSG_CONNECT_OK,		/* hub: F_ID */
	MSG_CONNECT_LIMIT,	/* hub: F_ID: one too many */
	MSG_STARTED,		/* F_SESSION F_PID: of the session's worker.  The session ends when the worker's channel closes */
	MSG_KICK,		/* hub -> parent: F_PID; adm -> hub: F_ID [F_USER mask] [F_RIP net]; hub answers MSG_DONE F_COUNT */
	MSG_WHO,		/* adm -> hub: F_ID [F_USER mask] [F_RIP net]: MSG_WHO_ENTRY each, then MSG_DONE */
	MSG_WHO_ENTRY,		/* F_ID F_SERVICE F_USER F_RIP F_PID F_SESSION F_TIME (start, seconds since 1970) */
	/* workers -> hub */
	MSG_WATCH,		/* F_ID F_KEY [fd, fd: directories that outside programs change]: replaces an older F_ID */
	MSG_UNWATCH,		/* F_ID */
	MSG_CHANGED,		/* worker: F_KEY [F_MODSEQ]: I committed a change; hub: F_ID: look at the index */

	/* lmtp -> deliver (parent), parent -> its worker */
	MSG_DELIVER = 80,	/* F_ID F_TOKEN (to the worker: the identity's fields) F_SESSION F_SENDER F_RECIPIENT
				 * [F_DETAIL] [F_TEXT: headers to put in front] [F_DSN_RECIPIENT F_DSN_NOTIFY F_DSN_ENVID F_DSN_RET]
				 * [F_JUNK] [F_ORIGIN], fd: sealed memory file with the message */
	MSG_RECIPIENT,		/* what a table has made of a recipient, and no user's: F_ID F_SESSION F_SENDER F_RECIPIENT F_KIND (enum
				 * recipient_end) F_DATA (the address, program, file) F_TEXT [F_ORIGIN], fd: as with MSG_DELIVER;
				 * RECIPIENT_NOTICE: F_SENDER is who is told, F_DATA what failed, a line each */
	MSG_DELIVERED,		/* F_ID F_CODE (LMTP reply code) F_TEXT (enhanced code and text) */
	/* lmtp, quota-status -> deliver (parent), parent -> its worker: would it be taken?  Answered by MSG_DELIVERED */
	MSG_FITS,		/* F_ID F_TOKEN (to the worker: the identity's fields) F_SESSION F_RECIPIENT [F_DETAIL] F_SIZE */

	/* lmtp: a connection's process -> its parent: F_MODSEQ of its tables of recipients; the answer: F_MODSEQ of the parent's
	 * [fd: sealed memory file with their texts, when it is another] */
	MSG_TABLES,
	/* deliver: a worker -> its parent: F_ID: it can not see that user's mail any more: another process is to do it */
	MSG_DECLINED,

	/* worker -> its parent -> hibernate, and back (lib-protocol/hibernate.h) */
	MSG_HIBERNATE = 90,	/* F_ID F_SESSION F_STATE F_IDENTITY F_KEY F_TAG, fd: the client [fd, fd: directories] */
	MSG_HIBERNATED,		/* hibernate: F_ID */
	MSG_WAKE,		/* hibernate -> parent: F_ID F_SESSION F_STATE F_IDENTITY F_CODE (why) [F_PREREAD], fd: the client */

	/* worker -> its parent */
	MSG_HOME = 95,		/* F_ID F_USER; the parent: F_ID F_HOME (empty: nobody, or nobody's business) */
	MSG_REST,		/* its session is over, and it could serve another one of its user */
	MSG_SERVE,		/* parent: that one: F_SESSION F_RIP F_RPORT F_LIP F_LPORT F_SECURED [F_TAG F_PREREAD F_STATE], fd: the
				 * client [fd: its channel to hub] */
	MSG_SERVING,		/* the worker: F_CODE 0: it has it; 1: another process must, and this one ends */

	/* adm -> master */
	MSG_RELOAD = 100,	/* F_ID; MSG_DONE with F_CODE 0, or 1 and F_TEXT */
	MSG_SHUTDOWN,		/* F_ID; MSG_DONE, then the end */
	MSG_LOG_ERRORS,		/* F_ID: MSG_LOG_LINE each, then MSG_DONE */
	MSG_SERVICES,		/* F_ID: MSG_SERVICE each, then MSG_DONE */
	MSG_SERVICE,		/* F_ID F_NAME F_PID F_COUNT F_LIMIT */
	/* the root helper of auth (PAM, shadow) */
	MSG_PAM = 110,		/* auth: F_ID F_SERVICE (PAM's) F_USER F_PASSWORD F_FLAGS [F_RIP]; MSG_DONE F_ID F_CODE (enum
				 * auth_fail or 0) [F_USER: PAM's name of the user] [F_TEXT] */
	MSG_SHADOW,		/* auth: F_ID F_USER; MSG_DONE F_ID F_CODE [F_PASSWORD: the stored one] [F_TEXT] */

	/* worker -> its parent */
	MSG_BEHIND = 120,	/* fd: what a process behind the session shall have the other end of; none comes: it is closed */
	/* worker -> the process behind it */
	MSG_EVENT,		/* F_ID F_CODE (cause) F_FLAGS F_NAME F_DETAIL F_TEXT F_DATA (imap/event.h); answered by MSG_DONE F_ID */
};

enum ipc_field {
	F_ID = 1,		/* u32 */
	F_NAME,
	F_KIND,			/* u32 */
	F_SERVICE,		/* "imap", "pop3", "lmtp", "lda", "doveadm" */
	F_MECH,
	F_DATA,
	F_SECURED,		/* u32: 0, or 1 when the client's connection is TLS or local */
	F_RIP,			/* text of an address; "" for a local client */
	F_RPORT,		/* u32 */
	F_LIP,
	F_LPORT,		/* u32 */
	F_SESSION,		/* session id for the log: 16 characters or less */
	F_LOCAL_NAME,
	F_TEXT,
	F_CODE,			/* u32 */
	F_USER,
	F_TOKEN,		/* AUTH_TOKEN_LEN octets */
	F_TAG,
	F_PREREAD,		/* what the client sent behind its login command */
	F_LIMIT,		/* u32 */
	F_PID,			/* u32 */
	F_KEY,			/* WATCH_KEY_MAX octets at most: opaque name of a mailbox */
	F_MODSEQ,		/* u64 */
	F_COUNT,		/* u32 */
	F_TIME,			/* u64 */
	F_LEVEL,		/* u32 */
	F_SENDER,
	F_RECIPIENT,
	F_DETAIL,
	F_JUNK,		/* a spam scanner takes the message for spam */
	F_STATE,
	F_IDENTITY,
	F_PASSWORD,
	F_UID,			/* u32 */
	F_GID,			/* u32 */
	F_GROUPS,		/* array of u32 */
	F_HOME,
	F_FIELDS,		/* userdb fields that override settings: "name=value" NUL "name=value" NUL ... */
	F_CHROOT,
	F_FLAGS,		/* u32 */
	F_SIZE,			/* u64: octets of a message; 0: not known */
	F_DSN_RECIPIENT,	/* DSN parameters (RFC 3461) */
	F_DSN_NOTIFY,
	F_DSN_ENVID,
	F_DSN_RET,
	F_PROXY,		/* u32 */
	F_ORIGIN,		/* the address that leads to several ends: what has been done for one is not done again */
};

#define AUTH_TOKEN_LEN 16
#define SESSION_ID_MAX 32
#define USER_NAME_MAX 255
#define WATCH_KEY_MAX 32
#define SESSION_WATCHES_MAX 65536	/* that hub keeps for one: how many it may have is a setting of the session's (NOTIFY) */

enum auth_fail {
	AUTH_FAIL_NONE,
	AUTH_FAIL_CREDENTIALS,	/* wrong password, unknown user: never told apart */
	AUTH_FAIL_TEMP,		/* a database or the system fails */
	AUTH_FAIL_DISABLED,	/* nologin, user_disabled */
	AUTH_FAIL_EXPIRED,	/* password expired */
	AUTH_FAIL_NO_USER,	/* for MSG_LOOKUP only */
	AUTH_FAIL_LIMIT,	/* too many connections */
	AUTH_FAIL_PLAINTEXT,	/* disable_plaintext_auth */
	AUTH_FAIL_MECH,		/* no such mechanism */
	AUTH_FAIL_PROTOCOL,	/* the client's exchange is malformed */
};
#endif
