/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SPAM_SPAM_H
#define CULVER_LIB_FILTER_SPAM_SPAM_H
/*
 * What a spam scanner is asked and what it answers: SpamAssassin's spamd (its protocol, SPAMC/1.5) and rspamd (HTTP,
 * /checkv2).  Pure: octets to structures and back; lib-deliver does the talking.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#define SPAM_REPLY_MAX (1024 * 1024)	/* octets of an answer */
#define SPAM_TESTS_MAX 4096		/* octets of all names of tests; further ones are left out */
#define SPAM_RECIPIENTS_MAX 100		/* told to the scanner */
#define SPAM_NO_LIMIT INT64_MAX		/* the scanner takes no score for spam */

enum spam_scanner { SPAM_SPAMD, SPAM_RSPAMD };
enum spam_task { SPAM_CHECK, SPAM_LEARN_SPAM, SPAM_LEARN_HAM };

struct spam_question {
	enum spam_task task;
	uint64_t size;			/* octets of the message, which follows the question */
	struct span user;		/* whose settings count; empty: the scanner's own */
	struct span sender;		/* without angle brackets; may be empty */
	const struct span *recipients;
	size_t recipient_count;
	struct span ip, helo;		/* of the client; empty: not known */
	struct span password;		/* rspamd's; empty: none */
};

struct spam_verdict {
	bool is_spam;			/* as the scanner sees it */
	bool defer;			/* rspamd: "soft reject", the client shall come again */
	bool reject;			/* rspamd: "reject" */
	bool nothing_new;		/* of a lesson: it is not learned, as it was known, or since the scanner does not learn */
	int64_t score, required;	/* thousandths; required may be SPAM_NO_LIMIT */
	struct span tests;		/* names with a comma between; in the arena */
	struct span version;		/* of the scanner; empty: it did not say */
};

/* Appends what stands before the message.  A value with a control character in it is left out. */
void spam_question_write(struct buf *out, enum spam_scanner scanner, const struct spam_question *q);
/*
 * The whole answer, up to the end of the connection.  For a lesson of v only nothing_new is filled in.  0; -1: ERR_TEMP (the scanner says
 * that it could not), ERR_SYNTAX (that is no answer).
 */
int spam_reply_parse(enum spam_scanner scanner, enum spam_task task, struct span reply, struct arena *a, struct spam_verdict *v,
    struct err *e);

/* A decimal number in thousandths, cut to +-1,000,000; false: it is none. */
bool spam_number(struct span s, int64_t *thousandths_out);

/*
 * Appends X-Spam-Flag, -Score, -Level, -Status, -Checker-Version, folded, with CRLF.  Flag is there for spam alone, as
 * filters that look for it expect.
 */
void spam_headers_write(struct buf *out, const struct spam_verdict *v);
void spam_verdict_describe(struct buf *out, const struct spam_verdict *v);	/* appends a few words, for the log */
/* Whether the field is one that only a scanner of ours may have written: X-Spam-... */
bool spam_header_is_ours(struct span name);

/* spamd.c, rspamd.c */
void spamd_question(struct buf *out, const struct spam_question *q);
int spamd_reply(enum spam_task task, struct span reply, struct arena *a, struct spam_verdict *v, struct err *e);
void rspamd_question(struct buf *out, const struct spam_question *q);
int rspamd_reply(enum spam_task task, struct span reply, struct arena *a, struct spam_verdict *v, struct err *e);
/* "Name: value" and CRLF; nothing when value is empty or has a control character. */
void spam_put_field(struct buf *out, const char *name, struct span value);
#endif
