/* SPDX-License-Identifier: MIT */
/* The server's words. */
#include <stdarg.h>

#include "imap/event.h"
#include "imap/session.h"
#include "lib-storage/quota.h"
#include "lib/log.h"

#define QUOTA_WORDS_MAX 200

/* The only place where failures get IMAP words (RFC 3501 section 7.1, RFC 5530). */
const char *const imap_err_text[ERR_CODES] = {
	[ERR_NONE] = "NO [SERVERBUG] Internal error occurred; the log has the details.",
	[ERR_TEMP] = "NO [SERVERBUG] Internal error occurred; the log has the details.",
	[ERR_SYNTAX] = "NO [CANNOT] Invalid mailbox name.",
	[ERR_NOTFOUND] = "NO [NONEXISTENT] Mailbox doesn't exist.",
	[ERR_EXISTS] = "NO [ALREADYEXISTS] Mailbox already exists.",
	[ERR_DENIED] = "NO [NOPERM] Permission denied.",
	[ERR_QUOTA] = "NO [OVERQUOTA] Not enough room for this mail.",
	[ERR_LIMIT] = "NO [LIMIT] A limit of this server would be exceeded.",
	[ERR_TIMEOUT] = "NO [INUSE] Timeout while waiting for the mailbox.",
	[ERR_EOF] = "NO [UNAVAILABLE] A part of the server is not available.",
	[ERR_GONE] = "NO [EXPUNGEISSUED] Some of the requested messages no longer exist.",
	[ERR_CORRUPT] = "NO [SERVERBUG] Stored data is damaged; the log has the details.",
	[ERR_INUSE] = "NO [INUSE] Mailbox is in use.",
	[ERR_OVERQUOTA] = "NO [OVERQUOTA] Quota exceeded (mailbox for user is full)",
	[ERR_TOOBIG] = "NO [LIMIT] Mail size is larger than the maximum size allowed by server configuration",
};

void
imap_ok(struct imap_session *s, const char *text)
{
	buf_reset(&s->reply);
	buf_adds(&s->reply, "OK ");
	buf_adds(&s->reply, text);
}

void
imap_okf(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	imap_ok(s, "");
	va_start(ap, fmt);
	buf_addv(&s->reply, fmt, ap);
	va_end(ap);
}

void
imap_no(struct imap_session *s, const char *text)
{
	buf_reset(&s->reply);
	buf_adds(&s->reply, "NO ");
	buf_adds(&s->reply, text);
}

void
imap_bad(struct imap_session *s, const char *why)
{
	buf_reset(&s->reply);
	if (s->name.n > 0)
		buf_addf(&s->reply, "BAD Error in IMAP command %s%.*s: %s.", s->uid ? "UID " : "", SPAN_ARG(s->name), why);
	else
		buf_addf(&s->reply, "BAD Error in IMAP command received by server: %s.", why);
	s->bad_in_row++;
}

void
imap_untagged(struct imap_session *s, const char *text)
{
	stream_put(&s->io, SPAN("* "));
	stream_puts(&s->io, text);
	stream_put(&s->io, SPAN("\r\n"));
}

void
imap_bye(struct imap_session *s, const char *text, const char *reason)
{
	struct err e = ERR_INIT;

	if (s->end != IMAP_GO_ON)
		return;
	if (s->box != NULL)
		mailbox_read_end(s->box);
	stream_put(&s->io, SPAN("* BYE "));
	stream_puts(&s->io, text);
	stream_put(&s->io, SPAN("\r\n"));
	stream_flush(&s->io, &e);
	s->end = IMAP_END_BYE;
	s->end_reason = reason;
}

void
imap_send_reply(struct imap_session *s)
{
	if (s->reply.failed) {
		buf_reset(&s->reply);
		buf_adds(&s->reply, "NO [LIMIT] The answer is too long.");
	}
	stream_put(&s->io, s->tag.n > 0 ? s->tag : SPAN("*"));
	stream_put(&s->io, SPAN(" "));
	stream_put(&s->io, buf_span(&s->reply));
	stream_put(&s->io, SPAN("\r\n"));
}

void
imap_error(struct imap_session *s, const struct err *e)
{
	buf_reset(&s->reply);
	if (e->code == ERR_OVERQUOTA) {
		struct span words = storage_quota_words(s->st);

		/* The administrator's words: no octet of them may end the line. */
		buf_adds(&s->reply, "NO [OVERQUOTA] ");
		for (size_t i = 0; i < words.n && i < QUOTA_WORDS_MAX; i++)
			buf_addc(&s->reply, words.p[i] >= ' ' && words.p[i] <= '~' ? words.p[i] : ' ');
	} else {
		buf_adds(&s->reply, imap_err_text[e->code]);
	}
	if (e->code == ERR_TEMP || e->code == ERR_NONE || e->code == ERR_CORRUPT || e->code == ERR_EOF ||
	    e->code == ERR_TIMEOUT)
		log_error("%.*s: %s", SPAN_ARG(s->name), e->log);
	else if (e->log[0] != '\0')
		log_debug("%.*s: %s", SPAN_ARG(s->name), e->log);
}

static const char capabilities[] =
    "IMAP4rev1 SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN CONDSTORE QRESYNC ESEARCH SORT SORT=DISPLAY "
    "THREAD=ORDEREDSUBJECT THREAD=REFERENCES SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE MULTIAPPEND OBJECTID";

static bool
has_word(struct span list, struct span word, char sign)
{
	struct span piece;

	while (span_next(&list, ' ', &piece)) {
		if (sign != '\0' && (piece.n == 0 || piece.p[0] != sign))
			continue;
		if (span_ieq(sign == '\0' ? piece : span_from(piece, 1), word))
			return true;
	}
	return false;
}

/* imap_capability: a list of its own, or "+NAME -NAME" as changes to the usual one. */
struct span
imap_capability(struct imap_session *s)
{
	struct span set = span_trim(set_str(s->start->view, SET_imap_capability)), rest, word, out;
	struct buf usual = BUF_INIT(64 * 1024), b = BUF_INIT(64 * 1024);

	buf_adds(&usual, capabilities);
	buf_adds(&usual, s->lim.literal_minus ? " LITERAL-" : " LITERAL+");
	if (s->lim.notify_mailboxes > 0)
		buf_adds(&usual, " NOTIFY");
	if (s->lim.acl)
		buf_adds(&usual, " ACL RIGHTS=texk LIST-MYRIGHTS");
	if (s->quota)
		buf_adds(&usual, " QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE");
	if (s->lim.metadata)
		buf_adds(&usual, " METADATA");
	/* Where no script can be named it is of no use to clients (RFC 6785 section 2.3.1). */
	if (s->lim.metadata && imap_events_url(s->events).n > 0)
		buf_addf(&usual, " IMAPSIEVE=%.*s", SPAN_ARG(imap_events_url(s->events)));
	if (set.n > 0 && set.p[0] != '+' && set.p[0] != '-') {
		buf_add(&b, set);
	} else {
		rest = buf_span(&usual);
		while (span_next(&rest, ' ', &word))
			if (!has_word(set, word, '-')) {
				buf_adds(&b, b.n > 0 ? " " : "");
				buf_add(&b, word);
			}
		rest = set;
		while (span_next(&rest, ' ', &word))
			if (word.n > 1 && word.p[0] == '+' && !has_word(buf_span(&usual), span_from(word, 1), '\0')) {
				buf_addc(&b, ' ');
				buf_add(&b, span_from(word, 1));
			}
	}
	out = arena_dup(s->arena, buf_span(&b));
	buf_clear(&b);
	buf_clear(&usual);
	return out;
}
