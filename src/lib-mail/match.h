/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_MATCH_H
#define CULVER_LIB_MAIL_MATCH_H
/*
 * IMAP SEARCH's string keys (RFC 3501 section 6.4.4): does a message contain a string, without regard to case
 * (charset_fold()), after transfer encodings, charsets and encoded words have been decoded?  Text parts and attached
 * messages are looked through, other parts are not.  An empty string is in everything.
 */
#include "lib/buf.h"
#include "lib-mail/charset.h"
#include "lib-mail/limits.h"

enum match_where {
	MATCH_BODY,	/* the content of text parts, and the headers of attached messages */
	MATCH_TEXT,	/* the same and all headers: of the message and of its parts */
};

/* A string to look for, prepared once for many messages.  Holds buffers: for one thread. */
struct match_needle;
struct match_needle *match_needle_new(struct span utf8);	/* NULL when memory is out */
void match_needle_free(struct match_needle *needle);		/* NULL is fine */

/* Is it in this text, in this raw field value (encoded words are decoded)? */
bool match_utf8(struct match_needle *needle, struct span utf8);
bool match_value(struct match_needle *needle, struct span value);

/* SEARCH HEADER: is it in a field of that name (any case) of this header?  An empty string: is there such a field? */
bool match_header(struct match_needle *needle, struct span header, struct span name, const struct mail_limits *lim);

/* 1 yes, 0 no, -1 when memory is out. */
int match_message(struct match_needle *needle, struct span message, enum match_where where,
	const struct mail_limits *lim);

/*
 * The text that match_message() looks through, folded, for building postings: on_text is called with pieces in order;
 * `joined` says that a piece continues the one before (a match may span the two).  It returns false to stop.
 * Returns -1 when memory is out, else 0.
 */
typedef bool (*match_on_text)(void *ctx, struct span folded, bool joined);
int match_walk(struct charset_cache *cache, struct span message, enum match_where where, const struct mail_limits *lim,
	match_on_text on_text, void *ctx);
#endif
