/* SPDX-License-Identifier: MIT */
#ifndef CULVER_POP3_SESSION_H
#define CULVER_POP3_SESSION_H
/*
 * A POP3 session behind its login: RFC 1939's TRANSACTION and UPDATE states over a stream and an open mailbox.  It knows
 * no descriptor and no process.  The messages are those that were there at login, whatever others do; their numbers and sizes
 * are fixed by the first command that asks for any.
 */
#include "lib/stream.h"
#include "lib-storage/mailbox.h"

struct pop3_options {
	bool no_flag_updates, enable_last, reuse_xuidl, save_uidl, rename_duplicates, fast_sizes;
	bool no_nuls, ns_eoh;		/* pop3_client_workarounds */
	bool delete_by_flag;		/* DELE sets deleted_flag at QUIT; the message stays */
	struct span deleted_flag;	/* "\Deleted" or a keyword; messages that have it are not shown; may be empty */
	struct span uidl_format;
	size_t max_line;
	unsigned max_bad;		/* bad commands in a row; 0: no limit */
};

struct pop3_msg {
	uint32_t uid;
	bool deleted;			/* in this session; done at QUIT */
	bool seen, was_seen;		/* now, and at login */
	bool has_uidl;			/* of its own: not made from the format */
	uint64_t size;
	struct span uidl;		/* made already; else p is NULL */
};

struct pop3_counts {			/* for the log */
	uint64_t top, top_octets, retr, retr_octets, deleted, deleted_octets;
};

struct pop3_session {
	struct stream *s;
	struct mailbox *box;
	const struct pop3_options *o;
	struct arena *arena;		/* of the session: the messages and their UIDLs */
	struct pop3_msg *msgs;		/* NULL: nobody has asked yet; count is that of the view then */
	uint32_t count, deleted_count;
	uint64_t size, deleted_size;	/* octets: of all, of the deleted ones */
	uint32_t uidvalidity;
	unsigned deleted_bit;		/* of enum msg_flag; 0: the deleted flag is a keyword, or there is none */
	uint32_t last;			/* LAST: the highest number that was read */
	unsigned bad;			/* bad commands in a row */
	bool sizes_known, uidls_known, done;
	struct pop3_counts counts;
};

/* Takes in the view of box, which must have been opened and synced.  -1: ERR_TEMP, ERR_LIMIT. */
int pop3_session_init(struct pop3_session *p, struct stream *s, struct mailbox *box, const struct pop3_options *o,
    struct err *e);
void pop3_session_clear(struct pop3_session *p);

/*
 * Reads and answers commands until the session is over.  0: QUIT, and what it asked for has been done; -1 and why in *e
 * otherwise: nothing is deleted then, but for ERR_TEMP and its like at QUIT, where a part may be (RFC 1939 section 6).
 */
int pop3_session_run(struct pop3_session *p, struct err *e);

/* In uidl.c: the UIDL of a message; valid as long as the session.  ERR_GONE, ERR_SYNTAX (pop3_uidl_format). */
int pop3_uidl(struct pop3_session *p, struct pop3_msg *m, struct span *out, struct err *e);
void pop3_uidls_keep(struct pop3_session *p);	/* those that were made, with pop3_save_uidl */
#endif
