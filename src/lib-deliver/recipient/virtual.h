/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_VIRTUAL_H
#define CULVER_LIB_DELIVER_RECIPIENT_VIRTUAL_H
/*
 * A table of addresses, as sendmail's virtusertable and Postfix's virtual(5) have it: an address, white space, where its mail
 * goes.  The left side, in the order in which it is looked for:
 *	user+detail@dom	this address
 *	user++@dom	user with any detail but an empty one
 *	user+*@dom	user with any detail
 *	user@dom
 *	user		user at a domain that is local
 *	++@dom, +*@dom	any user, with a detail
 *	@dom		all of the domain
 * The right side is a list of addresses, or error:...; in it %1 is the user, %2 the detail, %3 the detail with its delimiter (all of
 * user+detail is %1 where the left side names both).  @other is %1%3@other.
 */
#include "lib-deliver/recipient/aliases.h"

struct recipient_virtual;

struct recipient_virtual_entry {
	unsigned line;
	struct recipient_targets targets;	/* addresses with %1, %2, %3 in them, or one error */
};

/* What an address was found by. */
struct recipient_virtual_match {
	const struct recipient_virtual_entry *entry;
	struct span user, detail;	/* %1 and %2: what the left side did not name is in them */
	bool has_detail;		/* %3 is not empty */
	char delimiter;
};

/* As recipient_aliases_parse(). */
int recipient_virtual_parse(struct span text, const struct recipient_limits *limits, struct recipient_virtual **out,
    struct recipient_remarks *remarks, unsigned *line_out, struct err *e);
void recipient_virtual_free(struct recipient_virtual *t);	/* NULL is fine */
size_t recipient_virtual_count(const struct recipient_virtual *t);
/*
 * An address of a local part and a domain.  delimiters: recipient_delimiter, any of which divides user and detail.  local: the
 * domain is one of which "user" alone may speak.
 */
bool recipient_virtual_find(const struct recipient_virtual *t, struct span local, struct span domain, struct span delimiters,
    bool is_local, struct recipient_virtual_match *out);
/* The entry's target i with its %s replaced; strings in a.  False: no memory, or the address has become too long. */
bool recipient_virtual_target(const struct recipient_virtual_match *m, size_t i, struct arena *a, struct recipient_target *out);
#endif
