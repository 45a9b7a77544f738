/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_REGEX_H
#define CULVER_LIB_FILTER_PROCMAIL_REGEX_H
/*
 * procmail's regular expressions (procmailrc(5), "Extended regular expressions").  They are searched for in the text with
 * a newline thought before and behind it:
 *	^ $		a newline, which is taken (so "a$b" matches over two lines, and "a$^b" does not)
 *	^^		nothing; at the front of the expression the beginning of the text, elsewhere its end, behind which
 *			nothing more is taken
 *	\< \>		one character that is no letter, digit or _; a newline too
 *	. [^x]		one character, never a newline
 *	\/		what the part on the right matches becomes MATCH
 * All alternatives are followed at once, so the time is at most text * expression whatever the expression is; a budget
 * bounds the product.
 */
#include "lib/arena.h"
#include "lib/buf.h"

#define PROCMAIL_REGEX_NODES 60000	/* of one expression with its macros */
#define PROCMAIL_REGEX_DEPTH 200	/* of parentheses */

struct procmail_regex;

/*
 * Compiles; the macros (^TO_, ^TO, ^FROM_DAEMON, ^FROM_MAILER) are put in first.  NULL: *why_out says why (too large, too
 * deep, no memory).
 */
struct procmail_regex *procmail_regex_new(struct span expression, bool distinguish_case, const char **why_out);
void procmail_regex_free(struct procmail_regex *r);	/* NULL is fine */
/* What is wrong with it, although it is used, as procmail uses it: parentheses that do not match.  NULL: nothing. */
const char *procmail_regex_warning(const struct procmail_regex *r);
size_t procmail_regex_octets(const struct procmail_regex *r);	/* of memory, now: it grows with what it is used on */
bool procmail_regex_extracts(const struct procmail_regex *r);	/* it has a \/ */

enum procmail_found { PROCMAIL_FOUND_NO, PROCMAIL_FOUND_YES, PROCMAIL_FOUND_TOO_LONG };

/*
 * Looks for the first end of a match at or behind *pos (0 at first), a position in the text with its newlines.
 * YES: *pos is where to look for the next; it does not move when the match took nothing.  *budget is what steps are left:
 * TOO_LONG when it is used up.
 */
enum procmail_found procmail_regex_next(struct procmail_regex *r, struct span text, size_t *pos, uint64_t *budget);

/*
 * Of the leftmost matches at or behind *pos the one whose part on the left of \/ is shortest, and of these the one whose part on
 * the right is longest: that part is *match_out, without the newlines that are only thought; it is SPAN_NONE where the part on the
 * left took the last of these.  *pos as above.  What is longer than max may be cut
 * somewhere behind it.
 */
enum procmail_found procmail_regex_extract(struct procmail_regex *r, struct span text, size_t max, size_t *pos, struct span *match_out,
    uint64_t *budget);
#endif
