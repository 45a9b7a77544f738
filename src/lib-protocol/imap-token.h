/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_IMAP_TOKEN_H
#define CULVER_LIB_PROTOCOL_IMAP_TOKEN_H
/*
 * The words of an IMAP command (RFC 3501 section 9), taken one by one off the front of its text.  The text is the whole
 * command without its last line end, literals in place: head, line end, octets.
 *
 * Each function takes its piece and says true, or says false and leaves the text where it was; `why' then tells what was
 * expected, in words for the BAD reply.  Results are spans into the text; a quoted string with escapes is copied to the
 * arena.  More than one space where one belongs is let pass.
 */
#include "lib/arena.h"

struct imap_in {
	struct span s;		/* what is left */
	struct arena *a;
	const char *why;	/* borrowed, static */
};

static inline bool
imap_peek(const struct imap_in *in, char c)
{
	return in->s.n > 0 && in->s.p[0] == c;
}

bool imap_fail(struct imap_in *in, const char *why);	/* sets why; false */
bool imap_take(struct imap_in *in, char c);
bool imap_sp(struct imap_in *in);			/* at least one space */
bool imap_end(struct imap_in *in);			/* nothing but spaces is left */
bool imap_atom(struct imap_in *in, struct span *out);
/* The next atom is word (any case); only then it is taken. */
bool imap_word(struct imap_in *in, struct span word);
bool imap_tag(struct imap_in *in, struct span *out);
bool imap_number(struct imap_in *in, uint64_t max, uint64_t *out);	/* number64 of RFC 7162 with max INT64_MAX */
bool imap_string(struct imap_in *in, struct span *out);		/* quoted, or literal */
bool imap_astring(struct imap_in *in, struct span *out);
bool imap_nstring(struct imap_in *in, struct span *out);	/* NIL: SPAN_NONE; an empty string has p != NULL */
bool imap_list_mailbox(struct imap_in *in, struct span *out);	/* with wildcards */
bool imap_flag(struct imap_in *in, struct span *out);		/* "\Seen", "word"; not "\*" */
/* A sequence set's characters, unparsed (lib-protocol/imap-seqset.h). */
bool imap_set_text(struct imap_in *in, struct span *out);
bool imap_is_atom(struct span s);	/* could it be sent as an atom? */
#endif
