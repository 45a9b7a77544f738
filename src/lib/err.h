/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_ERR_H
#define CULVER_LIB_ERR_H
/*
 * One failure, two readers: the code is all that an answer to a client may be made from (one table a protocol); the
 * text is for the log alone.  A function that can fail returns 0 or -1 and takes `struct err *e` last.
 */
enum err_code {
	ERR_NONE,
	ERR_TEMP,		/* ours or the system's fault; may work later */
	ERR_SYNTAX,		/* the peer's mistake */
	ERR_NOTFOUND,
	ERR_EXISTS,
	ERR_DENIED,
	ERR_QUOTA,		/* a full disk, or the system's quota */
	ERR_LIMIT,		/* a limit on a length, count or depth */
	ERR_TIMEOUT,
	ERR_EOF,		/* the peer has gone */
	ERR_GONE,		/* a message was expunged behind our back */
	ERR_CORRUPT,		/* stored data contradicts itself */
	ERR_INUSE,
	ERR_OVERQUOTA,		/* the limit that the settings give a user */
	ERR_TOOBIG,		/* one message is larger than the settings allow */
	ERR_CODES
};

struct err {
	enum err_code code;
	char log[240];	/* paths, errno texts, names; cut at the end, never overrun */
};

#define ERR_INIT { ERR_NONE, "" }

/* All return -1, so that telling and returning are one line. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts context in front: "delete Work: ..." */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * err_set with errno's text behind the message.  The code follows from errno: ENOENT NOTFOUND, EACCES and EPERM DENIED,
 * ENOSPC, EDQUOT and EFBIG QUOTA, EEXIST EXISTS, everything else TEMP.
 */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
