/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_FILTER_H
#define CULVER_LIB_FILTER_FILTER_H
/*
 * What should happen to a message.  A filter (a Sieve script, a list of recipes) looks at a message and gives a list of
 * actions; it performs none: that is lib-deliver's.  What it must ask on its way (is there such a mailbox? was this message
 * here before?) goes through the host, a table of functions that a test can stand in for.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

struct sieve_tester;

struct filter_message {
	struct span text;		/* all of it; line ends are LF or CRLF */
	struct span header, body;	/* of text: header with its empty line */
	struct span sender, recipient;	/* of the envelope, without angle brackets; the sender may be empty */
	struct span orig_recipient;	/* as the MTA was given it; empty: recipient */
	struct span auth_user;		/* empty: not known */
	bool has_flags;			/* the flags below are what a keep starts from, and what the next script begins with */
	struct span notify, envid, ret, bydeadline;	/* DSN parameters as they came (RFC 3461); empty: none */
	struct span flags;		/* that it has already, in a mailbox: words with a space between */
};

/* A program that a script names: a service that is reached over a socket, or else a file. */
struct filter_program {
	struct span path;		/* empty: there is no directory of programs; with socket empty, too, it can not be run */
	struct span socket;		/* relative to base_dir, or absolute; empty: there is no directory of sockets */
	const struct span *args;
	size_t arg_count;
	unsigned timeout;		/* seconds; 0: the host's */
};

enum filter_kind {
	FILTER_SAVE,		/* in the mailbox `target' */
	FILTER_FILE,		/* procmail's paths: a file of mbox, a directory, a Maildir, an MH folder */
	FILTER_REDIRECT,	/* the message goes on to the address `target', with the envelope sender `sender' */
	FILTER_REJECT,		/* refused with `text' as the reason */
	FILTER_SEND,		/* the message `text', of our making, goes to `target' with the envelope sender `sender' */
	FILTER_ANSWER,		/* the same, to who has sent the message that came: it is not refused as well */
	FILTER_PIPE,		/* the program `target' gets the message */
	FILTER_MARK,		/* nothing, but that `mark' is remembered */
	FILTER_DISCARD,		/* nothing: who asks what became of the message is told the line */
};

struct filter_flags {
	bool given;		/* else the message has none */
	unsigned flags;		/* enum msg_flag */
	struct span *keywords;
	size_t keyword_count;
	bool of_script;		/* they were set for all that the script does, not for the one action */
};

struct filter_action {
	struct filter_action *next;
	enum filter_kind kind;
	unsigned line;			/* of the script, for the journal; 0: what happens without being asked for */
	struct span script;		/* its name or path */
	struct span within;		/* the script that it includes, where that has the line; empty: itself */
	const char *verb;		/* the word that wants it: "fileinto"; NULL: the implicit keep */
	struct span target, sender, text;
	struct span socket;		/* PIPE: as in struct filter_program; target is empty where there is a socket alone */
	struct span *args;		/* of a program */
	size_t arg_count;
	unsigned timeout;		/* of a program: seconds; 0: the host's */
	struct span message;		/* in the place of the one that came; p is NULL: that one */
	struct filter_flags flags;
	bool create;			/* SAVE: the mailbox is made when it is not there */
	bool keep;			/* SAVE: it is the (implicit) keep: `target' is empty, the host knows where that is */
	bool own;			/* SAVE: `message' is one that the filter has made, not the one that came */
	bool or_keep;			/* when it fails the message is kept instead */
	bool quiet_bounce;		/* REJECT: by the MTA if possible (ereject), never by a message of ours */
	struct span dsn_notify, dsn_ret, by;	/* REDIRECT: the values of NOTIFY=, RET= and BY=; empty: none */
	struct span special_use, mailbox_id;	/* SAVE: rather there, if there is such a mailbox */
	struct span mark;		/* what the host is to remember when this has been done, for so many seconds */
	int64_t mark_seconds;
};

/* Which line of which script wants it: "/home/bob/.dovecot.sieve, included "lists" line 3".  Without a line the script alone. */
void filter_action_where(struct buf *out, const struct filter_action *a);

/* Whether the action sends a message of our making: `message' is none of it. */
static inline bool
filter_sends(enum filter_kind kind)
{
	return kind == FILTER_SEND || kind == FILTER_ANSWER;
}

/* Whether nothing is done with the message. */
static inline bool
filter_does_nothing(enum filter_kind kind)
{
	return kind == FILTER_MARK || kind == FILTER_DISCARD;
}

/* What a filter asks.  ctx is the host's; a NULL function is answered as in its comment. */
struct filter_host {
	void *ctx;
	bool (*mailbox_exists)(void *ctx, struct span name);		/* no */
	bool (*special_use_exists)(void *ctx, struct span mailbox, struct span use);	/* no; mailbox: empty: any */
	bool (*mailbox_id_exists)(void *ctx, struct span id);		/* no */
	/* METADATA of a mailbox (name empty: of the server).  False: there is none. */
	bool (*metadata)(void *ctx, struct span mailbox, struct span name, struct arena *a, struct span *out);
	/* Whether the mark was set in the last `seconds', by whatever was done with filter_action.mark. */
	bool (*is_marked)(void *ctx, struct span mark, int64_t seconds);	/* no */
	/* A script by name, of the user (personal) or of the server; in a.  ERR_NOTFOUND. */
	int (*script)(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e);
	/* An item of "environment" (RFC 5183); false: unknown. */
	bool (*environment)(void *ctx, struct span name, struct arena *a, struct span *out);
	/* External lists (RFC 6134): whether there is one, whether value is in it, and all that is in it. */
	bool (*list_exists)(void *ctx, struct span list);		/* no */
	bool (*list_has)(void *ctx, struct span list, struct span value);	/* no */
	bool (*list_members)(void *ctx, struct span list, struct arena *a, struct span **out, size_t *count);	/* false */
	/*
	 * Runs a program with input; *out is what it wrote, in a; *status its exit status.  -1: it could not be run (ERR_NOTFOUND,
	 * ERR_DENIED), ran too long (ERR_TIMEOUT), wrote too much.  NULL: programs are not run.
	 */
	int (*run)(void *ctx, const struct filter_program *p, struct span input, struct arena *a, struct span *out, int *status,
	    struct err *e);
	void (*log)(void *ctx, struct span text);			/* debug output of a script */
	int64_t (*now)(void *ctx);					/* the clock */
	/* A setting of plugin {} by its name ("sieve_vacation_min_period"), and recipient_delimiter.  False: it is not set. */
	bool (*setting)(void *ctx, const char *name, struct span *out);
	struct span user, home;
	struct span keep_mailbox;	/* where what is kept goes: "INBOX"; empty: to no other place than it is in */
	struct span user_address;	/* the address that answers are sent from; empty: the envelope's recipient */
	struct sieve_tester *tester;	/* of "culveradm sieve test" (sieve/tester.h); NULL elsewhere */
	const struct span *aliases;	/* further addresses that are the user's */
	size_t alias_count;
};

/* Splits text; there is no envelope yet. */
void filter_message_init(struct filter_message *m, struct span text);
#endif
