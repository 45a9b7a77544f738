/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_REPLY_H
#define CULVER_LIB_DELIVER_RECIPIENT_REPLY_H
/* What a table wants a client to be answered: code, enhanced code, text. */
#include <stdbool.h>
#include "lib/span.h"

#define RECIPIENT_REPLY_TEXT 200	/* octets of a text; what is longer is cut */

struct recipient_reply {
	unsigned code;			/* 400 to 599 */
	char status[11];		/* "5.1.1"; its class is that of code */
	bool mended;			/* which it was not as written */
	struct span text;		/* printable ASCII, one line: a span of what was parsed; may be empty */
};

/* What is answered for what stands in a line that is not understood. */
extern const struct recipient_reply recipient_reply_mistake;

/*
 * "nouser No such user", "5.1.1:550 No such user", "550 5.1.1 No such user", "550 No such user", "No such user"; the text may
 * be in double quotes, alone or with its code.  Words for what is wrong are those of sendmail's error mailer.  otherwise: code,
 * enhanced code and text where there are none.  False: a code that is none, or an octet that no reply may have.
 */
bool recipient_reply_parse(struct span in, const struct recipient_reply *otherwise, struct recipient_reply *out);
#endif
