/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_ADDRESS_H
#define CULVER_LIB_MAIL_ADDRESS_H
/*
 * Address lists (RFC 5322 sections 3.4 and 4.4) as they are found in mail: groups, routes, comments, quoted strings,
 * white space in odd places, and things that are no addresses.  Nothing is refused: what makes no sense gets
 * ADDRESS_INVALID and stands-in values.  Encoded words (RFC 2047) are left as they are.
 */
#include "lib/arena.h"
#include "lib/buf.h"

#define ADDRESS_MISSING_MAILBOX "MISSING_MAILBOX"
#define ADDRESS_MISSING_DOMAIN "MISSING_DOMAIN"

enum { ADDRESS_INVALID = 1 };

/*
 * One mailbox, or a group's mark as ENVELOPE has them (RFC 3501 section 7.4.2): the start of a group is the group's
 * name in mailbox and no domain; the end has neither.  A missing item has p == NULL (which is not the same as empty).
 */
struct address {
	struct address *next;
	struct span name;	/* display name, or the comment behind an address of the old form "a@b (Name)" */
	struct span route;	/* "@a,@b" of the obsolete route, without the colon */
	struct span mailbox;	/* local part, unquoted */
	struct span domain;
	unsigned flags;
};

/*
 * The addresses of a field's value (folded as it is).  *list_out is NULL when there are none.  Spans point into value
 * or into the arena.  At most max addresses are taken: then *truncated_out (may be NULL) is true and the rest is not
 * looked at.  Returns -1 only when the arena is exhausted.
 */
int address_parse(struct arena *a, struct span value, size_t max, struct address **list_out, bool *truncated_out);

static inline bool
address_is_group_start(const struct address *ad)
{
	return ad->domain.p == NULL && ad->mailbox.p != NULL;
}

static inline bool
address_is_group_end(const struct address *ad)
{
	return ad->domain.p == NULL && ad->mailbox.p == NULL;
}

/* The first mailbox (no group mark) of a list, or NULL. */
const struct address *address_first(const struct address *list);

/* local@domain, the local part quoted where it must be.  Nothing for a group mark. */
void address_write(struct buf *out, const struct address *ad);

/* The whole list as a header field's value: names quoted where they must be, groups, ", " between. */
void address_write_list(struct buf *out, const struct address *list);
#endif
