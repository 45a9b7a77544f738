/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_SPAM_SCAN_H
#define CULVER_LIB_DELIVER_SPAM_SCAN_H
/*
 * Asking a spam scanner about a message, within a time that is set (spam_scanner and the settings beside it).  Blocking.
 * A scanner that lets two questions in a row wait that long is not asked for a minute.  One alone may be the message's fault: who
 * sends it would get what comes next past the scanner.
 */
#include <sys/socket.h>
#include "lib-config/settings.h"
#include "lib-filter/spam/spam.h"

#define SPAM_ADDRESSES_MAX 8

struct spam_address {
	struct sockaddr_storage sa;
	socklen_t n;
};

/* What is remembered of a scanner, in memory that all share who ask it. */
struct spam_memory {
	volatile int64_t silent_until;	/* seconds of the monotonic clock; 0: it answers */
	volatile unsigned unanswered;	/* questions in a row */
};

struct spam_scan {
	bool on;
	enum spam_scanner scanner;
	int timeout_ms;			/* of all that one question takes */
	uint64_t max_size;		/* larger messages are not scanned */
	struct span password;
	struct spam_address addresses[SPAM_ADDRESSES_MAX];	/* tried in this order */
	size_t address_count;
	bool (*told_to_end)(void *ctx);	/* asked while it waits: nobody waits any more; may be NULL */
	void *told_ctx;
	struct spam_memory *memory;	/* NULL: nothing is remembered */
	bool mark, strip, defer_on_failure, has_reject, has_junk;
	int64_t reject, junk;		/* thousandths */
};

/*
 * Reads the settings and looks up names: before privileges are dropped, since that reads files and asks name servers.
 * ERR_SYNTAX, ERR_NOTFOUND: what was read until then is there, and whoever asks is told that there is no address.  Spans are the
 * view's.
 */
int spam_scan_init(struct spam_scan *s, const struct set_view *v, struct err *e);
int spam_scan_look_up(struct spam_scan *s, const struct set_view *v, struct err *e);	/* the names alone, once more */

/*
 * The same for teaching (spam_learn_spam, spam_learn_ham): s->on when one of them is on, and the addresses are those where it is
 * taught.
 */
int spam_learn_init(struct spam_scan *s, const struct set_view *v, struct err *e);
bool spam_scan_is_inet(const struct spam_scan *s);	/* one of the addresses is not that of a unix socket */

/*
 * Sends the question and text, reads the answer.  0; -1: ERR_TIMEOUT, ERR_LIMIT (the answer is too long, and its beginning is no
 * verdict), ERR_TEMP, ERR_SYNTAX, ERR_EOF.
 */
int spam_scan_ask(const struct spam_scan *s, const struct spam_question *q, struct span text, struct arena *a, struct spam_verdict *v,
    struct err *e);

/*
 * What the settings make of a verdict: the site's thresholds, or where none are set what the scanner thinks.  The verdict itself
 * stays the scanner's, and so does what X-Spam-Status says: users' filters know its threshold, which may be their own.
 */
enum spam_fate { SPAM_FATE_NONE, SPAM_FATE_JUNK, SPAM_FATE_REJECT, SPAM_FATE_DEFER };
enum spam_fate spam_scan_fate(const struct spam_scan *s, const struct spam_verdict *v);
/* What the log says of a message that was scanned, appended to out. */
void spam_scan_describe(struct buf *out, const struct spam_verdict *v, enum spam_fate fate);

/* A message as it goes on without the fields that only a scanner of ours may write: in pieces of text, in their order. */
void spam_scan_strip(struct span text, void (*put)(void *ctx, struct span piece), void *ctx);
bool spam_scan_is_forged(struct span text);	/* it has such fields */
#endif
