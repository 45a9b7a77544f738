/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_LIST_MATCH_H
#define CULVER_LIB_STORAGE_LIST_MATCH_H
/* IMAP LIST patterns (RFC 3501 section 6.3.8): '*' any, '%' any but the separator. */
#include "lib/span.h"

enum list_match {
	LIST_NO,
	LIST_PARENT,	/* a child of name could match: relevant for "a%/b" style walks and CHILDINFO */
	LIST_YES,
};
/* Linear in the product of the lengths at worst; no recursion.  INBOX (any case) as first component is folded. */
enum list_match list_match(struct span pattern, struct span name, char separator);
#endif
