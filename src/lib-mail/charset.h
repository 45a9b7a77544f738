/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_CHARSET_H
#define CULVER_LIB_MAIL_CHARSET_H
/*
 * Text of any charset to UTF-8, and UTF-8 to a form for caseless comparing.  US-ASCII, UTF-8, ISO-8859-1 and
 * Windows-1252 are built in; others are iconv's, which opens files (gconv modules) the first time it meets one: a
 * process that is walled in must be allowed to read those, else such text counts as of unknown charset.
 */
#include "lib/buf.h"

/*
 * A set of opened conversions, so that a search through many messages opens each once.  NULL works wherever one is
 * taken, and opens anew each time.
 */
struct charset_cache;
struct charset_cache *charset_cache_new(void);
void charset_cache_free(struct charset_cache *cache);	/* NULL is fine */

/* One text, fed piece by piece. */
struct charset;
/* An unknown name (or an empty one) is read as UTF-8 where it is valid and else octet by octet as Windows-1252.
 * NULL when memory is out. */
struct charset *charset_open(struct charset_cache *cache, struct span name);
bool charset_is_unknown(const struct charset *cs);
/* Appends in as UTF-8; each malformed piece becomes U+FFFD.  A character may be cut anywhere between two calls. */
void charset_add(struct charset *cs, struct buf *out, struct span in);
void charset_finish(struct charset *cs, struct buf *out);	/* what was cut off at the end */
void charset_close(struct charset *cs);		/* NULL is fine */

/* All in one.  False when the charset is unknown (out has it as charset_open() says). */
bool charset_to_utf8(struct charset_cache *cache, struct buf *out, struct span name, struct span in);
bool charset_is_known(struct span name);	/* SEARCH CHARSET: can it be converted? */

/*
 * The form in which text is compared without regard to case (in the spirit of RFC 5051): each code point case-folded
 * and decomposed by itself, so that the form of a piece is a piece of the form; CRs are left out.  Malformed octets
 * become U+FFFD.
 */
void charset_fold(struct buf *out, struct span utf8);
#endif
