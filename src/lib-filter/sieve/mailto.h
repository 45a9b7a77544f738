/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_MAILTO_H
#define CULVER_LIB_FILTER_SIEVE_MAILTO_H
/* "mailto:" as RFC 6068 has it, for notifications (RFC 5436).  Pure. */
#include "lib/arena.h"

#define MAILTO_MAX 4096			/* octets of the URI */
#define MAILTO_RECIPIENTS_MAX 8
#define MAILTO_FIELDS_MAX 32

struct mailto_field {
	struct span name, value;	/* UTF-8 without line ends */
};

struct mailto {
	struct span to, cc;		/* as they go into the fields of that name */
	struct span recipients[MAILTO_RECIPIENTS_MAX];	/* of To, Cc and Bcc, bare */
	size_t recipient_count;
	struct span subject, body;	/* p NULL: not given */
	struct mailto_field fields[MAILTO_FIELDS_MAX];	/* further ones, without those that only a mail server writes */
	size_t field_count;
};

/* NULL; or why it is none.  One that names nobody is fine: then there is nothing to be sent. */
const char *mailto_parse(struct arena *a, struct span uri, struct mailto *out);
#endif
